import Foundation
import RuntimeSpec
import TestSupport
import Testing

@Suite("the propagation of a container's root")
struct RootPropagationTests {
    /// Runs the container in a mount namespace whose mounts are shared, as a distribution's are, and says what that had
    /// before and after.
    private func run(_ bundle: ContainerBundle, _ spec: Spec, before: String = "true") async throws -> CommandResult {
        let words = try bundle.words(spec).map { "'\($0)'" }.joined(separator: " ")
        return try await Command.run([
            "unshare", "-m", "--propagation", "private", "sh", "-c",
            """
            mount --make-rshared / && \(before) && cat /proc/self/mountinfo >\(bundle.folder)/before
            \(words); status=$?
            cat /proc/self/mountinfo >\(bundle.folder)/after; exit $status
            """,
        ])
    }

    private static let propagations = [
        ("shared", "shared:"), ("rshared", "shared:"), ("slave", "master:"), ("rslave", "master:"), ("private", ""),
        ("rprivate", ""), ("unbindable", "unbindable"), ("runbindable", "unbindable"),
    ]

    @Test(arguments: propagations)
    func `is the document's, and changes nothing on the host`(name: String, field: String) async throws {
        let bundle = try ContainerBundle()
        var spec = ContainerBundle.spec("cat", "/proc/self/mountinfo")
        spec.linux?.rootfsPropagation = name
        let result = try await run(bundle, spec)
        #expect(result.status == 0, "\(result)")
        let root = try #require(result.lines.first { $0.split(separator: " ").dropFirst(4).first == "/" })
        let optional = root.split(separator: " ").dropFirst(6).prefix { $0 != "-" }
        #expect(field.isEmpty ? optional.isEmpty : optional.contains { $0.hasPrefix(field) }, "\(root)")
        let before = try String(contentsOfFile: bundle.folder + "/before", encoding: .utf8)
        #expect(try String(contentsOfFile: bundle.folder + "/after", encoding: .utf8) == before)
        #expect(try FileManager.default.contentsOfDirectory(atPath: bundle.rootfs + "/proc") == [])
    }

    /// As engines have it: the root is a mount of its own, and the folder is in the host's root itself.
    @Test(arguments: ["shared", "rshared"])
    func `lets what is mounted in a shared folder show on the host`(name: String) async throws {
        let bundle = try ContainerBundle()
        let folder = bundle.folder + "/shared"
        try FileManager.default.createDirectory(atPath: folder + "/new", withIntermediateDirectories: true)
        var spec = ContainerBundle.spec("mount", "-t", "tmpfs", "added", "/mnt/new")
        spec.linux?.rootfsPropagation = name
        spec.linux?.seccomp = nil
        spec.process?.capabilities?.bounding?.append("CAP_SYS_ADMIN")
        spec.process?.capabilities?.permitted?.append("CAP_SYS_ADMIN")
        spec.process?.capabilities?.effective?.append("CAP_SYS_ADMIN")
        spec.mounts?.append(
            Spec.Mount(destination: "/mnt", type: "bind", source: folder, options: ["rbind", "rshared"]))
        let result = try await run(bundle, spec, before: "mount --bind \(bundle.rootfs) \(bundle.rootfs)")
        #expect(result.status == 0, "\(result)")
        let before = try String(contentsOfFile: bundle.folder + "/before", encoding: .utf8)
        let after = try String(contentsOfFile: bundle.folder + "/after", encoding: .utf8)
        let added = after.dropFirst(before.count).split(separator: "\n").map { $0.split(separator: " ")[4] }
        #expect(after.hasPrefix(before) && added.map(String.init) == [folder + "/new"], "\(after)")
    }
}

@Suite("the working directory of a container")
struct WorkingDirectoryTests {
    @Test func `is made where the image has none, also below a read-only root`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("pwd; stat -c '%a %u' .") {
            $0.process?.cwd = "/srv/./new//place"
            $0.root?.readonly = true
            $0.process?.user = Spec.User(uid: 1000, gid: 1000)
        }
        #expect(result.lines == ["/srv/new/place", "755 0"], "\(result)")
    }

    @Test func `is never made outside of the root`() async throws {
        let bundle = try ContainerBundle()
        let outside = NSTemporaryDirectory() + "swrun-outside-\(UUID().uuidString.prefix(8))"
        try bundle.link("escape", to: "../../../../../../../../../../\(outside)")
        let result = try await bundle.shell("pwd -P") { $0.process?.cwd = "/escape/new" }
        #expect(!FileManager.default.fileExists(atPath: outside))
        #expect(result.output.hasSuffix("\(outside)/new") || result.status == 1, "\(result)")
    }

    @Test func `that cannot be made is named`() async throws {
        let bundle = try ContainerBundle()
        try bundle.write("", to: "file")
        for path in ["/file/below", "/proc/nothing", "/dev/null"] {
            let result = try await bundle.shell("true") { $0.process?.cwd = path }
            #expect(result.status == 1 && result.errors.contains("process.cwd) \(path)"), "\(result)")
        }
    }
}

@Suite("file systems of a container's own")
struct OwnFileSystemTests {
    @Test func `a tmpfs has the mode of the directory that it hides, unless it is told another`() async throws {
        let bundle = try ContainerBundle()
        for name in ["a", "b"] {
            try FileManager.default.createDirectory(
                atPath: "\(bundle.rootfs)/\(name)", withIntermediateDirectories: true)
            chmod("\(bundle.rootfs)/\(name)", 0o2710)
        }
        let result = try await bundle.shell("stat -c %a /a /b /new/c") { spec in
            spec.mounts? += [
                Spec.Mount(destination: "/a", type: "tmpfs", source: "tmpfs"),
                Spec.Mount(destination: "/b", type: "tmpfs", source: "tmpfs", options: ["mode=1500"]),
                Spec.Mount(destination: "/new/c", type: "tmpfs", source: "tmpfs"),
            ]
        }
        #expect(result.lines == ["2710", "1500", "1777"], "\(result)")
    }

    @Test func `a read-only /dev has a console, and what is masked twice is masked once`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell(
            "stat -c %t:%T /dev/console; touch /dev/x || echo no; grep -c ' /tmp ' /proc/self/mounts"
        ) {
            spec in
            spec.process?.terminal = true
            spec.mounts = spec.mounts?.map { mount in
                var mount = mount
                if mount.destination == "/dev" { mount.options?.append("ro") }
                return mount
            }
            spec.linux?.maskedPaths? += ["/tmp", "/tmp/", "/./tmp"]
        }
        #expect(result.lines.first == "88:0" && result.lines.contains("no") && result.lines.last == "1", "\(result)")
    }

    @Test func `a label that nobody would look at is left out, with a word`() async throws {
        guard !FileManager.default.fileExists(atPath: "/sys/fs/selinux/enforce") else {
            return print("skipped: SELinux is enabled")
        }
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("echo ran") {
            $0.linux?.mountLabel = "system_u:object_r:container_file_t:s0"
        }
        #expect(result.output == "ran" && result.errors.contains("linux.mountLabel"), "\(result)")
    }
}
