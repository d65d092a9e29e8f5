import Foundation
import TestSupport
import Testing

@Suite("swrun: system calls that somebody else answers")
struct RuntimeSeccompTests {
    /// Asks about `mkdir` and the calls that the exec itself needs; everything else is allowed.
    private static let profile = """
        .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/listener.sock", listenerMetadata: "for you",
            syscalls: [{names: ["mkdir", "mkdirat", "getrandom"], action: "SCMP_ACT_NOTIFY"}]}
        """

    private static func asking(_ call: String) -> String {
        profile + " | .linux.seccomp.syscalls[0].names += [\"\(call)\"]"
    }

    /// Takes one listener, writes down what came with it, and answers: directories called `no…` are refused with
    /// EROFS, others are made by the kernel as if nobody had asked (SECCOMP_USER_NOTIF_FLAG_CONTINUE).
    private static let agent = #"""
        import array, fcntl, json, os, socket, struct, sys
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind("/run/listener.sock"); server.listen()
        for number in range(int(sys.argv[1])):
            connection, _ = server.accept()
            data, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(4))
            open(f"/run/agent.{number}", "wb").write(data)
            listener = array.array("i", ancillary[0][2])[0]
            if os.fork() == 0:
                while True:
                    notification = bytearray(80)
                    try:
                        fcntl.ioctl(listener, 0xC0502100, notification)
                    except OSError:
                        os._exit(0)
                    identifier, pid, _ = struct.unpack_from("=QII", notification)
                    call, = struct.unpack_from("=i", notification, 16)
                    first, second = struct.unpack_from("=QQ", notification, 32)
                    error, flags = 0, 1
                    if call in (83, 258):
                        memory = open(f"/proc/{pid}/mem", "rb")
                        memory.seek(first if call == 83 else second)
                        if memory.read(64).split(b"\0")[0].split(b"/")[-1].startswith(b"no"):
                            error, flags = -30, 0
                    try:
                        fcntl.ioctl(listener, 0xC0182101, bytearray(struct.pack("=QqiI", identifier, 0, error, flags)))
                    except OSError:
                        pass
            os.close(listener)
        """#

    private func startAgent(_ host: TestHost, _ listeners: Int) async throws {
        try await host.must(["bash", "-ec", "cat >/run/agent.py <<'END'\n\(Self.agent)\nEND"])
        try await host.must([
            "bash", "-ec",
            """
            python3 /run/agent.py \(listeners) </dev/null >/run/agent.log 2>&1 &
            for i in $(seq 600); do [ -S /run/listener.sock ] && exit; sleep 0.1; done; exit 1
            """,
        ])
    }

    @Test(.enabled(if: isX86, "the agent knows the numbers of x86_64's system calls"), arguments: [true, false])
    func `the listener goes to who asked for it, for the container and for further processes`(
        noNewPrivileges: Bool
    ) async throws {
        try await TestHost.with { host in
            try await startAgent(host, 2)
            let change = Self.profile + " | .process.noNewPrivileges = \(noNewPrivileges)"
            let bundle = try await RuntimeBundle(
                host, "mkdir /tmp/yes && echo made; mkdir /tmp/no || echo refused; exec sleep 1000", change)
            try await host.must(["mkdir", "-p", "/run/bundle/rootfs/tmp"])
            try await bundle.create()
            // Before it says anything itself, into the same file.
            let pid = try #require(try await bundle.state()["pid"].integer)
            try await bundle.must("start", "box")
            try await host.must([
                "bash", "-ec",
                "for i in $(seq 600); do [ -d /run/bundle/rootfs/tmp/yes ] && exit; sleep 0.1; done; exit 1",
            ])
            let told = try JSONValue(try await host.must(["cat", "/run/agent.0"]))
            #expect(told["pid"].integer == pid && told["metadata"].text == "for you", "\(told)")
            #expect(told["fds"].items.compactMap(\.text) == ["seccompFd"])
            #expect(told["state"]["id"].text == "box" && told["state"]["bundle"].text == "/run/bundle")

            let further = try await bundle.swrun("exec", "box", "sh", "-c", "mkdir /tmp/no; mkdir /tmp/two && ls /tmp")
            #expect(further.errors.contains("Read-only file system"), "\(further)")
            #expect(further.lines.contains("two") && !further.lines.contains("no"), "\(further)")
            #expect(try JSONValue(try await host.must(["cat", "/run/agent.1"]))["pid"].integer != pid)
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
            try await host.must(["bash", "-c", "pkill -f '[/]run/agent.py'; true"])
        }
    }

    @Test func `nobody there is an error, and nothing runs`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "touch /ran", Self.profile)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status != 0 && result.errors.contains("/run/listener.sock"), "\(result)")
            try await bundle.create()
            let start = try await bundle.swrun("start", "box")
            #expect(start.status == 1 && start.errors.contains("/run/listener.sock"), "\(start)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await host.shell("test -e /run/bundle/rootfs/ran").status == 1)
            for (change, name) in [
                (Self.profile + " | del(.linux.seccomp.listenerPath)", "linux.seccomp.listenerPath"),
                (Self.profile + #" | .linux.seccomp.listenerPath = "relative""#, "linux.seccomp.listenerPath"),
                (Self.profile + #" | .linux.seccomp.defaultAction = "SCMP_ACT_NOTIFY""#, "linux.seccomp.defaultAction"),
                (Self.asking("sendmsg"), "SCMP_ACT_NOTIFY cannot be used for the sendmsg syscall: "),
                (Self.asking("recvfrom"), "SCMP_ACT_NOTIFY cannot be used for the recvfrom syscall: "),
                (
                    Self.asking("write"),
                    "linux.seccomp.syscalls[0].names: SCMP_ACT_NOTIFY cannot be used for the write syscall: the runtime"
                ),
            ] {
                let bundle = try await RuntimeBundle(host, "true", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test
    func `a call that nobody knows is left out of a list of what is denied, which is said, or refused when asked`()
        async throws
    {
        try await TestHost.with { host in
            let profile = """
                .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
                    syscalls: [{names: ["no_such_call", "mkdir"], action: "SCMP_ACT_ERRNO", errnoRet: 9}]}
                """
            let bundle = try await RuntimeBundle(host, "mkdir /tmp/x", profile)
            let result = try await bundle.swrun("run", "--bundle", RuntimeBundle.folder, "box")
            #expect(result.errors.contains("warning: seccomp: the rule for no_such_call is left out"), "\(result)")
            // The rest of the rule holds.
            #expect(result.status != 0 && result.errors.localizedCaseInsensitiveContains("bad file descriptor"))
            let strict = try await RuntimeBundle(
                host, "true", profile + #" | .annotations = {"run.oci.seccomp_fail_unknown_syscall": "1"}"#)
            expectRefusal(
                try await strict.swrun("run", "--bundle", RuntimeBundle.folder, "box"), status: 1, names: "no_such_call"
            )
            #expect(try await bundle.leftovers() == "")
        }
    }
}

#if arch(x86_64)
private let isX86 = true
#else
private let isX86 = false
#endif
