import Foundation
import RuntimeSpec
import TestSupport
import Testing

@Suite("hostile and broken bundles")
struct HostileTests {
    @Test func `a command that does not exist is 127, one that cannot be executed 126`() async throws {
        let bundle = try ContainerBundle()
        try bundle.write("#!/bin/nosuch\n", to: "bin/script", mode: 0o755)
        try bundle.write("text", to: "etc/plain", mode: 0o755)
        let cases: [(String, Int32, String)] = [
            ("nosuch", 127, "exec: \"nosuch\": executable file not found in $PATH"),
            ("/nosuch", 127, "exec: \"/nosuch\": stat /nosuch: no such file or directory"),
            ("/etc/passwd", 126, "exec: \"/etc/passwd\": permission denied"),
            ("/bin", 126, "exec: \"/bin\": is a directory: permission denied"),
            ("/bin/script", 127, "no such file or directory"),
            ("/etc/plain", 126, "exec format error"),
        ]
        for (command, status, words) in cases {
            let result = try await bundle.run(ContainerBundle.spec(command))
            #expect(result.status == status, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
            #expect(result.errors.split(separator: "\n").count == 1)
        }
    }

    @Test(arguments: ["/proc/self/exe", "/bin/direct", "/bin/script", "/bin/loader"])
    func `the runtime itself is never executed inside`(command: String) async throws {
        let bundle = try ContainerBundle()
        try bundle.link("bin/direct", to: "/proc/self/exe")
        try bundle.write("#! /proc/self/exe --help\n", to: "bin/script", mode: 0o755)
        // A program whose loader is the runtime: the smallest ELF file with a PT_INTERP.
        var elf = [UInt8](repeating: 0, count: 160)
        elf.replaceSubrange(0..<7, with: [0x7F, 0x45, 0x4C, 0x46, 2, 1, 1])
        (elf[16], elf[18], elf[20], elf[32], elf[54], elf[56]) = (3, 62, 1, 64, 56, 1)
        (elf[64], elf[72], elf[96], elf[104]) = (3, 120, 15, 15)
        elf.replaceSubrange(120..<134, with: Array("/proc/self/exe".utf8))
        _ = FileManager.default.createFile(
            atPath: bundle.rootfs + "/bin/loader", contents: Data(elf), attributes: [.posixPermissions: 0o755])
        let result = try await bundle.run(ContainerBundle.spec(command))
        #expect(result.status == 126, "\(result)")
        #expect(result.errors.contains("the container runtime itself"), "\(result)")
    }

    @Test(arguments: ["proc", "sys", "dev"])
    func `a link in the place of proc, sys or dev is refused`(name: String) async throws {
        let bundle = try ContainerBundle()
        let outside = bundle.folder + "/outside"
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        for target in [outside, "../../../../../../../..\(outside)", "/etc"] {
            try bundle.link(name, to: target)
            let result = try await bundle.run(ContainerBundle.spec("true"))
            #expect(result.status == 1)
            #expect(result.errors.contains("at \"/\(name)\" (mounts["), "\(result)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: outside).isEmpty)
        }
    }

    @Test func `a link on the way to a mount stays inside the root`() async throws {
        let bundle = try ContainerBundle()
        let outside = bundle.folder + "/outside"
        try FileManager.default.createDirectory(atPath: outside + "/etc", withIntermediateDirectories: true)
        try bundle.link("etc", to: outside)
        try bundle.link("escape", to: "../../../../../../../..\(outside)")
        let result = try await bundle.shell("ls -d \(outside)/target") { spec in
            spec.mounts? += [
                Spec.Mount(destination: "/escape/target", type: "tmpfs", source: "tmpfs", options: [])
            ]
        }
        // The link leads to a place that does not exist inside, where it is made then, as runc does.
        #expect(result.output == "\(outside)/target", "\(result)")
        #expect(FileManager.default.fileExists(atPath: bundle.rootfs + outside + "/target"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == ["etc"])
        // With the place there inside, the mount lands in it, and not outside.
        let second = try await bundle.shell("touch /escape/target/x; ls \(outside)/target") { spec in
            spec.mounts? += [Spec.Mount(destination: "/escape/target", type: "tmpfs", source: "tmpfs", options: [])]
        }
        #expect(second.output == "x", "\(second)")
        #expect(try FileManager.default.contentsOfDirectory(atPath: outside) == ["etc"])
    }

    @Test func `a working directory has to be there and inside`() async throws {
        let bundle = try ContainerBundle()
        try bundle.write("", to: "inside")
        // Which of its descriptors are directories, and whose, is the runtime's own business: the root may be one.
        for number in 3..<16 {
            try bundle.link("tmp/out\(number)", to: "/proc/self/fd/\(number)")
            for path in ["/tmp/out\(number)", "/proc/self/fd/\(number)/../../.."] {
                let result = try await bundle.shell("cd ../../../../..; ls") { $0.process?.cwd = path }
                if result.status == 0 {
                    #expect(result.output.contains("inside"), "\(path): \(result)")
                } else {
                    #expect(result.status == 1 && result.errors.contains("process.cwd"), "\(path): \(result)")
                }
            }
        }
        let file = try await bundle.shell("pwd") { $0.process?.cwd = "/etc/passwd" }
        #expect(file.status == 1 && file.errors.contains("process.cwd"), "\(file)")
        let result = try await bundle.shell("pwd") { $0.process?.cwd = "/proc/1/cwd/../tmp" }
        #expect(result.output == "/tmp", "\(result)")
    }

    @Test func `what this runtime cannot do is refused by the field's name`() async throws {
        let bundle = try ContainerBundle()
        let cases: [(String, (inout Spec) -> Void)] = [
            (
                "linux.gidMappings",
                {
                    $0.linux?.namespaces?.append(Spec.Linux.Namespace(.user))
                    $0.linux?.uidMappings = [Spec.Linux.IDMapping(containerID: 0, hostID: 100_000, size: 1)]
                }
            ),
            ("linux.timeOffsets", { $0.linux?.timeOffsets = ["monotonic": Spec.Linux.TimeOffset()] }),
            ("process.apparmorProfile", { $0.process?.apparmorProfile = "x" }),
            ("linux.sysctl.kernel.panic", { $0.linux?.sysctl = ["kernel.panic": "1"] }),
            ("linux.sysctl.net/../kernel/panic", { $0.linux?.sysctl = ["net/../kernel/panic": "1"] }),
            ("process.rlimits[0].type", { $0.process?.rlimits = [Spec.Rlimit(type: "RLIMIT_X", soft: 1, hard: 1)] }),
            (
                "mounts[7].options",
                { $0.mounts?.append(Spec.Mount(destination: "/x", type: "bind", source: "/", options: ["idmap"])) }
            ),
        ]
        for (field, change) in cases {
            let result = try await bundle.shell("true", change)
            #expect(result.status == 1)
            // Where there is AppArmor it is the kernel that does not know the profile.
            #expect(result.errors.contains(field), "\(result)")
        }
    }

    @Test func `a step that the kernel refuses is named`() async throws {
        let bundle = try ContainerBundle()
        let cases: [(String, (inout Spec) -> Void)] = [
            (
                #"error mounting "x" to rootfs at "/x" (mounts[7], type nosuchfs): no such device"#,
                {
                    $0.mounts?.append(Spec.Mount(destination: "/x", type: "nosuchfs", source: "x"))
                }
            ),
            (
                #"error mounting "/nosuch/source" to rootfs at "/x" (mounts[7]): no such file"#,
                {
                    $0.mounts?.append(Spec.Mount(destination: "/x", type: "bind", source: "/nosuch/source"))
                }
            ),
            (
                #"error mounting "x" to rootfs at "/x" (mounts[7], type tmpfs)"#,
                {
                    $0.mounts?.append(
                        Spec.Mount(destination: "/x", type: "tmpfs", source: "x", options: ["nosuchoption=1"]))
                }
            ),
            ("nosuchparameter", { $0.linux?.sysctl = ["net.nosuchparameter": "1"] }),
            (
                "join net namespace (linux.namespaces[1].path)",
                {
                    $0.linux?.namespaces?[1].path = "/etc/passwd"
                }
            ),
            ("mount the root", { $0.root?.path = "/nosuch/root" }),
        ]
        for (words, change) in cases {
            let result = try await bundle.shell("true", change)
            #expect(result.status == 1, "\(result)")
            #expect(result.errors.contains(words), "\(result)")
        }
    }

    @Test func `a runtime that is killed leaves no process`() async throws {
        let bundle = try ContainerBundle()
        // At many moments of the start, and while the container runs.
        for delay in stride(from: UInt32(0), to: 24_000, by: 800) {
            let command = try Command(try bundle.words(ContainerBundle.spec("sleep", "4321")))
            usleep(delay)
            await command.stop(SIGKILL)
        }
        let gone = try await eventually {
            try await Command.run(["pgrep", "-f", "^sleep 4321|\(bundle.folder)"]).status == 1
        }
        #expect(gone)
        let mounts = try String(contentsOfFile: "/proc/self/mountinfo", encoding: .utf8)
        #expect(!mounts.contains(bundle.folder))
    }
}
