import TestSupport
import Testing

/// What others have made under a name or a key of ours is theirs: it is neither taken for ours nor taken away.
@Suite("ownership")
struct OwnershipTests {
    @Test(arguments: ["bridge", "ptp"])
    func `an interface that others put in the place of ours stays theirs`(driver: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "-d", driver, "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "--host-ifname", "sw-up0", "-p", "8080:80")
            // A pair like ours, up, and with an address of somebody's.
            try await host.shell(
                """
                ip link del sw-up0; ip link add sw-up0 type veth peer name theirs
                ip link set theirs up; ip link set sw-up0 up; ip address add 198.51.100.1/24 dev sw-up0
                """)
            let theirs = "ip -o -d link show dev sw-up0; ip -o address show dev sw-up0 scope global"
            let before = try await host.must(["bash", "-c", theirs])
            let found = try await host.swnet("check")
            #expect(found.output.contains("sw-up0 is not this endpoint's"), "\(found)")
            // Neither a repair nor a departure touches it.
            _ = try await host.swnet("repair")
            #expect(try await host.must(["bash", "-c", theirs]) == before)
            let taken = try await host.swnet("connect", "lab", "web", "--host-ifname", "sw-up0")
            #expect(taken.status == 1, "\(taken)")
            try await host.net("disconnect", "lab", "web")
            #expect(try await host.must(["bash", "-c", theirs]) == before)
            #expect(try await host.net("check") == "")
            // The name is taken, and that a connect fails for it takes nothing from its owner.
            let refused = try await host.swnet("connect", "lab", "web", "--host-ifname", "sw-up0")
            #expect(refused.status == 1 && refused.errors.contains("sw-up0"), "\(refused)")
            #expect(try await host.must(["bash", "-c", theirs]) == before)
            try await host.net("rm", "lab")
            try await host.must(["ip", "link", "del", "sw-up0"])
            // As long as theirs was there, forwarding was left on for it, and guarded.
            try await host.net("repair")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// A pair that was made on the host and moved would be seen there under the name that it has inside.
    @Test(arguments: ["bridge", "ptp"])
    func `nothing passes through the host under another name`(driver: String) async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "-d", driver, "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            let monitor = try host.start(["stdbuf", "-oL", "ip", "-o", "monitor", "link"])
            // What it hears first shows that it listens.
            let listens = try await eventually {
                try await host.shell("ip link add probe0 type bridge; ip link del probe0")
                return monitor.outputSoFar.contains("probe0")
            }
            #expect(listens)
            for number in 1...5 {
                try await host.must(["ip", "netns", "add", "s\(number)"])
                try await host.net("connect", "lab", "s\(number)", "--ifname", "inside\(number)")
                try await host.net("disconnect", "lab", "s\(number)")
            }
            try await host.shell("ip link add probe9 type bridge; ip link del probe9")
            let heard = try await eventually { monitor.outputSoFar.contains("probe9") }
            #expect(heard)
            await monitor.stop()
            let names = Set(
                monitor.outputSoFar.split(separator: "\n").compactMap { line in
                    line.firstMatch(of: #/\d+: ([^@: ]+)[@:]/#).map { String($0.1) }
                })
            let ours = driver == "ptp" ? #/sw-[0-9a-f]{8}/# : #/veth[0-9a-f]{8}/#
            #expect(names.contains { $0.wholeMatch(of: ours) != nil }, "\(names)")
            let others = names.filter {
                $0.wholeMatch(of: ours) == nil && !$0.hasPrefix("probe") && $0 != "sw-lab" && $0 != "lo"
            }
            #expect(others.isEmpty, "\(others)")
        }
    }

    /// A rule that comes later would be shadowed by it; an element is one for each key.
    @Test func `a key of the map that somebody has is an error, and no shadow`() async throws {
        try await NetworkHost.with { host in
            _ = try await host.serve("web", on: "bridge")
            _ = try await host.serve("stale", on: "bridge")
            let (stale, _) = try await host.addresses(of: "stale")
            try await host.net("publish", "web", "8081:80")
            try await host.must([
                "nft", "add", "element", "inet", "swnet", "published4", "{ tcp . 8080 : \(stale) . 80 }",
            ])
            let refused = try await host.swnet("publish", "web", "8080:80")
            #expect(refused.status == 1 && refused.errors.contains("8080"), "\(refused)")
            #expect(refused.errors.split(separator: "\n").count == 1, "\(refused)")
            // It leads where it led, nothing is recorded, and the other port is as it was.
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("stale") == true)
            #expect(try await !host.net("ports").contains("8080"))
            #expect(try await host.answer("TCP:192.0.2.1:8081", at: .neighbour) == "192.0.2.2 web")
            // It is nobody's by the records: told, taken away, and then the port is free.
            #expect(try await host.swnet("check").output.contains("published4"))
            try await host.net("repair")
            try await host.net("publish", "web", "8080:80")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    /// Without its firewall a sandbox would be open to everybody who has a route to it.
    @Test func `where the table cannot be made nobody is connected`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "web"])
            // Held by an open socket: nobody else may touch it, not even to read whose it is.
            let holder = try host.start([
                "bash", "-c", "{ echo 'add table inet swnet { flags owner; }'; sleep 1000; } | nft -i",
            ])
            let isHeld = try await eventually { try await host.shell("nft list tables").output.contains("swnet") }
            try #require(isHeld)
            for words in [["create", "lab", "--subnet", "10.44.0.0/24"], ["connect", "bridge", "web"]] {
                let refused = try await host.swnet(words)
                #expect(refused.status == 1 && refused.errors.contains("inet swnet"), "\(refused)")
                #expect(refused.errors.split(separator: "\n").count == 1, "\(refused)")
            }
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
            let left = try await eventually { try await host.leftovers() == ["table inet swnet"] }
            let leftovers = try await host.leftovers()
            #expect(left, "\(leftovers)")
            await holder.stop()
            let isGone = try await eventually { try await host.must(["nft", "list", "tables"]).isEmpty }
            #expect(isGone)
            try await host.net("connect", "bridge", "web")
            #expect(try await host.net("check") == "")
        }
    }
}
