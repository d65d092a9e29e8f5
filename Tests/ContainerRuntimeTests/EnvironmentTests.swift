import Foundation
import RuntimeSpec
import TestSupport
import Testing

@Suite("what a container's program finds")
struct EnvironmentTests {
    private static func home(uid: UInt32, _ variables: [String] = []) async throws -> String {
        let bundle = try ContainerBundle()
        try bundle.link("bin/env", to: "busybox")
        try bundle.write("root:x:0:0:root:/root:/bin/sh\nbroken\nweb:x:1000:1000::/srv/web:/bin/sh\n", to: "etc/passwd")
        let result = try await bundle.shell("env | grep ^HOME=") {
            $0.process?.user = Spec.User(uid: uid, gid: uid)
            $0.process?.env? += variables
        }
        // With the reason of a failure, where there is one.
        return result.status == 0 ? result.output : "\(result)"
    }

    @Test func `HOME is the user's, unless the document says otherwise`() async throws {
        #expect(try await Self.home(uid: 0) == "HOME=/root")
        #expect(try await Self.home(uid: 1000) == "HOME=/srv/web")
        #expect(try await Self.home(uid: 77) == "HOME=/")
        #expect(try await Self.home(uid: 1000, ["HOME=/mine"]) == "HOME=/mine")
        #expect(try await Self.home(uid: 1000, ["HOME=/mine", "HOME="]) == "HOME=/srv/web")
    }

    @Test func `a variable comes once, and the last counts`() async throws {
        let bundle = try ContainerBundle()
        try bundle.link("bin/env", to: "busybox")
        var spec = ContainerBundle.spec("env")
        spec.process?.env = ["ONE=two", "PATH=/nowhere", "ONE=", "PATH=/bin"]
        let result = try await bundle.run(spec)
        #expect(result.lines == ["ONE=", "PATH=/bin", "HOME=/root"], "\(result)")
    }

    @Test(arguments: ["fifo", "link", "directory", "endless"])
    func `a hostile passwd file harms nobody`(kind: String) async throws {
        let bundle = try ContainerBundle()
        let path = bundle.rootfs + "/etc/passwd"
        try FileManager.default.removeItem(atPath: path)
        switch kind {
        case "fifo": #expect(mkfifo(path, 0o666) == 0)
        case "link": try bundle.link("etc/passwd", to: "/proc/self/fd/0")
        case "directory": try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        default:
            #expect(FileManager.default.createFile(atPath: path, contents: nil))
            #expect(truncate(path, 1 << 40) == 0)
        }
        let result = try await bundle.shell("echo $HOME")
        #expect(result.status == 0 && result.output == "/", "\(result)")
    }

    @Test func `a user may open the pipes that are standard output and error`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("echo out >/dev/stdout; echo err >/dev/stderr") {
            $0.process?.user = Spec.User(uid: 1000, gid: 1001)
        }
        #expect(result.output == "out" && result.errors == "err", "\(result)")
    }

    @Test func `a file of the host that is standard input stays whose it is`() async throws {
        let bundle = try ContainerBundle()
        let file = bundle.folder + "/secret"
        try "x".write(toFile: file, atomically: true, encoding: .utf8)
        var spec = ContainerBundle.spec("cat")
        spec.process?.user = Spec.User(uid: 1000, gid: 1001)
        let words = try bundle.words(spec).map { "'\($0)'" }.joined(separator: " ")
        let result = try await Command.run([
            "sh", "-c", "\(words) <\(file) >\(bundle.folder)/out; stat -c %u:%g \(file) /dev/null",
        ])
        #expect(result.lines == ["0:0", "0:0"], "\(result)")
        #expect(try String(contentsOfFile: bundle.folder + "/out", encoding: .utf8) == "x")
    }

    @Test(arguments: [true, false])
    func `the runtime's groups are kept when the document says so`(isKept: Bool) async throws {
        let bundle = try ContainerBundle()
        var spec = ContainerBundle.spec("sh", "-c", "grep ^Groups: /proc/self/status")
        spec.annotations = ["run.oci.keep_original_groups": isKept ? "1" : "0"]
        spec.process?.user = Spec.User(uid: 1000, gid: 1000, additionalGids: [9])
        let result = try await Command.run(["setpriv", "--groups", "5,7"] + (try bundle.words(spec)))
        #expect(
            result.output.split(whereSeparator: \.isWhitespace).dropFirst() == (isKept ? ["5", "7"] : ["9"]),
            "\(result)")
    }

    @Test func `a program that only its capability lets execute is executed`() async throws {
        let bundle = try ContainerBundle()
        try bundle.copy("/bin/busybox", to: "bin/true")
        chmod(bundle.rootfs + "/bin/true", 0o700)
        var spec = ContainerBundle.spec("/bin/true")
        spec.process?.user = Spec.User(uid: 1000, gid: 1000)
        let with = try await bundle.run(spec)
        #expect(with.status == 0, "\(with)")
        spec.process?.capabilities = Spec.Capabilities(bounding: ["CAP_DAC_OVERRIDE"])
        let without = try await bundle.run(spec)
        #expect(without.status == 126 && without.errors.contains("permission denied"), "\(without)")
    }

    @Test func `a bind is shown to a user namespace that could not come there`() async throws {
        let bundle = try ContainerBundle()
        let manager = FileManager.default
        try manager.createDirectory(atPath: bundle.folder + "/closed/data", withIntermediateDirectories: true)
        try "shown".write(toFile: bundle.folder + "/closed/data/file", atomically: true, encoding: .utf8)
        chmod(bundle.folder + "/closed", 0o700)
        chmod(bundle.folder, 0o755)
        // Its superuser makes the places of mounts.
        _ = try await Command.run(["chown", "-R", "100000:100000", bundle.rootfs])
        let result = try await bundle.shell("cat /data/file; ls -ld /data/.. | grep -c closed") { spec in
            spec.linux?.namespaces?.append(Spec.Linux.Namespace(.user))
            let map = [Spec.Linux.IDMapping(containerID: 0, hostID: 100_000, size: 1000)]
            spec.linux?.uidMappings = map
            spec.linux?.gidMappings = map
            spec.mounts?.append(
                Spec.Mount(destination: "/data", type: "bind", source: "closed/data", options: ["bind"]))
        }
        #expect(result.lines == ["shown0"], "\(result)")
    }

    @Test func `a bind of what is mounted in the container shows that`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("touch /first/made; ls /second") { spec in
            spec.mounts? += [
                Spec.Mount(destination: "/first", type: "tmpfs", source: "tmpfs"),
                Spec.Mount(destination: "/second", type: "bind", source: bundle.rootfs + "/first", options: ["bind"]),
            ]
        }
        #expect(result.output == "made", "\(result)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: bundle.rootfs + "/first") == [])
    }

    @Test func `a user namespace without maps is one of the same users`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("sleep 1000") {
            $0.linux?.namespaces?.append(Spec.Linux.Namespace(.user))
        }
        let process = try container.processIdentifier
        let map = try String(contentsOfFile: "/proc/\(process)/uid_map", encoding: .utf8)
        #expect(map.split(separator: " ").map { $0.trimmingCharacters(in: .newlines) } == ["0", "0", "4294967295"])
        let inside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/user")
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/user") != inside)
        await container.command.stop()
    }
}
