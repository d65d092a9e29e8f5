import Foundation
import TestSupport
import Testing

/// `kill -9` at any moment leaves nothing that the next command does not recognise and clean.
@Suite("crashes")
struct CrashTests {
    /// Runs a command of ours and kills it after so many milliseconds, together with nothing else.
    private func runAndKill(_ host: TestHost, _ line: String, after milliseconds: Double) async throws {
        try await host.shell(
            "\(line) >/dev/null 2>&1 & p=$!; sleep \(String(format: "%.4f", milliseconds / 1000)); kill -9 $p 2>/dev/null; wait $p 2>/dev/null; true"
        )
    }

    /// What is left must not be more than the records of a container that ended: no process, mount, veth or port.
    private func settle(_ host: TestHost) async throws {
        let ids = try await host.box("ps", "-a", "-q").split(separator: "\n").map(String.init)
        if !ids.isEmpty { try await host.must([Products.path("swbox"), "rm", "-f"] + ids) }
    }

    @Test(arguments: 0..<4)
    func `swbox run, in the foreground`(part: Int) async throws {
        try await TestHost.with { host in
            try await host.importTools()
            for step in 0..<8 {
                let moment = Double(part) * 12 + Double(step) * 1.5
                try await runAndKill(
                    host, "\(Products.path("swbox")) run --rm --name crash -p 8080:80 tools sleep 1000", after: moment)
                // Its name and its port are free again for the next.
                let next = try await host.swbox("run", "--rm", "--name", "crash", "-p", "8080:80", "tools", "true")
                #expect(next.status == 0, "killed after \(moment) ms: \(next)")
            }
            try await settle(host)
        }
    }

    @Test(arguments: 0..<4)
    func `swbox run -d`(part: Int) async throws {
        try await TestHost.with { host in
            try await host.importTools()
            for step in 0..<8 {
                let moment = Double(part) * 12 + Double(step) * 1.5
                try await runAndKill(
                    host, "\(Products.path("swbox")) run -d --name crash -p 8080:80 tools sleep 1000", after: moment)
                // It may have got as far as a running container, which then is an ordinary one.
                try await host.swbox("rm", "-f", "crash")
                let next = try await host.swbox("run", "--rm", "--name", "crash", "-p", "8080:80", "tools", "true")
                #expect(next.status == 0, "killed after \(moment) ms: \(next)")
            }
            try await settle(host)
        }
    }

    /// On a machine that has no time a killed process takes its time to die, and so does what it was about to start.
    @Test(arguments: ["", "-d"])
    func `swbox run, on a starved machine, and nobody waits for its end`(flag: String) async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let swbox = Products.path("swbox")
            let script = """
                for i in 1 2 3 4 5 6; do (while :; do :; done) & busy="$busy $!"; done
                for round in $(seq 24); do
                    \(swbox) run \(flag) --rm --name crash -p 8080:80 tools sleep 1000 >/dev/null 2>&1 & p=$!
                    sleep "0.$(printf %03d $((RANDOM % 300)))"
                    kill -9 $p
                    # Handed over before it was killed, a detached container is an ordinary one.
                    [ -z "\(flag)" ] || \(swbox) rm -f crash >/dev/null 2>&1
                    \(swbox) run --rm --name crash -p 8080:80 tools true || echo "round $round: $?"
                done
                kill -9 $busy
                """
            let result = try await host.run(["bash", "-c", script])
            #expect(result.output.isEmpty, "\(result)")
        }
    }

    @Test func `the monitor`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "-p", "8080:80", "tools", "sleep", "1000")
            let container = try await host.processIdentifier(of: "a")
            let monitor = try await host.must(["awk", "/^PPid/ {print $2}", "/proc/\(container)/status"])
            try await host.must(["kill", "-9", monitor])
            let dead = try await eventually { try await host.run(["kill", "-0", "\(container)"]).status != 0 }
            #expect(dead, "a container outlives its supervisor")
            #expect(try await host.box("ps", "-q").isEmpty)
            #expect(try await host.box("ps", "-a").contains("Exited"))
            #expect(try await host.swbox("run", "--rm", "-p", "8080:80", "tools", "true").status == 0)
            try await host.remove("a")
        }
    }

    @Test func `swnet, all its commands`() async throws {
        try await TestHost.with { host in
            let swnet = Products.path("swnet")
            try await host.must(["ip", "netns", "add", "web"])
            for step in 0..<24 {
                let moment = Double(step) * 0.8
                try await runAndKill(host, "\(swnet) create lab --subnet 10.44.0.0/24", after: moment)
                try await host.swnet("create", "lab", "--subnet", "10.44.0.0/24")
                try await runAndKill(host, "\(swnet) connect lab web --ip 10.44.0.9", after: moment)
                try await host.swnet("connect", "lab", "web", "--ip", "10.44.0.9")
                let link = try await host.json(["ip", "-n", "web", "-j", "addr", "show", "dev", "eth0"])[0]
                #expect(link["addr_info"][0]["local"].text == "10.44.0.9", "killed after \(moment) ms: \(link)")
                try await runAndKill(host, "\(swnet) publish web 8000-8100:8000-8100", after: moment)
                try await host.swnet("publish", "web", "8000-8100:8000-8100")
                try await runAndKill(host, "\(swnet) disconnect lab web", after: moment)
                try await host.swnet("disconnect", "lab", "web")
                let links = try await host.json(["ip", "-n", "web", "-j", "link"]).items
                #expect(links.count == 1, "killed after \(moment) ms")
                try await runAndKill(host, "\(swnet) rm lab", after: moment)
                try await host.swnet("rm", "lab")
                #expect(try await host.run(["ip", "link", "show", "dev", "sw-lab"]).status != 0)
            }
            try await host.must(["ip", "netns", "del", "web"])
        }
    }

    @Test func `import`() async throws {
        try await TestHost.with { host in
            for step in 0..<12 {
                try await runAndKill(
                    host, "\(Products.path("swbox")) import \(host.images)/tools.tar tools", after: Double(step) * 12)
                if step % 4 == 3 {
                    try await host.importTools()
                    #expect(try await host.box("run", "--rm", "--net", "none", "tools", "echo", "whole") == "whole")
                    try await host.box("rmi", "tools")
                }
            }
            try await host.importTools()
            // A finished import that the next one took the name from is an image without a name.
            let ids = Set(try await host.box("images", "-q").split(separator: "\n").map(String.init))
            for id in ids { try await host.box("rmi", id) }
            #expect(try await host.must(["sh", "-c", "find /var/lib/swbox -name busybox | wc -l"]) == "0")
        }
    }

    @Test func `a namespace that vanishes and a reboot`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "--ip", "10.44.0.9")
            try await host.net("publish", "web", "8080:80")
            try await host.must(["ip", "netns", "del", "web"])
            // Its address and its port are free for the next.
            try await host.must(["ip", "netns", "add", "next"])
            try await host.net("connect", "lab", "next", "--ip", "10.44.0.9")
            try await host.net("publish", "next", "8080:80")
            try await host.net("disconnect", "lab", "next")
            try await host.must(["ip", "netns", "del", "next"])
            // What a boot takes away: everything in the kernel and under /run. The definitions stay.
            try await host.detach("--name", "a", "--net", "lab", "-p", "8080:80", "tools", "sleep", "1000")
            let pid = try await host.processIdentifier(of: "a")
            let monitor = try await host.must(["awk", "/^PPid/ {print $2}", "/proc/\(pid)/status"])
            try await host.must(["kill", "-9", monitor])
            _ = try await eventually { try await host.run(["kill", "-0", "\(pid)"]).status != 0 }
            try await host.shell("kill -9 $(cat /run/swnet/names/aardvark.pid)")
            try await host.shell(
                "rm -rf /run/swnet /run/swbox; nft delete table inet swnet; ip link del sw-lab; ip link del sw-bridge")
            #expect(try await host.box("ps", "-a").contains("Exited"))
            try await host.detach(
                "--name", "b", "--hostname", "b", "--net", "lab", "-p", "8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("b") == true)
            try await host.remove("a", "b")
        }
    }

    @Test func `another program flushes the ruleset`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "--hostname", "a", "-p", "8080:80", "tools", "whoasks", "80")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("a") == true)
            try await host.must(["nft", "flush", "ruleset"])
            // The next command that changes a network puts everything back, also for those that run.
            try await host.box("run", "--rm", "-p", "9090:80", "tools", "true")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("a") == true)
            try await host.remove("a")
        }
    }
}
