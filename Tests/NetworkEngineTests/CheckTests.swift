import TestSupport
import Testing

/// What somebody breaks behind our back is found, named and repaired; what is right is not touched.
@Suite("check and repair")
struct CheckTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--mtu", "1400")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80", "192.0.2.1:53:53/udp")
        #expect(try await host.net("check") == "")
    }

    @Test func `a network that is used and not defined any more is left as it is`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["mv", "/var/lib/swnet/networks/lab.json", "/run/lab.json"])
            let before = try await host.must(["nft", "list", "table", "inet", "swnet"])
            let repaired = try await host.swnet("repair")
            #expect(
                (repaired.output + repaired.errors).contains("write lab.json again, or disconnect web"), "\(repaired)")
            #expect(try await host.must(["nft", "list", "table", "inet", "swnet"]) == before)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("web") == true)
            try await host.must(["mv", "/run/lab.json", "/var/lib/swnet/networks/lab.json"])
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `a bridge whose mark was changed is not taken for somebody else's`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.shell("ip link set sw-lab alias mine; sysctl -qw net.ipv4.ip_forward=0")
            let found = try await host.swnet("check")
            #expect(found.output.contains("sw-lab does not carry the mark 'swnet network lab'"), "\(found)")
            try await host.net("repair")
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "1")
            #expect(try await !host.elements("guarded").description.contains("sw-lab"))
            let alias = try await host.json(["ip", "-j", "link", "show", "sw-lab"])[0]["ifalias"].text
            #expect(alias == "swnet network lab")
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("web") == true)
            #expect(try await host.run(["ping", "-c1", "-w30", "192.0.2.2"], at: .inside("web")).status == 0)
        }
    }

    @Test func `addresses of the host that went away`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["ip", "address", "add", "192.0.2.25/24", "dev", "eth0"])
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--source", "192.0.2.25")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net(
                "connect", "lab", "web", "-p", "192.0.2.25:8080:80", "-p", "127.0.0.9:8081:80", "-p", "0.0.0.0:8082:80")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "address", "delete", "192.0.2.25/24", "dev", "eth0"])
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains("network lab: what goes out is to come from 192.0.2.25"))
            #expect(found.output.contains("sandbox web: port '192.0.2.25:8080:80/tcp' is published at"), "\(found)")
            #expect(!found.output.contains("127.0.0.9"), "\(found)")
            try await host.must(["ip", "address", "add", "192.0.2.25/24", "dev", "eth0"])
            #expect(try await host.net("check") == "")
        }
    }

    /// The one port of the bridge, in the words of a shell.
    private static let port = "$(ip -j link show master sw-lab | jq -r .[0].ifname)"

    @Test(arguments: [
        ("ip link del sw-lab", "sw-lab"), ("ip link set sw-lab down", "sw-lab is down"),
        ("ip addr del 10.44.0.1/24 dev sw-lab", "10.44.0.1/24"), ("ip link set sw-lab mtu 1300", "mtu 1300"),
        ("sysctl -qw net.ipv4.conf.sw-lab.route_localnet=0", "route_localnet"),
        ("sysctl -qw net.ipv4.conf.sw-lab.forwarding=0", "ipv4/conf/sw-lab/forwarding is 0 instead of 1"),
        ("sysctl -qw net.ipv6.conf.sw-lab.forwarding=0", "ipv6/conf/sw-lab/forwarding is 0 instead of 1"),
        ("ip link set $(ip -j link show master sw-lab | jq -r .[0].ifname) nomaster", "no port of sw-lab"),
        ("ip link del $(ip -j link show master sw-lab | jq -r .[0].ifname)", "is missing"),
        ("ip -n web link set eth0 down", "eth0 is down"), ("ip -n web addr flush dev eth0", "10.44.0.2/24"),
        ("ip -n web -6 addr del fd00:44::2/64 dev eth0", "fd00:44::2/64"),
        ("ip -n web route del default", "default route via 10.44.0.1"),
        ("ip -n web link set eth0 address 02:00:00:00:00:77", "02:00:00:00:00:77"),
        ("ip -n web link set eth0 down; ip -n web link set eth0 name up0", "eth0 is missing"),
        ("nft flush ruleset", "table inet swnet is missing"), ("nft flush chain inet swnet forward", "forward"),
        ("nft flush map inet swnet published4", "published4"),
        ("nft add table inet swnet '{ flags dormant; }'", "the table inet swnet is dormant"),
        (
            """
            (echo delete table inet swnet; nft list table inet swnet |
                sed 's/hook forward priority filter/hook forward priority 10/') >/run/moved; nft -f /run/moved
            """, "chain forward is called at another place"
        ),
        ("tc qdisc del dev sw-lab clsact", "sw-lab would be open while the firewall is gone"),
        ("tc filter del dev sw-lab egress", "sw-lab would be open while the firewall is gone"),
        ("nft add element inet swnet published4 '{ tcp . 99 : 10.44.0.2 . 99 }'", "published4"),
        ("sysctl -qw net.ipv4.ip_forward=0", "forwarding of IPv4"),
        ("rm /run/swnet/networks/lab/leases/10.44.0.2", "10.44.0.2"),
        ("ln -s nobody /run/swnet/networks/lab/leases/10.44.0.77", "10.44.0.77"),
        ("echo 'tcp 1 2 * web' >> /run/swnet/ports", "index"),
        ("ln -s nobody /run/swnet/namespaces/4026531999", "namespace 4026531999: it is recorded as a sandbox"),
        (
            "ip link set $(ip -j link show master sw-lab | jq -r .[0].ifname) type bridge_slave hairpin off",
            "hairpin is off"
        ),
        ("bridge link set dev $(ip -j link show master sw-lab | jq -r .[0].ifname) locked on", "is locked"),
        ("ip -n web link set eth0 mtu 1300", "eth0 has mtu 1300"),
        ("ip link set $(ip -j link show master sw-lab | jq -r .[0].ifname) mtu 1300", "has mtu 1300"),
        ("ip netns exec web sysctl -qw net.ipv6.conf.eth0.accept_ra=1", "eth0/accept_ra is 1"),
        ("sysctl -qw net.ipv6.conf.sw-lab.accept_ra=1", "sw-lab/accept_ra is 1"),
        ("sysctl -qw net.ipv6.conf.eth0.accept_ra=1", "conf/eth0/accept_ra is 1, which means no routers while"),
        ("ip -n web -6 route del default", "default route via fd00:44::1"),
        ("ip route del 10.44.0.0/24", "network lab: the route to 10.44.0.0/24 is missing"),
        ("ip -6 route del fd00:44::/64", "network lab: the route to fd00:44::/64 is missing"),
        ("ip -n web route del 10.44.0.0/24", "the route to 10.44.0.0/24 is missing"),
        ("ip -n web -6 route del fd00:44::/64", "the route to fd00:44::/64 is missing"),
        (
            "nft delete element inet swnet published4 '{ tcp . 8080 }'",
            "published4 lacks published 8080:80/tcp to 10.44.0.2 of web"
        ),
        (
            """
            nft delete rule inet swnet prerouting handle \
                $(nft -a list chain inet swnet prerouting | sed -n '/udp dport 53/s/.*handle //p')
            """,
            "chain prerouting has 3 rules, not the 4 that it should"
        ),
        (
            #"nft delete element inet swnet networks '{ "sw-lab" . "sw-lab" }'"#, "networks lacks bridge sw-lab"
        ),
        ("nft add element inet swnet guarded '{ ipv4 . \"eth9\" }'", "guarded has"),
        ("nft add set inet swnet theirs '{ type ipv4_addr; }'", "set inet swnet theirs is in our table"),
        (
            """
            nft delete element inet swnet published4 '{ tcp . 8080 }'
            nft add element inet swnet published4 '{ tcp . 8080 comment "theirs" : 10.44.0.2 . 80 }'
            """, "published4 has tcp . 8080 comment \"theirs\""
        ),
        ("bridge link set dev \(port) state disabled", "is disabled"),
        ("bridge link set dev \(port) learning off", "has learning off"),
        ("bridge link set dev \(port) guard on", "has guard on"),
        ("bridge link set dev \(port) root_block on", "has root_block on"),
        ("bridge link set dev \(port) flood off", "has flood off"),
        ("bridge link set dev \(port) mcast_flood off", "has mcast_flood off"),
        ("bridge link set dev \(port) bcast_flood off", "has bcast_flood off"),
        ("bridge link set dev \(port) neigh_suppress on", "has neigh_suppress on"),
        (
            "ip neigh replace 10.44.0.2 lladdr 02:00:00:00:00:99 nud permanent dev sw-lab",
            "the host takes 10.44.0.2 to be at 02:00:00:00:00:99"
        ),
        (
            "ip neigh replace fd00:44::2 lladdr 02:00:00:00:00:99 nud permanent dev sw-lab",
            "the host takes fd00:44::2 to be at 02:00:00:00:00:99"
        ),
        ("ip -n web link set lo down", "web on lab: lo is down"),
        ("ip -n web address change 10.44.0.2/24 dev eth0 valid_lft 900 preferred_lft 900", "for a limited time"),
        ("ip -n web address change fd00:44::2/64 dev eth0 valid_lft 900 preferred_lft 900", "for a limited time"),
        ("ip address change 10.44.0.1/24 dev sw-lab valid_lft 900 preferred_lft 900", "for a limited time"),
        ("ip address change fd00:44::1/64 dev sw-lab valid_lft 900 preferred_lft 900", "for a limited time"),
    ])
    func `whatever breaks`(line: String, names: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let broken = try await host.shell(line)
            try #require(broken.status == 0, "\(broken)")
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains(names), "\(found)")
            let repaired = try await host.swnet("repair")
            #expect(repaired.status == 0 && repaired.output.contains(names), "\(repaired)")
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.leftovers().filter { !$0.hasPrefix("up0") } == [])
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        },
        arguments: [
            (
                "kill -9 $(cat /run/swnet/names/aardvark.pid); while ss -Hlun | grep -q :61053; do :; done",
                "not running"
            ),
            (
                "s=$(cat /run/swnet/names/aardvark.pid); kill -STOP $s; until grep -q '^State:.T' /proc/$s/status; do :; done",
                "name server is stopped"
            ),
            ("rm /run/swnet/names/lab", "file is missing"),
            ("echo 'db 10.44.0.9  db' >> /run/swnet/names/lab", "file is not what is recorded"),
            ("sed -i s/10.44.0.2/10.44.0.3/ /run/swnet/names/lab", "file is not what is recorded"),
        ])
    func `the name server`(line: String, names: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let broken = try await host.shell(line)
            try #require(broken.status == 0, "\(broken)")
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains(names), "\(found)")
            let repaired = try await host.swnet("repair")
            #expect(repaired.status == 0 && repaired.output.contains(names), "\(repaired)")
            #expect(try await host.net("check") == "")
            #expect(try await host.must(["cat", "/run/swnet/names/lab"]).contains("web 10.44.0.2 fd00:44::2 web"))
            #expect(try await host.shell("kill -0 $(cat /run/swnet/names/aardvark.pid)").status == 0)
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    /// Forwarding went on at every interface of the host with the switch; off at one of them, it is so by somebody's wish.
    @Test(arguments: [("ipv4", "TCP:192.0.2.1:8080"), ("ipv6", "TCP6:[2001:db8::1]:8080")])
    func `an interface that does not forward is told`(family: String, target: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            #expect(try await host.answer(target, at: .neighbour) != nil)
            let path = "net/\(family)/conf/eth0/forwarding"
            try await host.must(["sysctl", "-qw", "\(path)=0"])
            let found = try await host.swnet("check")
            let words = "host: what comes in by eth0 reaches no sandbox: \(path) is 0 (sysctl -w \(path)=1)"
            #expect(found.status == 0 && found.output == words, "\(found)")
            try await host.net("repair")
            #expect(try await host.must(["sysctl", "-n", path]) == "0")
            try await host.must(["sysctl", "-qw", "\(path)=1"])
            #expect(try await host.net("check") == "")
        }
    }

    /// The kernel gives a published port to whoever asks later. It is said who that is.
    @Test func `a process at a published port is told`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.net("publish", "web", "[::1]:8081:80")
            let server = try host.start(["socat", "TCP6-LISTEN:8080,fork,reuseaddr,ipv6only=0", "SYSTEM:echo host"])
            defer { withExtendedLifetime(server) {} }
            #expect(
                try await eventually {
                    let found = try await host.swnet("check")
                    return found.status == 0 && found.output.hasPrefix("port 8080/tcp: process ")
                        && found.output.hasSuffix(
                            "(socat) has it too, where web is reached (swnet unpublish web 8080:80/tcp)")
                })
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    @Test func `a definition that cannot be read, of a network that has nothing in the kernel`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["bash", "-c", "echo '{' >/var/lib/swnet/networks/other.json"])
            let found = try await host.swnet("check")
            #expect(
                found.status == 1 && found.output.contains("network other: its definition cannot be read"), "\(found)")
            try await host.must(["nft", "flush", "ruleset"])
            // It is in nobody's way.
            #expect(try await host.swnet("repair").output.contains("repaired firewall"))
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
        }
    }

    /// What a repair would do is said with what it would do it about.
    @Test func `a repair that is only printed says its steps`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must([
                "bash", "-c", "nft flush ruleset; ip -n web link set eth0 down; ip link set sw-lab down",
            ])
            let told = try await host.net("repair", "--dry-run")
            for words in [
                "sw-lab is down (set up the interfaces of network lab)", "eth0 is down (set up eth0 of web on lab)",
                "table inet swnet is missing, or of another layout (build the table from the records)",
            ] {
                #expect(told.contains(words), "\(told)")
            }
            let remedies = try await host.json([NetworkHost.swnet, "repair", "--dry-run", "--format", "json"])
            #expect(remedies.items.compactMap { $0["remedy"].text }.contains("build the table from the records"))
            #expect(try await host.run(["nft", "list", "table", "inet", "swnet"]).status != 0)
        }
    }

    @Test func `drivers without a bridge of ours`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "p", "--driver", "ptp", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64")
            _ = try await host.serve("one", on: "p")
            try await host.net(
                "create", "x", "--driver", "vxlan", "--opt", "vni=7", "--opt", "peers=192.0.2.2,192.0.2.3", "--subnet",
                "10.46.0.0/24")
            #expect(try await host.net("check") == "")
            let end = "$(ip -o link show type veth | grep -o 'sw-[^@]*' | head -1)"
            for (line, words) in [
                ("ip route del 10.45.0.2 dev \(end)", "route to 10.45.0.2"),
                ("ip addr flush dev \(end)", "lacks the address 10.45.0.1"), ("ip link set \(end) down", "is down"),
                ("sysctl -qw net.ipv4.conf.\(end).route_localnet=0", "route_localnet is 0"),
                ("sysctl -qw net.ipv4.conf.\(end).forwarding=0", "/forwarding is 0 instead of 1"),
                ("sysctl -qw net.ipv6.conf.\(end).forwarding=0", "/forwarding is 0 instead of 1"),
                ("bridge fdb del 00:00:00:00:00:00 dev vx-x dst 192.0.2.3", "does not send to 192.0.2.3"),
                ("ip address change 10.45.0.1/32 dev \(end) valid_lft 900 preferred_lft 900", "for a limited time"),
                ("bridge link set dev vx-x flood off", "the port vx-x has flood off"),
                (
                    "ip neigh replace 10.45.0.2 lladdr 02:00:00:00:00:99 nud permanent dev \(end)",
                    "takes 10.45.0.2 to be at 02:00:00:00:00:99"
                ),
            ] {
                let broken = try await host.shell(line)
                try #require(broken.status == 0, "\(broken)")
                let found = try await host.swnet("check")
                #expect(found.status == 1 && found.output.contains(words), "\(found)")
                let repaired = try await host.swnet("repair")
                #expect(repaired.status == 0 && repaired.output.contains(words), "\(repaired)")
                #expect(try await host.net("check") == "")
                #expect(try await host.answer("TCP:10.45.0.2:80")?.hasSuffix("one") == true)
            }
            // Who else is told what everybody should hear: that may be meant, by somebody else.
            let stranger = "00:00:00:00:00:00 dev vx-x dst 192.0.2.66"
            try await host.must(["bash", "-c", "bridge fdb append \(stranger)"])
            let found = try await host.swnet("check")
            #expect(
                found.status == 1 && found.output.contains("sends to 192.0.2.66, which nothing asks for"), "\(found)")
            #expect(found.output.contains("bridge fdb del \(stranger)"), "\(found)")
            #expect(try await host.swnet("repair").status == 1)
            try await host.must(["bash", "-c", "bridge fdb del \(stranger)"])
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `the mode of a macvlan`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "wire", "-d", "macvlan", "-o", "parent=eth0", "--subnet", "192.0.2.0/24")
            try await host.must(["ip", "netns", "add", "one"])
            try await host.net("connect", "wire", "one", "--ip", "192.0.2.77")
            #expect(try await host.net("check") == "")
            try await host.must(["ip", "-n", "one", "link", "set", "eth0", "type", "macvlan", "mode", "private"])
            let found = try await host.swnet("check")
            #expect(
                found.status == 1 && found.output.contains("eth0 has the mode private instead of bridge"), "\(found)")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            let link = try await host.json(["ip", "-d", "-j", "link", "show", "eth0"], at: .inside("one"))[0]
            #expect(link["linkinfo"]["info_data"]["mode"].text == "bridge")
        }
    }

    @Test(
        .enabled("this kernel's bridges filter no VLANs") {
            let line = "ip link add x type bridge && ip link set x type bridge vlan_filtering 1"
            return try await Command.run(["unshare", "-n", "bash", "-c", line]).status == 0
        })
    func `a bridge that filters VLANs`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.shell(
                "ip link set sw-lab type bridge vlan_filtering 1; bridge vlan del vid 1 dev \(Self.port)")
            #expect(try await host.ask("TCP:127.0.0.1:8080") == nil)
            let found = try await host.swnet("check")
            #expect(found.status == 1 && found.output.contains("the bridge sw-lab filters VLANs"), "\(found)")
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
        }
    }

    /// What leads packets elsewhere that are for a sandbox, and how it is taken back.
    @Test(arguments: [
        ("ip rule add to 10.44.0.0/24 blackhole", "ip rule del to 10.44.0.0/24 blackhole", "10.44.0.2 is thrown away"),
        (
            "ip rule add to 10.44.0.0/24 prohibit", "ip rule del to 10.44.0.0/24 prohibit",
            "10.44.0.2 is refused: Permission denied"
        ),
        (
            "ip rule add to 10.44.0.0/24 table 77; ip route add 10.44.0.0/24 dev eth0 table 77",
            "ip rule del to 10.44.0.0/24 table 77", "10.44.0.2 goes out by eth0"
        ),
        ("ip route add 10.44.0.2/32 dev eth0", "ip route del 10.44.0.2/32 dev eth0", "10.44.0.2 goes out by eth0"),
        (
            "ip route add 10.44.0.2/32 via 10.44.0.99 dev sw-lab", "ip route del 10.44.0.2/32",
            "10.44.0.2 goes out by sw-lab"
        ),
        (
            "ip address add 10.44.0.2/32 dev eth0", "ip address del 10.44.0.2/32 dev eth0",
            "10.44.0.2 stays here, it has the address itself"
        ),
        ("ip route add 10.44.0.0/28 dev eth0", "ip route del 10.44.0.0/28 dev eth0", "10.44.0.2 goes out by eth0"),
        ("ip route add blackhole 10.44.0.2", "ip route del blackhole 10.44.0.2", "10.44.0.2 is thrown away"),
        (
            "ip route add fd00:44::2/128 dev eth0", "ip route del fd00:44::2/128 dev eth0",
            "fd00:44::2 goes out by eth0"
        ),
        (
            "ip route add fd00:44::/64 dev eth0 metric 9", "ip route del fd00:44::/64 dev eth0 metric 9",
            "fd00:44::2 goes out by eth0"
        ),
    ])
    func `somebody else's routes and rules`(line: String, undo: String, words: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            // What leads others elsewhere is theirs.
            try await host.must(["ip", "route", "add", "10.99.0.0/16", "dev", "eth0"])
            try await host.must(["ip", "rule", "add", "to", "10.98.0.0/16", "blackhole"])
            #expect(try await host.net("check") == "")
            try await host.shell(line)
            let found = try await host.swnet("check")
            #expect(
                found.status == 1 && found.output.contains("network lab: what the host has for \(words)"), "\(found)")
            // It is not ours to take away.
            #expect(try await host.swnet("repair").status == 1)
            try await host.must(["bash", "-c", undo])
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `records that others may write`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            for folder in ["/run/swnet", "/var/lib/swnet", "/var/lib/swnet/networks"] {
                try await host.must(["chmod", "777", folder])
                let found = try await host.swnet("check")
                #expect(found.status == 1 && found.output.contains("folder \(folder): others may write"), "\(found)")
                try await host.must(["chmod", "go-w", folder])
                #expect(try await host.net("check") == "")
                try await host.must(["chown", "1000", folder])
                #expect(try await host.swnet("check").output.contains("folder \(folder): it is of the user 1000"))
                try await host.must(["chown", "root", folder])
            }
        }
    }

    @Test func `a repair disturbs nothing that is right`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            _ = try await host.serve("other", on: "lab")
            let indexes = "ip -o link | cut -d: -f1-2 && ip -n other -o link | cut -d: -f1-2"
            let before = try await host.must(["bash", "-c", indexes])
            #expect(before.contains("sw-lab") && before.contains("eth0"))
            // A connection that is open stays open while another sandbox's link is made again.
            let line = "exec 3<>/dev/tcp/127.0.0.1/8080; read -t 30 -u 3 answer; sleep 3; echo done"
            let client = try host.start(["bash", "-c", line])
            try await host.shell("ip -n other addr flush dev eth0")
            try await host.net("repair")
            #expect(try await host.shell(indexes).output == before)
            #expect(await client.result.output == "done")
        }
    }

    @Test func `a foreign chain that drops is told, and is not ours to repair`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["nft", "add table inet theirs"])
            try await host.must([
                "nft", "add chain inet theirs forward { type filter hook forward priority 0; policy drop; }",
            ])
            let found = try await host.swnet("check")
            #expect(found.status == 0 && found.output.contains("inet theirs forward"), "\(found)")
            let json = try await host.json([NetworkHost.swnet, "check", "--format", "json"])[0]
            #expect(!json["repairable"].isTrue && json["advice"].text != nil, "\(json)")
            // It is true: nothing comes through. And the advice helps.
            #expect(try await host.ask("TCP:192.0.2.1:8080", at: .neighbour) == nil)
            try await host.must(["nft", "add rule inet theirs forward iifname \"sw-*\" accept"])
            try await host.must(["nft", "add rule inet theirs forward oifname \"sw-*\" accept"])
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            #expect(try await host.must(["nft", "list", "chain", "inet", "theirs", "forward"]).contains("policy drop"))
        }
    }

    @Test func `what the dead leave is released`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            try await host.must(["ip", "netns", "pids", "web"])
            try await host.shell("ip netns pids web | xargs -r kill; ip netns del web")
            let gone = try await eventually { try await host.swnet("check").output.contains("namespace is gone") }
            #expect(gone)
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await host.elements("published4") == [])
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }
}
