import Foundation
import TestSupport
import Testing

@Suite("options of run")
struct RunOptionTests {
    @Test func `environment, working directory, user, host name, entry point`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let run = { (words: [String]) in
                try await host.must([Products.path("swbox"), "run", "--rm", "--net", "none"] + words)
            }
            let environment = try await run(["-e", "A=1", "--env", "B=two words", "-e", "HOME", "tools", "env"])
            #expect(environment.contains("A=1") && environment.contains("B=two words"))
            #expect(
                environment.contains("HOME=/root") && environment.contains("PATH=/usr/local/sbin:"), "\(environment)")
            #expect(try await run(["-w", "/srv", "tools", "pwd"]) == "/srv")
            #expect(try await run(["-w", "/made/for/it", "tools", "pwd"]) == "/made/for/it")
            #expect(try await run(["-u", "alice", "tools", "id"]).contains("uid=1000(alice) gid=1000(alice)"))
            #expect(try await run(["-u", "alice", "tools", "id", "-G"]).contains("10"))
            #expect(try await run(["-u", "1234:10", "tools", "id"]).contains("uid=1234 gid=10(wheel)"))
            #expect(try await run(["--hostname", "box1", "tools", "hostname"]) == "box1")
            #expect(try await run(["--hostname", "box1", "tools", "cat", "/etc/hostname"]) == "box1")
            #expect(try await run(["--entrypoint", "echo", "tools", "a", "b"]) == "a b")
            let id = try await run(["tools", "hostname"])
            #expect(id.count == 12 && id.allSatisfy { $0.isHexDigit }, "\(id)")
        }
    }

    @Test func `hosts and resolv_conf`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let text = try await host.box(
                "run", "--rm", "--hostname", "box1", "tools", "sh", "-c", "cat /etc/hosts; ip -o -4 addr show eth0")
            let address = try #require(text.components(separatedBy: "inet ").last?.split(separator: "/").first)
            #expect(text.contains("127.0.0.1\tlocalhost") || text.contains("127.0.0.1 localhost"), "\(text)")
            let own = text.components(separatedBy: "\n").first { $0.hasPrefix(address) }
            #expect(own?.contains("box1") == true, "\(text)")
            let resolver = try await host.box("run", "--rm", "tools", "cat", "/etc/resolv.conf")
            #expect(resolver.contains("nameserver"), "\(resolver)")
            // A name server on the host's loopback is nobody inside a container.
            #expect(!resolver.contains("nameserver 127."), "\(resolver)")
        }
    }

    @Test func `volumes: a folder, a file, read-only, a name`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.shell("mkdir -p /run/data && echo content > /run/data/file")
            let run = { (words: [String]) in
                try await host.run([Products.path("swbox"), "run", "--rm", "--net", "none"] + words)
            }
            let folder = try await run([
                "-v", "/run/data:/mnt/data", "tools", "sh", "-c", "cat /mnt/data/file; echo new > /mnt/data/new",
            ])
            #expect(folder.output == "content", "\(folder)")
            #expect(try await host.must(["cat", "/run/data/new"]) == "new")
            let readOnly = try await run([
                "-v", "/run/data:/data:ro", "tools", "sh", "-c", "cat /data/file && touch /data/x",
            ])
            #expect(
                readOnly.output == "content" && readOnly.status != 0 && readOnly.errors.contains("Read-only"),
                "\(readOnly)")
            let file = try await run(["-v", "/run/data/file:/etc/one", "tools", "cat", "/etc/one"])
            #expect(file.output == "content", "\(file)")
            #expect(try await run(["-v", "store:/data", "tools", "sh", "-c", "echo kept > /data/x"]).status == 0)
            #expect(try await run(["-v", "store:/data", "tools", "cat", "/data/x"]).output == "kept")
        }
    }

    @Test func `a new volume begins with what the image has there, an old one and a bind mount do not`() async throws {
        try await TestHost.with { host in
            try await host.box("load", "-i", "\(host.images)/docker.tar")
            let run = { (words: [String]) in
                try await host.must([Products.path("swbox"), "run", "--rm", "--net", "none", "--entrypoint"] + words)
            }
            // Two layers are one directory, without what the second removes.
            let plain = try await run(["ls", "two:docker", "-lan", "/etc", "/srv"])
            #expect(plain.contains("passwd") && !plain.contains("group") && plain.contains("new"), "\(plain)")
            #expect(try await run(["cat", "-v", "etc:/etc", "two:docker", "/etc/passwd"]).contains("alice"))
            #expect(try await run(["ls", "-v", "etc:/elsewhere", "two:docker", "/elsewhere"]).contains("passwd"))
            let names = try await run(["ls", "-v", "srv:/srv:ro", "two:docker", "/srv"])
            #expect(names == "new", "\(names)")
            // What is done to a volume stays done.
            _ = try await run(["rm", "-u", "root", "-v", "srv:/srv", "two:docker", "/srv/new"])
            #expect(try await run(["ls", "-v", "srv:/srv", "two:docker", "/srv"]).isEmpty)
            #expect(try await run(["ls", "-v", "empty:/srv:nocopy", "two:docker", "/srv"]).isEmpty)
            try await host.must(["mkdir", "/run/empty"])
            #expect(try await run(["ls", "-v", "/run/empty:/srv", "two:docker", "/srv"]).isEmpty)
            // One without a name goes with its container.
            #expect(try await run(["ls", "-v", "/srv", "two:docker", "/srv"]) == "new")
            #expect(try await host.must(["ls", "/var/lib/swbox/volumes"]) == "empty\netc\nsrv")
        }
    }

    /// Debian's and Ubuntu's root file systems have such links, to what their own services make at boot.
    @Test func `links of the image to nowhere say where files belong, and never out of the root`() async throws {
        try await TestHost.with { host in
            try await host.shell(
                """
                mkdir -p /run/l/bin /run/l/etc /run/l/var && cp /bin/busybox /run/l/bin/ && cd /run/l
                for n in sh cat ls readlink; do ln -s busybox bin/$n; done
                ln -s ../run/systemd/resolve/stub-resolv.conf etc/resolv.conf
                ln -s ../../../../../swbox-escape/hosts etc/hosts
                ln -s /run var/run; ln -s loop2 loop1; ln -s loop1 loop2
                tar -cf /run/l.tar .
                """)
            try await host.box("import", "/run/l.tar", "links")
            let run = ["run", "--rm", "--hostname", "box1", "--net", "none"]
            let text = try await host.run(
                [Products.path("swbox")] + run + [
                    "-v", "v:/var/run/data", "links", "sh", "-c",
                    "cat /etc/hosts /swbox-escape/hosts; ls /run /run/systemd/resolve; cat /proc/mounts",
                ])
            #expect(text.status == 0 && text.output.contains("localhost"), "\(text)")
            #expect(text.output.contains("stub-resolv.conf") && text.output.contains(" /run/data "), "\(text)")
            let outside = try await host.shell("ls -d /swbox-escape /run/systemd/resolve/stub-resolv.conf /run/data")
            #expect(outside.output.isEmpty, "\(outside)")
            let loop = try await host.run([Products.path("swbox")] + run + ["-v", "v:/loop1/x", "links", "ls"])
            expectRefusal(loop, status: 125, names: "/loop1/x")
        }
    }

    @Test func `nothing is mounted over proc, whatever the image calls it`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            for place in ["/proc", "/proc/sys", "/proc/../proc/"] {
                let result = try await host.swbox(
                    "run", "--rm", "--net", "none", "-v", "v:\(place)", "tools", "cat", "/proc/1/comm")
                expectRefusal(result, status: 125, names: "/proc")
            }
            try await host.shell("mkdir -p /run/l/bin && ln -s /proc /run/l/innocent && cp /bin/busybox /run/l/bin/ls")
            try await host.must(["tar", "-C", "/run/l", "-cf", "/run/l.tar", "."])
            try await host.box("import", "/run/l.tar", "sly")
            let sly = try await host.swbox("run", "--rm", "--net", "none", "-v", "v:/innocent", "sly", "ls", "/")
            expectRefusal(sly, status: 125, names: "/innocent", "proc")
            #expect(try await host.box("ps", "-aq").isEmpty)
        }
    }

    @Test func `a terminal is a terminal`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let box = Products.path("swbox")
            // script(1) gives the command a terminal, as a person's shell does.
            let typed = try await host.shell(
                "script -qec \"stty rows 33 cols 99; \(box) run --rm -it --net none tools sh -c 'tty; stty size; exit 4'\" /dev/null"
            )
            #expect(
                typed.output.contains("/dev/pts/") && typed.output.contains("33 99")
                    || typed.output.contains("/dev/console"), "\(typed)")
            #expect(typed.output.contains("33 99"), "\(typed)")
            #expect(typed.status == 4, "\(typed)")
            let piped = try await host.swbox("run", "--rm", "-i", "--net", "none", "tools", "tty", input: .text(""))
            #expect(piped.output == "not a tty", "\(piped)")
            let wrong = try await host.swbox("run", "--rm", "-it", "--net", "none", "tools", "true", input: .text(""))
            expectRefusal(wrong, status: 1, names: "TTY")
            try await host.detach("--name", "a", "tools", "sleep", "1000")
            let inside = try await host.shell("script -qec \"\(box) exec -it a tty\" /dev/null")
            #expect(inside.output.contains("/dev/pts/"), "\(inside)")
            try await host.remove("a")
        }
    }

    @Test func `exec joins everything of the container`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "-e", "OWN=1", "-m", "64m", "tools", "sh", "-c", "touch /mark; sleep 1000")
            let number = try await host.processIdentifier(of: "a")
            let line = "for n in cgroup ipc mnt net pid uts; do readlink /proc/self/ns/$n; done"
            let theirs = try await host.shell(
                "for n in cgroup ipc mnt net pid uts; do readlink /proc/\(number)/ns/$n; done"
            ).output
            #expect(try await host.box("exec", "a", "sh", "-c", line) == theirs)
            #expect(try await host.box("exec", "a", "sh", "-c", "echo $OWN; ls /mark") == "1\n/mark")
            #expect(
                try await host.box(
                    "exec", "-e", "MORE=2", "-w", "/srv", "-u", "alice", "a", "sh", "-c", "echo $MORE; pwd; id -u")
                    == "2\n/srv\n1000")
            let status = try await host.box("exec", "a", "cat", "/proc/self/status")
            #expect(status.contains("CapEff:\t00000000a80425fb") && status.contains("Seccomp:\t2"), "\(status)")
            let groups = try await host.box("exec", "a", "cat", "/proc/self/cgroup")
            #expect(
                groups.components(separatedBy: "\n").contains { $0.contains("memory:/") || $0 == "0::/" }, "\(groups)")
            #expect(try await host.swbox("exec", "-i", "a", "cat", input: .text("through")).output == "through")
            expectRefusal(try await host.swbox("exec", "a", "nothing-like-it"), status: 127, names: "nothing-like-it")
            expectRefusal(
                try await host.swbox("exec", "a", "/bin/not-executable"), status: 126, names: "not-executable")
            try await host.remove("a")
        }
    }
}
