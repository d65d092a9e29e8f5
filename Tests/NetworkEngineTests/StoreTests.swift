import TestSupport
import Testing

/// Where the records cannot be written, or not be read: what only looks works, what changes something works or fails in
/// one line, and nothing is left of what failed.
@Suite("full, read-only and damaged stores", .timeLimit(.minutes(10)))
struct StoreTests {
    /// Both parts of the store get a small file system of their own, and a network with two sandboxes.
    private func prepare(_ host: NetworkHost) async throws {
        try await host.must([
            "bash", "-ec",
            """
            for folder in /run/swnet /var/lib/swnet; do
                mkdir -p $folder; mount -t tmpfs -o mode=755,size=128k,nr_inodes=300 tmpfs $folder
            done
            for name in web db new; do ip netns add $name; ip -n $name link set lo up; done
            """,
        ])
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "more", "--subnet", "10.45.0.0/24")
        try await host.net("create", "spare", "--subnet", "10.47.0.0/24")
        try await host.net("connect", "lab", "web", "-p", "8080:80")
        try await host.net("connect", "lab", "db")
        _ = try await host.listen("web", ["tcp"], port: 80)
    }

    /// Words of shell that leave no room for anything, in each of `folders`; and those that take them back.
    private static func close(_ want: String, _ folders: String) -> String {
        let each =
            switch want {
            case "bytes": "cat /dev/zero > $folder/filler 2>/dev/null"
            case "files": "i=0; while : > $folder/filler$i; do i=$((i + 1)); done 2>/dev/null"
            default: "mount -o remount,ro $folder"
            }
        return "for folder in \(folders); do \(each); done; true"
    }

    private static let reopen =
        "for folder in /run/swnet /var/lib/swnet; do mount -o remount,rw $folder; rm -f $folder/filler*; done"

    private static let words = ["bytes": "no space left on device", "files": "no space left on device"]

    private func mustBeClean(_ host: NetworkHost) async throws {
        #expect(try await host.net("check") == "")
        #expect(try await host.must(["find", "/run/swnet", "/var/lib/swnet", "-name", "*.new"]) == "")
    }

    @Test(
        arguments: ["bytes", "files", "read-only"],
        ["/run/swnet /var/lib/swnet", "/run/swnet", "/var/lib/swnet"])
    func `nothing can be written`(want: String, folders: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // Defines the default network.
            try await host.net("ls")
            let before = try await host.state()
            try await host.shell(Self.close(want, folders))
            #expect(try await host.net("ls").contains("10.44.0.0/24"))
            #expect(try await host.net("inspect", "lab", "web").contains("10.44.0.2"))
            #expect(try await host.net("ports").contains("8080"))
            #expect(try await host.net("hosts").contains("10.44.0.2"))
            #expect(try await host.net("graph").contains("web"))
            #expect(try await host.net("check") == "")
            #expect(try await host.net("connect", "lab", "new", "--dry-run").contains("attach new"))
            let verbs = [
                ["create", "third", "--subnet", "10.46.0.0/24"], ["create", "chosen"],
                ["connect", "lab", "new", "-p", "81:80"], ["connect", "more", "web"], ["publish", "web", "82:80"],
                ["limit", "lab", "web", "--egress", "10mbit"], ["unpublish", "web", "8080:80"],
                ["disconnect", "lab", "db"], ["rm", "spare"],
            ]
            var refused = 0
            for verb in verbs {
                let result = try await host.swnet(verb)
                if result.status != 0 {
                    refused += 1
                    let lines = result.errors.split(separator: "\n").filter { !$0.contains("warning:") }
                    let named = ["/run/swnet", "/var/lib/swnet/"].contains(where: result.errors.contains)
                    #expect(result.status == 1 && lines.count == 1 && named, "\(result)")
                    #expect(
                        result.errors.contains(Self.words[want] ?? "read-only file system")
                            && !result.errors.contains("/proc/self"), "\(result)")
                    // What to do about it.
                    #expect(result.errors.contains("(make room there: df /") || result.errors.contains("findmnt -T /"))
                    #expect(!result.errors.contains("undo:"), "\(result)")
                }
                // Where only definitions cannot be written, all that does not define anything goes on.
                if folders == "/var/lib/swnet" && !["create", "rm"].contains(verb[0]) {
                    #expect(result.status == 0, "\(result)")
                }
            }
            #expect(refused > 0)
            // What there is goes on working.
            if folders != "/var/lib/swnet" {
                #expect(refused == verbs.count)
                #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            }
            try await host.must(["bash", "-ec", Self.reopen])
            try await mustBeClean(host)
            guard folders != "/var/lib/swnet" else { return }
            let difference = try await host.difference(from: before)
            #expect(difference == [])
            for name in ["web", "db"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab", "more", "spare")
            let left = try await host.nothingLeft()
            #expect(left == [])
        }
    }

    /// With some pages of room an operation gets further before it fails: each write of it is the one that fails once.
    @Test func `room for some of it`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let before = try await host.state()
            let ports = (0..<40).map { ["-p", "\(9000 + $0):80"] }.flatMap(\.self)
            var outcomes: Set<Int32> = []
            for pages in [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 16] {
                let note: Comment = "\(pages) pages"
                let leave =
                    "cat /dev/zero > /run/swnet/filler 2>/dev/null; "
                    + "truncate -s $(($(stat -c %s /run/swnet/filler) - \(pages * 4096))) /run/swnet/filler"
                try await host.shell(leave)
                let connected = try await host.swnet(["connect", "lab", "new"] + ports)
                outcomes.insert(connected.status)
                try await host.must(["rm", "-f", "/run/swnet/filler"])
                guard connected.status == 0 else {
                    #expect(connected.errors.contains("/run/swnet/"), "\(note): \(connected)")
                    #expect(!connected.errors.contains("undo:"), "\(note): \(connected)")
                    let difference = try await host.difference(from: before)
                    #expect(difference == [], note)
                    try await mustBeClean(host)
                    continue
                }
                // Names that found no room were told.
                if connected.errors.contains("names of network") { try await host.net("repair") }
                try await mustBeClean(host)
                for words in [["unpublish", "new", "9000:80"], ["disconnect", "lab", "new"]] {
                    try await host.shell(leave)
                    let gone = try await host.swnet(words)
                    outcomes.insert(gone.status)
                    try await host.must(["rm", "-f", "/run/swnet/filler"])
                    if gone.status != 0 { #expect(gone.errors.contains("/run/swnet/"), "\(note): \(gone)") }
                    if gone.errors.contains("names of network") { try await host.net("repair") }
                    try await mustBeClean(host)
                }
                _ = try await host.swnet("disconnect", "lab", "new")
                let difference = try await host.difference(from: before)
                #expect(difference == [], note)
            }
            #expect(outcomes == [0, 1])
        }
    }

    /// What a killed process has left is cleaned up when that can be written, and until then it is said.
    @Test(
        .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"),
        arguments: ["bytes", "read-only"])
    func `an interrupted plan waits until there is room`(want: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("ls")
            let before = try await host.state()
            // After the record was written, so that it has to be written again.
            let killed = try await host.shell(
                "for m in $(seq 40); do SWNET_FAULT=kill=$m \(NetworkHost.swnet) connect more web; "
                    + "grep -q 10.45.0 /run/swnet/sandboxes/web && exit 0; done; exit 1")
            try #require(killed.status == 0, "\(killed)")
            try await host.shell(Self.close(want, "/run/swnet"))
            let listed = try await host.swnet("ls")
            #expect(listed.status == 0 && listed.output.contains("10.44.0.0/24"), "\(listed)")
            if want == "read-only" {
                #expect(listed.errors.contains("/run/swnet") && listed.errors.contains("read-only"), "\(listed)")
            }
            try await host.must(["bash", "-ec", Self.reopen])
            try await host.net("repair")
            try await mustBeClean(host)
            let difference = try await host.difference(from: before)
            #expect(difference == [])
        }
    }

    @Test(arguments: [#"printf '\xff\xfe{"a'"#, "head -c 40 web", "true", "echo '{}'", "head -c 60000 /dev/zero"])
    func `a sandbox's record that cannot be read`(damage: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let file = "/run/swnet/sandboxes/web"
            try await host.shell("cd /run/swnet/sandboxes; cp web /run/kept; { \(damage); } > /run/damaged; ")
            try await host.must(["cp", "/run/damaged", file])
            for words in [["ls"], ["ports"], ["hosts"], ["graph"], ["inspect", "lab"]] {
                let listed = try await host.swnet(words)
                #expect(listed.status == 0 && listed.errors.contains("read \(file): "), "\(listed)")
            }
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains("sandbox web: its record cannot be read"), "\(found)")
            #expect(found.output.contains("rm -r \(file)"), "\(found)")
            #expect(found.output.split(separator: "\n").count == 1, "\(found)")
            for words in [["publish", "web", "82:80"], ["disconnect", "lab", "web"], ["gc"]] {
                let refused = try await host.swnet(words)
                #expect(refused.status == 1 && refused.errors.contains("read \(file): "), "\(refused)")
                #expect(refused.errors.split(separator: "\n").count == 1, "\(refused)")
            }
            // What it has is left alone, by a repair too, and others go on.
            _ = try await host.swnet("repair")
            try await host.net("connect", "lab", "new", "-p", "81:80")
            #expect(try await host.addresses(of: "new").v4 != "10.44.0.2")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            let taken = try await host.swnet("publish", "new", "8080:80")
            #expect(taken.status == 1, "\(taken)")
            // With the record back all is as it was; without it, a repair takes away what it had.
            try await host.must(["cp", "/run/kept", file])
            #expect(try await host.net("check") == "")
            try await host.must(["cp", "/run/damaged", file])
            try await host.must(["rm", file])
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            #expect(try await !host.must(["ip", "-n", "web", "-o", "link"]).contains("eth0"))
            for name in ["db", "new"] { try await host.net("disconnect", "lab", name) }
            try await host.net("rm", "lab", "more", "spare")
            let left = try await host.nothingLeft()
            #expect(left == [])
        }
    }

    @Test(arguments: [#"printf '\xff\xfe{"a'"#, "head -c 40 more.json", "true"])
    func `a definition that cannot be read`(damage: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let file = "/var/lib/swnet/networks/more.json"
            try await host.shell(
                "cd /var/lib/swnet/networks; cp more.json /run/kept; { \(damage); } > /run/damaged; cp /run/damaged \(file)"
            )
            for words in [["ls"], ["graph"], ["inspect", "lab"]] {
                let listed = try await host.swnet(words)
                #expect(listed.status == 0 && listed.errors.contains("read \(file): "), "\(listed)")
            }
            let found = try await host.swnet("check")
            #expect(found.status == 1, "\(found)")
            #expect(found.output.contains("network more: its definition cannot be read"), "\(found)")
            // Its subnets are not known, so that nothing is given out that might be one of them.
            for words in [["create", "x", "--subnet", "10.45.0.0/25"], ["connect", "more", "web"], ["rm", "more"]] {
                let refused = try await host.swnet(words)
                #expect(refused.status == 1 && refused.errors.contains("read \(file): "), "\(refused)")
                #expect(refused.errors.split(separator: "\n").count == 1, "\(refused)")
            }
            _ = try await host.swnet("repair")
            #expect(try await host.must(["ip", "-o", "link", "show", "dev", "sw-more"]).contains("sw-more"))
            try await host.must(["cp", "/run/kept", file])
            #expect(try await host.net("check") == "")
            try await host.must(["rm", file])
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.run(["ip", "link", "show", "dev", "sw-more"]).status != 0)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    @Test(.enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"))
    func `who waits for the lock says who has it`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // In the background: who started it would be stopped along with it.
            try await host.shell(
                "(SWNET_FAULT=stop=3 \(NetworkHost.swnet) connect more web; echo $? >/run/ended) </dev/null >&0 2>&0 &")
            let stopped = try await eventually {
                try await host.shell("grep -l 'State:.T' /proc/[0-9]*/status").output.contains("/proc/")
            }
            try #require(stopped)
            let waiting = try host.start([NetworkHost.swnet, "ls"])
            let told = try await eventually { waiting.errorsSoFar.contains("\n") }
            #expect(told)
            let said = waiting.errorsSoFar
            #expect(said.contains("waiting for /run/swnet/lock, which process "), "\(said)")
            #expect(said.contains("swnet connect more web)") && said.contains("it is stopped: kill -CONT "), "\(said)")
            #expect(!waiting.hasEnded)
            // What it says to do is what helps; both go on, and it was said once.
            let help = said.split(separator: ":").last?.split(separator: "\n").first.map(String.init) ?? "false"
            try await host.must(["bash", "-c", help])
            let listed = await waiting.result
            #expect(listed.status == 0 && listed.output.contains("10.44.0.0/24"), "\(listed)")
            #expect(listed.errors.split(separator: "\n").count == 1, "\(listed)")
            let ended = try await eventually { try await host.run(["cat", "/run/ended"]).output == "0" }
            #expect(ended)
            try await mustBeClean(host)
        }
    }

    /// The pipe is full: who writes there waits until somebody reads.
    @Test func `who never hears what it has to say keeps nobody else waiting`() async throws {
        try await NetworkHost.with { host in
            let output = try await host.shell(
                """
                mkfifo /run/pipe; exec 3<>/run/pipe; head -c 65536 /dev/zero >&3
                \(NetworkHost.swnet) create lab --subnet 10.44.0.0/24 >/run/said 2>&3 & process=$!
                for _ in $(seq 100); do
                  timeout 60 \(NetworkHost.swnet) ls --format json >/run/list || break
                  grep 10.44.0.0/24 /run/list && break
                  sleep 0.05
                done
                kill -0 $process; echo $?
                head -c 65536 <&3 >/dev/null; wait $process; echo $?
                """)
            let lines = output.output.split(separator: "\n")
            #expect(output.output.contains("10.44.0.0/24"), "\(output)")
            // It was still writing, and has ended well.
            #expect(lines.suffix(2) == ["0", "0"], "\(output)")
        }
    }
}
