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
