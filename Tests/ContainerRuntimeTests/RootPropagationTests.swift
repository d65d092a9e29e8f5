import Foundation
import RuntimeSpec
import TestSupport
import Testing

@Suite("the propagation of a container's root")
struct RootPropagationTests {
    /// Runs the container in a mount namespace whose mounts are shared, as a distribution's are, and says what that had
    /// before and after.
    private func run(_ bundle: ContainerBundle, _ spec: Spec) async throws -> CommandResult {
        let words = try bundle.words(spec).map { "'\($0)'" }.joined(separator: " ")
        return try await Command.run([
            "unshare", "-m", "--propagation", "private", "sh", "-c",
            """
            mount --make-rshared / && cat /proc/self/mountinfo >\(bundle.folder)/before
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
