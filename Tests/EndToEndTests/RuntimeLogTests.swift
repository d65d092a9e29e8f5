import Foundation
import TestSupport
import Testing

@Suite("swrun: what it says of itself")
struct RuntimeLogTests {
    /// The parts of a container's way that people look for in runc's log.
    private static let ways = [
        "nsexec container setup", "child process in init()", "init: closing the pipe to signal completion",
    ]

    @Test func `a log that cannot be written is an error`() async throws {
        try await TestHost.with { host in
            for log in ["/nowhere/log", "/run", "invalid:/log"] {
                expectRefusal(
                    try await host.run([Products.path("swrun"), "--log", log, "list"]), status: 1, names: log)
            }
        }
    }

    @Test func `a warning is in the log, and not among what the program says`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "echo said", #".process.capabilities.bounding += ["CAP_UNKNOWN"]"#)
            let words = "ignoring unknown or unavailable capabilities: [CAP_UNKNOWN]"
            let plain = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(plain.output == "said" && plain.errors.contains(words), "\(plain)")
            let logged = try await bundle.swrun("--log", "/run/log", "run", "--bundle", "/run/bundle", "box")
            #expect(logged.output == "said" && logged.errors == "", "\(logged)")
            let log = try await host.must(["cat", "/run/log"])
            #expect(log.contains("level=warning") && log.contains(words), "\(log)")
        }
    }

    /// `heard SOCKET COUNT` listens, and writes each datagram to /run/heard as Python does a string. /dev is one's own.
    private static let listening = #"""
        set -u
        mkdir -p /run/dev /run/systemd/journal
        for node in null zero full random urandom tty; do touch /run/dev/$node; mount --bind /dev/$node /run/dev/$node; done
        mount --rbind /run/dev /dev
        heard() {
            python3 -c 'import socket, sys
        s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); s.settimeout(30)
        for _ in range(int(sys.argv[2])): print(repr(s.recv(1 << 17).decode()))' "$1" "$2" >/run/heard &
            until [ -S "$1" ]; do sleep 0.05; done
        }
        swrun() { "\#(Products.path("swrun"))" "$@" >>/run/said 2>&1; }

        """#

    @Test func `syslog gets what goes wrong, with its level, from the container or whom it is named after`()
        async throws
    {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", #".process.capabilities.bounding += ["CAP_UNKNOWN"]"#)
            let script = #"""
                heard /dev/log 5
                swrun --log syslog: state box
                swrun --log syslog:engine --log-format json state box
                swrun --log syslog:engine run --bundle /run/bundle box; echo "run $?" >>/run/said
                swrun --log syslog: spec --bundle /nowhere
                swrun --log syslog: --debug list
                wait
                cat /run/said /run/heard
                """#
            let lines = try await host.run(["unshare", "-m", "bash", "-c", Self.listening + script]).lines
            let unknown = "container does not exist"
            // Errors are on standard error as well, a warning is not.
            #expect(lines.filter { $0.hasSuffix(unknown) }.count == 2 && lines.contains("run 0"), "\(lines)")
            let heard = lines.filter { $0.hasPrefix("'<") }
            try #require(heard.count == 5, "\(lines)")
            #expect(heard[0] == "'<11>box: \(unknown)'")
            #expect(heard[1].hasPrefix(#"'<11>engine: {"level":"error","msg":"\#(unknown)","time":""#), "\(heard)")
            #expect(heard[2].hasPrefix("'<12>engine: ") && heard[2].contains("[CAP_UNKNOWN]"), "\(heard)")
            #expect(heard[3].hasPrefix("'<11>swrun: "), "\(heard)")
            #expect(heard[4] == "'<15>swrun: containers are remembered in /run/swrun'", "\(heard)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `the journal gets fields, and a service that is not there loses nothing`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", #".process.capabilities.bounding += ["CAP_UNKNOWN"]"#)
            let script = #"""
                socket=/run/systemd/journal/socket
                heard $socket 3
                swrun --log journald: state box
                swrun --log journald:engine exec --user 5:5 box id
                swrun --log journald:engine list a
                wait
                rm $socket; echo without >>/run/said
                swrun --log journald:engine run --bundle /run/bundle box; echo "run $?" >>/run/said
                swrun --log syslog:engine state box; echo "state $?" >>/run/said
                cat /run/heard /run/said
                """#
            let lines = try await host.run(["unshare", "-m", "bash", "-c", Self.listening + script]).lines
            let unknown = "container does not exist"
            #expect(lines.first == #"'MESSAGE=\#(unknown)\nPRIORITY=3\nSYSLOG_IDENTIFIER=box\nID=box\n'"#, "\(lines)")
            try #require(lines.count > 3, "\(lines)")
            #expect(lines[1].hasSuffix(#"PRIORITY=3\nSYSLOG_IDENTIFIER=engine\nID=box\n'"#), "\(lines)")
            #expect(lines[2].hasSuffix(#"PRIORITY=3\nSYSLOG_IDENTIFIER=engine\nID=a\n'"#), "\(lines)")
            let without = lines.split(separator: "without").last.map(Array.init) ?? []
            #expect(without.first?.contains("[CAP_UNKNOWN]") == true, "\(lines)")
            #expect(without.dropFirst() == ["run 0", "swrun: \(unknown)", "state 1"], "\(lines)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `--log-level leaves out warnings, or says each step`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "echo said", #".process.capabilities.bounding += ["CAP_UNKNOWN"]"#)
            func run(_ level: String) async throws -> CommandResult {
                try await bundle.swrun("--log-level", level, "run", "--bundle", "/run/bundle", "box")
            }
            let (quiet, usual, debug) = (try await run("error"), try await run("warning"), try await run("debug"))
            #expect(quiet.output == "said" && quiet.errors == "", "\(quiet)")
            #expect(usual.lines.first == "said" && usual.errors.contains("[CAP_UNKNOWN]"), "\(usual)")
            #expect(debug.errors.contains("level=debug") && debug.errors.contains(Self.ways[0]), "\(debug)")
            expectRefusal(try await run("loud"), status: 1, names: "log-level", "loud")
        }
    }

    @Test func `--debug says each step on standard error, where the program's own output is not`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "echo the program")
            let quiet = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(quiet.errors == "", "\(quiet)")
            let result = try await host.run([
                Products.path("swrun"), "--debug", "run", "--bundle", "/run/bundle", "box",
            ])
            #expect(result.status == 0 && result.output == "the program", "\(result)")
            for way in Self.ways {
                #expect(
                    result.errors.contains(#/(?m)^time="[^"]*" level=debug msg=".*$/#) && result.errors.contains(way))
            }
        }
    }

    @Test(arguments: ["text", "json"])
    func `--debug writes to the log where there is one`(format: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "echo the program")
            let result = try await host.run([
                Products.path("swrun"), "--debug", "--log", "/run/log", "--log-format", format, "run", "--bundle",
                "/run/bundle", "box",
            ])
            #expect(result.status == 0 && result.output == "the program" && result.errors == "", "\(result)")
            let log = try await host.must(["cat", "/run/log"])
            for way in Self.ways { #expect(log.contains(way)) }
            for line in log.split(separator: "\n") {
                guard format == "json" else {
                    #expect(line.contains(" level=debug msg="))
                    continue
                }
                let entry = try JSONValue(String(line))
                #expect(entry["level"].text == "debug" && entry["msg"].text?.isEmpty == false, "\(line)")
            }
            _ = bundle
        }
    }

    @Test func `--debug tells the flags of a filter, and the processors that a process begins with`() async throws {
        try await TestHost.with { host in
            let seccomp =
                #".linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"]}"#
            let affinity = #".process.execCPUAffinity = {initial: "0"}"#
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", "\(seccomp) | \(affinity)")
            try await bundle.create()
            try await bundle.must("start", "box")
            let result = try await host.run([Products.path("swrun"), "--debug", "exec", "box", "true"])
            for words in [
                "msg=\"seccomp filter flags: 2\"", "nsexec: affinity: 0x1", "nsexec container setup",
                "child process in init()", "setns_init: about to exec true",
            ] { #expect(result.errors.contains(words), "\(result)") }
            let end = try await host.run([Products.path("swrun"), "--debug", "delete", "--force", "box"])
            #expect(end.errors.contains("box is removed"), "\(end)")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
