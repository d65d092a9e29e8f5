import Foundation
import RuntimeSpec
import TestSupport
import Testing

@Suite("a container")
struct ContainerTests {
    @Test func `has the namespaces, identity and mounts of its document`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("sleep 1000") { $0.hostname = "box" }
        let process = try container.processIdentifier
        for kind in ["mnt", "pid", "net", "ipc", "uts", "cgroup"] {
            let inside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/ns/\(kind)")
            let outside = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/ns/\(kind)")
            #expect(inside != outside)
        }
        let name = try await Command.run(["nsenter", "-t", "\(process)", "-u", "uname", "-n"])
        #expect(name.output == "box")
        #expect(try container.status("NSpid").hasSuffix("\t1"))
        #expect(try container.status("NSsid").hasSuffix("\t1"))
        let mounts = try container.mounts()
        #expect(mounts["/proc"]?.type == "proc")
        #expect(mounts["/sys"]?.options.isSuperset(of: ["ro", "nosuid", "nodev", "noexec"]) == true)
        #expect(mounts["/dev"]?.type == "tmpfs")
        #expect(mounts["/dev/pts"]?.type == "devpts")
        #expect(mounts["/dev/shm"]?.options.isSuperset(of: ["rw", "nosuid", "nodev", "noexec"]) == true)
        #expect(mounts["/dev/mqueue"]?.type == "mqueue")
        #expect(mounts["/proc/sys"]?.options.contains("ro") == true)
        #expect(mounts["/proc/kcore"] != nil || !FileManager.default.fileExists(atPath: "/proc/kcore"))
        #expect(mounts.filter { $0.key.hasPrefix("/sys/fs/cgroup") }.allSatisfy { $0.value.options.contains("ro") })
        // Nothing of the host is left.
        #expect(
            mounts.keys.allSatisfy {
                $0 == "/" || $0.hasPrefix("/proc") || $0.hasPrefix("/sys") || $0.hasPrefix("/dev")
            })
        await container.command.stop()
    }

    @Test func `has the capabilities of its document and no others`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("sleep 1000")
        for set in ["CapPrm", "CapEff", "CapBnd"] { #expect(try container.status(set) == "00000000a80425fb") }
        for set in ["CapInh", "CapAmb"] { #expect(try container.status(set) == "0000000000000000") }
        #expect(try container.status("NoNewPrivs") == "1")
        await container.command.stop()
    }

    @Test func `gives an ambient capability to a user who is not root`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("sleep 1000") { spec in
            spec.process?.user = Spec.User(uid: 1000, gid: 1001, umask: 0o077, additionalGids: [5, 7])
            let set = ["CAP_NET_BIND_SERVICE"]
            spec.process?.capabilities = Spec.Capabilities(
                bounding: set, effective: set, inheritable: set, permitted: set, ambient: set)
        }
        for set in ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"] {
            #expect(try container.status(set) == "0000000000000400")
        }
        #expect(try container.status("Uid").split(separator: "\t") == ["1000", "1000", "1000", "1000"])
        #expect(try container.status("Gid").split(separator: "\t") == ["1001", "1001", "1001", "1001"])
        #expect(try container.status("Groups") == "5 7")
        #expect(try container.status("Umask") == "0077")
        await container.command.stop()
    }

    @Test func `passes on exit status, output and environment`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("echo out $A; echo err >&2; exit 42") { $0.process?.env?.append("A=b c") }
        #expect(result.status == 42)
        #expect(result.output == "out b c")
        #expect(result.errors == "err")
    }

    @Test func `gets the signals that its runtime gets`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("trap 'exit 33' TERM; while :; do sleep 0.05; done")
        kill(container.command.processIdentifier, SIGTERM)
        #expect(await container.command.result.status == 33)
    }

    @Test func `leaks no descriptor into the program`() async throws {
        let bundle = try ContainerBundle()
        let container = try await bundle.start("exec sleep 1000")
        let process = try container.processIdentifier
        #expect(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/fd").sorted() == ["0", "1", "2"])
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process)/root") == "/")
        await container.command.stop()
    }

    @Test func `has the usual devices`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell(
            "stat -c '%n %a %t:%T' /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty; echo x > /dev/null; ls -l /dev"
        )
        #expect(
            result.lines.prefix(6) == [
                "/dev/null 666 1:3", "/dev/zero 666 1:5", "/dev/full 666 1:7", "/dev/random 666 1:8",
                "/dev/urandom 666 1:9", "/dev/tty 666 5:0",
            ])
        for link in ["fd -> /proc/self/fd", "stdin -> /proc/self/fd/0", "ptmx -> pts/ptmx"] {
            #expect(result.output.contains(link))
        }
    }

    @Test func `has further devices, sysctls, limits and a read-only root`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell(
            "stat -c '%a %u %t:%T' /dev/net/tun; cat /proc/sys/net/ipv4/ip_unprivileged_port_start; ulimit -n; touch /x || echo no"
        ) { spec in
            spec.linux?.devices = [
                Spec.Linux.Device(type: "c", path: "/dev/net/tun", major: 10, minor: 200, fileMode: 0o640, uid: 7)
            ]
            spec.linux?.sysctl = ["net.ipv4.ip_unprivileged_port_start": "80"]
            spec.process?.rlimits = [Spec.Rlimit(type: "RLIMIT_NOFILE", soft: 99, hard: 100)]
            spec.root?.readonly = true
        }
        #expect(result.lines == ["640 7 a:c8", "80", "99", "no"])
    }

    @Test func `mounts what it is told to`() async throws {
        let bundle = try ContainerBundle()
        try FileManager.default.createDirectory(atPath: bundle.folder + "/data", withIntermediateDirectories: true)
        try "hello".write(toFile: bundle.folder + "/data/file", atomically: true, encoding: .utf8)
        let container = try await bundle.start(
            "cat /a/b/c/file /one /copied/file; touch /a/b/c/x || echo read-only; sleep 1000"
        ) {
            spec in
            spec.mounts? += [
                Spec.Mount(destination: "/a/b/c", type: "bind", source: "data", options: ["rbind", "ro", "nosuid"]),
                Spec.Mount(destination: "/one", type: "bind", source: bundle.folder + "/data/file", options: ["bind"]),
                Spec.Mount(destination: "/copied/..//copied", type: "bind", source: "data", options: ["bind"]),
                Spec.Mount(
                    destination: "/t", type: "tmpfs", source: "tmpfs", options: ["size=4m", "mode=700", "noexec"]),
            ]
        }
        try await container.command.waitForOutput("read-only")
        #expect(container.command.outputSoFar.contains("hellohellohello"))
        let mounts = try container.mounts()
        #expect(mounts["/a/b/c"]?.options.isSuperset(of: ["ro", "nosuid"]) == true)
        #expect(mounts["/one"]?.options.contains("rw") == true)
        #expect(mounts["/t"]?.options.contains("noexec") == true)
        await container.command.stop()
    }

    @Test func `has a terminal of its own`() async throws {
        let bundle = try ContainerBundle()
        let result = try await bundle.shell("tty; stat -c %t:%T /dev/console; echo typed > /dev/console; exit 5") {
            $0.process?.terminal = true
        }
        #expect(result.output == "/dev/pts/0\n88:0\ntyped")
        #expect(result.status == 5)
    }

    @Test func `joins namespaces by path`() async throws {
        let bundle = try ContainerBundle()
        let other = try ContainerBundle()
        let container = try await bundle.start("sleep 1000")
        let process = try container.processIdentifier
        let result = try await other.shell("cat /proc/1/cmdline; echo; sleep 0.1") { spec in
            spec.linux?.namespaces = [
                Spec.Linux.Namespace(.mount), Spec.Linux.Namespace(.network, path: "/proc/\(process)/ns/net"),
                Spec.Linux.Namespace(.pid, path: "/proc/\(process)/ns/pid"), Spec.Linux.Namespace(.cgroup),
            ]
        }
        // It sees the first container's processes.
        #expect(result.output.hasPrefix("sleep\01000") || result.output.contains("sleep 1000"), "\(result)")
        await container.command.stop()
    }

    @Test func `is in a cgroup that goes with it, with its document's limits`() async throws {
        let bundle = try ContainerBundle()
        let name = "swrun-test-\(UUID().uuidString.prefix(8))"
        let container = try await bundle.start("cat /proc/self/cgroup; sleep 1000") { spec in
            spec.linux?.cgroupsPath = "/\(name)/one"
            spec.linux?.resources?.pids = Spec.Linux.Resources.Pids(limit: 17)
        }
        let groups = try String(contentsOfFile: "/proc/\(try container.processIdentifier)/cgroup", encoding: .utf8)
        #expect(groups.contains("/\(name)/one"))
        // Inside, it is the root.
        #expect(!container.command.outputSoFar.contains(name))
        let find = ["find", "/sys/fs/cgroup", "-path", "*/\(name)/one/pids.max"]
        let limit = try await Command.run(find + ["-exec", "cat", "{}", ";"])
        #expect(limit.output == "17")
        kill(container.command.processIdentifier, SIGTERM)
        kill(try container.processIdentifier, SIGKILL)
        #expect(await container.command.result.status == 137)
        #expect(try await Command.run(find).output == "")
        _ = try await Command.run([
            "find", "/sys/fs/cgroup", "-depth", "-type", "d", "-name", name, "-exec", "rmdir", "{}", ";",
        ])
    }

    @Test func `cannot use the host's disks, although it may make nodes`() async throws {
        let bundle = try ContainerBundle()
        try bundle.link("bin/mknod", to: "busybox")
        let result = try await bundle.shell("mknod /dev/disk b 254 0 && cat /dev/disk")
        #expect(result.status != 0)
        #expect(result.errors.contains("Operation not permitted"), "\(result)")
    }

    @Test(arguments: [true, false])
    func `has its document's system call filter`(noNewPrivileges: Bool) async throws {
        let bundle = try ContainerBundle()
        try bundle.link("bin/mkdir", to: "busybox")
        let container = try await bundle.start("mkdir /new; sleep 1000") { spec in
            spec.process?.noNewPrivileges = noNewPrivileges
            spec.linux?.seccomp = Spec.Linux.Seccomp(
                defaultAction: "SCMP_ACT_ALLOW",
                syscalls: [.init(names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 30)])
        }
        #expect(try container.status("Seccomp") == "2")
        #expect(try container.status("NoNewPrivs") == (noNewPrivileges ? "1" : "0"))
        #expect(try await eventually { container.command.errorsSoFar.contains("Read-only file system") })
        await container.command.stop()
    }

    @Test func `protects the runtime's file when it shares files with others`() async throws {
        let bundle = try ContainerBundle()
        let shared = try await bundle.start("sleep 1000") {
            $0.mounts?.append(Spec.Mount(destination: "/x", type: "bind", source: bundle.folder, options: ["bind"]))
        }
        // The mount that the running program is on cannot be written to.
        var fileSystem = statvfs()
        #expect(statvfs("/proc/\(shared.command.processIdentifier)/exe", &fileSystem) == 0)
        #expect(fileSystem.f_flag & UInt(ST_RDONLY) != 0)
        await shared.command.stop()
    }

    @Test func `sees only its own cgroup, also without a cgroup namespace`() async throws {
        let bundle = try ContainerBundle()
        let line =
            "for f in /sys/fs/cgroup/devices /sys/fs/cgroup; do [ -e $f/cgroup.procs ] && cat $f/cgroup.procs && break; done"
        let result = try await bundle.shell("\(line); ls -d /sys/fs/cgroup/swrun /sys/fs/cgroup/devices/swrun") {
            $0.linux?.namespaces?.removeAll { $0.type == .cgroup }
        }
        // Process 1 is in it, and no other cgroup is below.
        #expect(result.lines.first == "1", "\(result)")
        #expect(!result.output.contains("swrun"), "\(result)")
    }
}
