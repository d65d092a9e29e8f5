import Foundation
import TestSupport
import Testing

@Suite("a container's life")
struct LifecycleTests {
    @Test(
        arguments: [
            (["true"], 0), (["false"], 1), (["sh", "-c", "exit 3"], 3),
            (["sh", "-c", "sh -c 'kill -TERM $$'; exit $?"], 143), (["no-such-command"], 127),
            (["/bin/not-executable"], 126),
            (["/bin"], 126),
            (["/bin/no-interpreter"], 127),
        ] as [([String], Int32)])
    func `the exit code is the command's, or says why it did not run`(command: [String], status: Int32) async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let result = try await host.run(
                [Products.path("swbox"), "run", "--rm", "--net", "none", "tools"] + command)
            #expect(result.status == status, "\(result)")
            if status == 126 || status == 127 {
                expectRefusal(result, status: status, names: command[0])
            }
        }
    }

    @Test func `a foreground container killed from outside exits with 128 and the signal`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let run = try host.start([Products.path("swbox"), "run", "--rm", "--name", "a", "tools", "sleep", "1000"])
            #expect(try await eventually { try await host.swbox("inspect", "a").status == 0 })
            _ = try await eventually { (try? await host.processIdentifier(of: "a")) != nil }
            try await host.box("kill", "a")
            let result = await run.result
            #expect(result.status == 137, "\(result)")
            #expect(try await host.swbox("inspect", "a").status != 0)
        }
    }

    @Test func `output, errors and input go through untouched`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let result = try await host.swbox(
                "run", "--rm", "-i", "--net", "none", "tools", "sh", "-c", "cat; echo wrong >&2",
                input: .text("line 1\nline 2"))
            #expect(result.standardOutput == "line 1\nline 2" && result.errors == "wrong", "\(result)")
            // Without -i there is nothing to read.
            let closed = try await host.swbox("run", "--rm", "--net", "none", "tools", "cat", input: .text("secret"))
            #expect(closed.standardOutput == "" && closed.status == 0, "\(closed)")
            let large = try await host.swbox("run", "--rm", "--net", "none", "tools", "sh", "-c", "seq 1 200000")
            #expect(large.lines.count == 200_000 && large.lines.last == "200000")
        }
    }

    /// A person reads with `less`, or stops swbox with Ctrl-Z: the container can be signalled and removed all the same.
    @Test func `a reader that takes nothing and a supervisor that is stopped are in nobody's way`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let swbox = Products.path("swbox")
            let script = """
                mkfifo /run/slow
                sleep 1000 </run/slow & reader=$!
                begin() {
                    \(swbox) run --rm --name slow -p 8080:80 tools sh -c "$1" >/run/slow & p=$!
                    until \(swbox) ps | grep -q slow; do sleep 0.05; done
                    sleep 0.5
                }
                begin 'trap "exit 5" TERM; yes & wait'
                kill -TERM $p
                # Its end is not kept from anybody by what was not read.
                for try in $(seq 600); do \(swbox) ps -a | grep -q slow || break; sleep 0.05; done
                \(swbox) ps -aq
                kill -INT $p; wait $p; echo "term $?"
                begin yes
                \(swbox) rm -f slow
                kill -INT $p; wait $p; echo "removed $?"
                begin yes
                kill -STOP $p
                \(swbox) rm -f slow
                kill -INT $p; wait $p; echo "stopped $?"
                kill $reader
                """
            let result = try await host.run(["bash", "-c", script])
            let lines = result.lines.filter { !$0.isEmpty && !$0.contains("forwarding") }
            #expect(lines == ["term 5", "slow", "removed 137", "slow", "stopped 137"], "\(result)")
        }
    }

    @Test func `every byte arrives at a slow reader, a file and a socket`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let run = "\(Products.path("swbox")) run --rm --net none tools seq 1 100000"
            let wanted = try await host.shell("seq 1 100000 | sha256sum").output
            #expect(try await host.shell("\(run) | (sleep 1; sha256sum)").output == wanted)
            #expect(try await host.shell("\(run) > /run/all; sha256sum < /run/all").output == wanted)
            #expect(try await host.shell("socat -u EXEC:'\(run)' - | sha256sum").output == wanted)
            // What a command of exec leaves running is not waited for.
            try await host.detach("--name", "a", "--net", "none", "tools", "sleep", "1000")
            let left = try await host.shell(
                "\(Products.path("swbox")) exec a sh -c 'yes & sleep 0.1; exit 3' >/dev/null")
            #expect(left.status == 3, "\(left)")
            try await host.remove("a")
        }
    }

    @Test func `detached: ps, logs, exec, stop, start of the name again`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let id = try await host.detach(
                "--name", "web", "-p", "8080:80", "tools", "sh", "-c",
                "echo first; echo problem >&2; trap 'echo bye; exit 7' TERM; while :; do sleep 0.1; done")
            let ps = try await host.box("ps")
            let row = try #require(ps.components(separatedBy: "\n").dropFirst().first, "\(ps)")
            for column in ["CONTAINER ID", "IMAGE", "COMMAND", "CREATED", "STATUS", "PORTS", "NAMES"] {
                #expect(ps.contains(column), "\(ps)")
            }
            #expect(row.hasPrefix(id.prefix(12)) && row.contains("tools") && row.contains("Up "), "\(row)")
            #expect(row.contains("8080->80/tcp") && row.hasSuffix("web"), "\(row)")
            #expect(try await eventually { try await host.box("logs", "web").contains("first") })
            let logs = try await host.swbox("logs", "web")
            #expect(logs.output == "first" && logs.errors == "problem", "\(logs)")
            #expect(try await host.box("exec", "web", "sh", "-c", "echo in $HOSTNAME; exit 0").contains("in "))
            #expect(try await host.swbox("exec", "web", "sh", "-c", "exit 5").status == 5)
            let taken = try await host.swbox("run", "-d", "--name", "web", "tools", "true")
            expectRefusal(taken, status: 125, names: "web")
            #expect(try await host.box("stop", "web") == "web")
            #expect(try await host.run([Products.path("swbox"), "ps"]).lines.count == 1)
            let all = try await host.box("ps", "-a")
            #expect(all.contains("Exited (7)"), "\(all)")
            #expect(try await host.box("logs", "web").contains("bye"))
            // A container that has ended still has its name, its log and nothing of the network.
            #expect(try await host.elements("published4") == 0)
            #expect(try await host.box("rm", "web") == "web")
            #expect(try await host.box("ps", "-a", "-q").isEmpty)
        }
    }

    @Test func `logs -f follows to the end`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach(
                "--name", "a", "tools", "sh", "-c", "for i in 1 2 3 4 5; do echo line $i; sleep 0.1; done")
            let follow = try await host.swbox("logs", "-f", "a", timeout: 10)
            #expect(follow.lines == (1...5).map { "line \($0)" }, "\(follow)")
            #expect(follow.status == 0)
            try await host.box("rm", "a")
        }
    }

    @Test func `--rm removes a detached container when it ends`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--rm", "--name", "a", "-p", "8080:80", "tools", "sleep", "0.2")
            let gone = try await eventually { try await host.box("ps", "-a", "-q").isEmpty }
            #expect(gone)
        }
    }

    @Test func `stop waits its time and then kills; kill sends what it is told`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            // The first process of a pid namespace ignores every signal that it has no handler for.
            try await host.detach("--name", "deaf", "tools", "sleep", "1000")
            let stop = try await host.swbox("stop", "-t", "1", "deaf")
            #expect(stop.status == 0 && stop.seconds > 0.9 && stop.seconds < 8, "\(stop)")
            #expect(try await host.box("ps", "-a").contains("Exited (137)"))
            try await host.box("rm", "deaf")

            try await host.detach(
                "--name", "hears", "tools", "sh", "-c", "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.1; done"
            )
            #expect(try await eventually { try await host.box("logs", "hears").contains("ready") })
            try await host.box("kill", "-s", "USR1", "hears")
            #expect(try await eventually { try await host.box("logs", "hears").contains("usr1") })
            try await host.box("kill", "--signal", "SIGKILL", "hears")
            #expect(try await eventually { try await host.box("ps", "-a").contains("Exited (137)") })
            try await host.box("rm", "hears")
        }
    }

    @Test func `rm refuses a running container and rm -f takes it`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let id = try await host.detach("--name", "a", "tools", "sleep", "1000")
            expectRefusal(try await host.swbox("rm", "a"), status: 1, names: "a")
            // Part of the id is enough when it is unique.
            try await host.box("rm", "-f", String(id.prefix(6)))
            #expect(try await host.box("ps", "-aq").isEmpty)
        }
    }

    @Test func `many containers at once`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let names = (1...12).map { "c\($0)" }
            let started = try await withThrowingTaskGroup(of: CommandResult.self) { group in
                for (index, name) in names.enumerated() {
                    group.addTask {
                        try await host.swbox(
                            "run", "-d", "--name", name, "-p", "\(9000 + index):80", "tools", "sleep", "1000",
                            timeout: 60)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(started.allSatisfy { $0.status == 0 && !$0.heldOpen }, "\(started.filter { $0.status != 0 })")
            var addresses: Set<String> = []
            for name in names { addresses.insert(try await host.addresses(of: name).v4) }
            #expect(addresses.count == names.count)
            try await host.must([Products.path("swbox"), "rm", "-f"] + names)
        }
    }

    @Test func `inspect says what the kernel says`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            let id = try await host.detach(
                "--name", "a", "-p", "127.0.0.1:8080:80", "-e", "A=b", "tools", "sleep", "1000")
            let document = try JSONValue(await host.box("inspect", "a"))[0]
            #expect(document["Id"].text == id && document["Name"].text == "/a")
            #expect(document["State"]["Running"].isTrue && document["State"]["Status"].text == "running")
            #expect(document["Config"]["Env"].items.contains(.string("A=b")))
            let pid = try #require(document["State"]["Pid"].integer)
            #expect(try await host.must(["cat", "/proc/\(pid)/comm"]) == "sleep")
            let addresses = try await host.addresses(of: "a")
            let network = document["NetworkSettings"]["Networks"]["bridge"]
            #expect(network["IPAddress"].text == addresses.v4, "\(document["NetworkSettings"])")
            let binding = document["NetworkSettings"]["Ports"]["80/tcp"][0]
            #expect(binding["HostIp"].text == "127.0.0.1" && binding["HostPort"].text == "8080")
            let link = try JSONValue(
                await host.inside("a", ["ip", "-j", "link", "show", "dev", "eth0"]).standardOutput)[0]
            #expect(network["MacAddress"].text == link["address"].text)
            try await host.remove("a")
        }
    }

    @Test func `the monitor of a detached container needs at most 1_5 MB of its own`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "tools", "sleep", "1000")
            let container = try await host.processIdentifier(of: "a")
            let parent = try await host.must(["awk", "/^PPid/ {print $2}", "/proc/\(container)/status"])
            #expect(try await host.must(["cat", "/proc/\(parent)/comm"]).hasPrefix("swbox"))
            let kilobytes = try await host.must([
                "awk", "/^Private_/ {s += $2} END {print s}", "/proc/\(parent)/smaps_rollup",
            ])
            #expect(try #require(Int(kilobytes)) <= 1536)
            try await host.remove("a")
        }
    }
}
