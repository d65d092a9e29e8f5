import TestSupport
import Testing

/// Interfaces of the host that sandboxes stand on or have, and who has what of them.
@Suite("parents")
struct ParentTests {
    private func refuses(
        _ host: NetworkHost, _ names: String, _ words: [String], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let result = try await host.swnet(words)
        #expect(
            result.status != 0 && !result.errors.contains("\n") && result.errors.contains(names), "\(result)",
            sourceLocation: sourceLocation)
    }

    private static let wire = ["--subnet", "192.0.2.0/24", "--gateway", "192.0.2.2"]

    @Test(arguments: [["mode=bridge"], ["mode=passthru"]])
    func `a sandbox that is made anew right away gets what the ended one had`(options: [String]) async throws {
        try await NetworkHost.with { host in
            try await host.net(
                ["create", "lan", "-d", "macvlan", "-o", "parent=eth0"] + options.flatMap { ["-o", $0] } + Self.wire)
            for round in 0..<15 {
                let name = "web\(round)"
                try await host.must(["ip", "netns", "add", name])
                let result = try await host.swnet("connect", "lan", name, "--ip", "192.0.2.200")
                #expect(result.status == 0, "round \(round): \(result)")
                try await host.must(["ip", "netns", "delete", name])
            }
        }
    }

    @Test func `who has a macvlan's Ethernet address, or the whole interface, is named`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b", "other"] { try await host.must(["ip", "netns", "add", name]) }
            for (name, subnet) in [("lan", "10.44.0.0/24"), ("wan", "10.45.0.0/24")] {
                try await host.net("create", name, "-d", "macvlan", "-o", "parent=eth0", "--subnet", subnet)
            }
            let address = "02:00:00:00:00:05"
            try await host.net("connect", "lan", "a", "--mac", address)
            try await refuses(
                host, "mac \(address) is taken by a on lan", ["connect", "wan", "b", "--mac", address])
            let own = try await host.json(["ip", "-j", "link", "show", "eth0"])[0]["address"].text ?? ""
            try await refuses(host, "mac \(own) is that of eth0 itself", ["connect", "wan", "b", "--mac", own])
            try await host.net("disconnect", "lan", "a")

            // Of somebody else's: one that can be seen, and one that cannot.
            let macvlan = ["link", "eth0", "address", address, "type", "macvlan", "mode", "bridge"]
            try await host.must(["ip", "link", "add", "theirs"] + macvlan)
            try await host.must(["ip", "link", "set", "theirs", "up"])
            let words = ["connect", "lan", "a", "--mac", address]
            try await refuses(host, "mac \(address) is taken by the host's interface theirs", words)
            try await host.must(["ip", "link", "set", "theirs", "netns", "other"])
            try await host.must(["ip", "link", "set", "theirs", "up"], at: .inside("other"))
            try await refuses(host, "mac \(address) is taken by a link in another network namespace", words)
            try await host.net(
                "create", "all", "-d", "macvlan", "-o", "parent=eth0", "-o", "mode=passthru", "--ipam", "none")
            try await refuses(
                host, "interface eth0 is taken by a link in another network namespace", ["connect", "all", "a"])
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("a")).items.count == 1)
        }
    }

    @Test func `an interface is known by one name, whichever was given`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.shell(
                """
                ip link property add dev eth0 altname lan0
                ip link add br0 type bridge; ip link set br0 up; ip link property add dev br0 altname lan1
                ip link add d0 type veth peer name d1; ip link property add dev d0 altname lan2
                """)
            let made = try await host.swnet(["create", "mac", "-d", "macvlan", "-o", "parent=lan0"] + Self.wire)
            #expect(made.status == 0 && made.errors.contains("lan0 is a further name of interface eth0"), "\(made)")
            try await host.net("create", "ours", "-o", "bridge=lan1", "--subnet", "10.44.0.0/24")
            try await host.net(
                "create", "wide", "-d", "vxlan", "-o", "vni=7", "-o", "group=239.1.1.1", "-o", "parent=lan0",
                "--subnet",
                "10.45.0.0/24")
            for name in ["mac", "ours", "wide"] { try await host.net("connect", name, "a") }
            #expect(try await host.net("check") == "")
            try await host.net(
                "create", "all", "-d", "macvlan", "-o", "parent=eth0", "-o", "mode=passthru", "--ipam", "none")
            try await refuses(host, "interface eth0 is taken by a", ["connect", "all", "b"])
            // Its further name may come after the network.
            try await host.net("create", "card", "-d", "host-device", "-o", "device=lan3", "--subnet", "10.46.0.0/24")
            try await host.must(["ip", "link", "property", "add", "dev", "d0", "altname", "lan3"])
            try await host.net("connect", "card", "b")
            try await host.net("disconnect", "card", "b")
            let home = try await host.json(["ip", "-j", "link", "show", "lan2"])[0]
            #expect(home["ifname"].text == "d0", "\(home)")
        }
    }

    @Test func `what sandboxes stand on is not given away, and what one has is nothing to stand on`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.shell("ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up")
            try await host.net("create", "mac", "-d", "macvlan", "-o", "parent=d0", "--subnet", "10.44.0.0/24")
            for (name, subnet) in [("card", "10.45.0.0/24"), ("again", "10.46.0.0/24")] {
                try await host.net("create", name, "-d", "host-device", "-o", "device=d0", "--subnet", subnet)
            }
            try await host.net("connect", "mac", "a")
            try await refuses(
                host, "interface d0 is taken by a, whose interface on mac stands on it (swnet disconnect mac a)",
                ["connect", "card", "b"])
            #expect(try await host.net("check") == "")
            try await host.net("disconnect", "mac", "a")

            try await host.net("connect", "card", "b")
            for words in [
                ["connect", "again", "a"], ["connect", "mac", "a"],
                ["create", "more", "-d", "macvlan", "-o", "parent=d0", "--subnet", "10.47.0.0/24"],
            ] {
                try await refuses(host, "interface d0 is taken by b (swnet disconnect card b)", words)
            }
            try await host.net("disconnect", "card", "b")
            try await host.net("rm", "mac", "again")

            try await host.net(
                "create", "wide", "-d", "vxlan", "-o", "vni=7", "-o", "group=239.1.1.1", "-o", "parent=d0", "--subnet",
                "10.48.0.0/24")
            try await refuses(
                host, "interface d0 is taken by network wide, whose VXLAN stands on it", ["connect", "card", "b"])
        }
    }

    @Test func `a device comes home as it was`() async throws {
        try await NetworkHost.with { host in
            for name in ["a", "b"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.shell(
                "ip link add d0 type veth peer name d1; ip link set d0 address 02:aa:00:00:00:01 mtu 1400")
            try await host.net("create", "card", "-d", "host-device", "-o", "device=d0", "--subnet", "10.44.0.0/24")
            try await host.net("connect", "card", "a", "--mtu", "1300", "--mac", "02:aa:00:00:00:99")
            let given = try await host.json(["ip", "-j", "link", "show", "eth0"], at: .inside("a"))[0]
            #expect(given["mtu"].integer == 1300 && given["address"].text == "02:aa:00:00:00:99", "\(given)")
            try await host.net("disconnect", "card", "a")
            let home = try await host.json(["ip", "-j", "link", "show", "d0"])[0]
            #expect(home["mtu"].integer == 1400 && home["address"].text == "02:aa:00:00:00:01", "\(home)")
            #expect(home["ifalias"].text ?? "" == "", "\(home)")

            // What has ended with its device in it: the kernel sends a card back, by whatever name is free.
            try await host.net("connect", "card", "a", "--mtu", "1300")
            try await host.must(["ip", "netns", "delete", "a"])
            _ = try await eventually { try await host.run(["ip", "link", "show", "d1"]).status != 0 }
            try await host.shell(
                "ip link add dev7 mtu 1300 type veth peer name d1; ip link set dev7 alias 'swnet card a'")
            #expect(try await host.net("gc") == "a")
            let back = try await host.json(["ip", "-j", "link", "show", "d0"])[0]
            #expect(
                back["mtu"].integer == 1400 && back["address"].text == "02:aa:00:00:00:01"
                    && back["ifalias"].text ?? "" == "", "\(back)")
            try await host.net("connect", "card", "b")
        }
    }

    @Test func `an interface that is down is told`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "netns", "add", "a"])
            try await host.shell("ip link add d0 type veth peer name d1; ip link add br0 type bridge")
            try await host.net("create", "mac", "-d", "macvlan", "-o", "parent=d0", "--subnet", "10.44.0.0/24")
            try await host.net("create", "ours", "-o", "bridge=br0", "--subnet", "10.45.0.0/24")
            for (network, parent) in [("mac", "d0"), ("ours", "br0")] {
                let connected = try await host.swnet("connect", network, "a")
                let said = connected.errors.contains("the host's interface \(parent) is down")
                #expect(connected.status == 0 && said, "\(connected)")
            }
            let check = try await host.swnet("check")
            #expect(
                check.output.contains("network mac: the host's interface d0 is down")
                    && check.output.contains("network ours: the bridge br0 is down"), "\(check)")
            for name in ["d0", "d1", "br0"] { try await host.must(["ip", "link", "set", name, "up"]) }
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `who has the port of a VXLAN is named`() async throws {
        try await NetworkHost.with { host in
            let server = try await host.listen("theirs", ["udp"], port: 4789, at: .host)
            try await refuses(
                host, "UDP port 4789 is taken by process",
                ["create", "wide", "-d", "vxlan", "-o", "vni=7", "-o", "peers=192.0.2.2"])
            #expect(try await host.run(["ip", "link", "show", "vx-wide"]).status != 0)
            for command in server { await command.stop() }
        }
    }
}
