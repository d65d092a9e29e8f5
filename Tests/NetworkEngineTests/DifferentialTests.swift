import TestSupport
import Testing

/// The same network made by swnet and by hand with `ip` is the same to the kernel.
@Suite("the same by hand", .serialized)
struct DifferentialTests {
    struct Shape: Sendable, CustomTestStringConvertible {
        var name: String
        /// What both begin with.
        var before: [String] = []
        /// Lines of shell; `swnet` is ours.
        var ours: [String]
        /// The same by hand; `pair HOST SANDBOX MAC` and `mac N` are short for what is done every time.
        var byHand: [String]
        var testDescription: String { name }
    }

    private static let web = "ip netns add web; ip -n web link set lo up"

    /// A bridge as swnet makes them, and a sandbox on it.
    private static func bridge(_ name: String, _ addresses: String..., isV6: Bool) -> [String] {
        [
            "ip link add \(name) address $(mac 1) type bridge stp_state 0 forward_delay 0",
            "quiet \(name) \(isV6 ? 1 : 0)",
        ]
            + addresses.map { "ip address add \($0) dev \(name) $(nodad \($0))" } + ["ip link set \(name) up"]
    }

    private static func port(_ bridge: String, _ addresses: [String], _ gateways: [String], isV6: Bool) -> [String] {
        let inside = "ip -n web"
        return [
            "ip link add veth00000000 type veth peer name eth0 netns web address $(mac 2)",
            "ip link set veth00000000 addrgenmode none master \(bridge) up",
            "ip link set veth00000000 type bridge_slave hairpin on", "inside web eth0 \(isV6 ? 1 : 0)",
        ] + addresses.map { "\(inside) address add \($0) dev eth0 $(nodad \($0))" } + ["\(inside) link set eth0 up"]
            + gateways.map { "\(inside) route add default via \($0) dev eth0" }
    }

    static let shapes: [Shape] = [
        Shape(
            name: "bridge of IPv4", before: [web],
            ours: ["swnet create lab --subnet 10.44.0.0/24", "swnet connect lab web"],
            byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false)),
        Shape(
            name: "bridge of IPv6", before: [web],
            ours: ["swnet create lab --subnet fd00:44::/64", "swnet connect lab web"],
            byHand: bridge("sw-lab", "fd00:44::1/64", isV6: true)
                + port("sw-lab", ["fd00:44::2/64"], ["fd00:44::1"], isV6: true)),
        Shape(
            name: "bridge of both", before: [web],
            ours: ["swnet create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64", "swnet connect lab web"],
            byHand: bridge("sw-lab", "10.44.0.1/24", "fd00:44::1/64", isV6: true)
                + port("sw-lab", ["10.44.0.2/24", "fd00:44::2/64"], ["10.44.0.1", "fd00:44::1"], isV6: true)),
        Shape(
            name: "internal bridge", before: [web],
            ours: ["swnet create lab --internal --subnet 10.44.0.0/24", "swnet connect lab web"],
            byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false) + port("sw-lab", ["10.44.0.2/24"], [], isV6: false)),
        Shape(
            name: "existing bridge",
            before: [web, "ip link add br0 type bridge; ip address add 10.47.0.1/24 dev br0; ip link set br0 up"],
            ours: ["swnet create e --opt bridge=br0 --subnet 10.47.0.0/24", "swnet connect e web"],
            byHand: port("br0", ["10.47.0.2/24"], ["10.47.0.1"], isV6: false)),
        Shape(
            name: "macvlan", before: [web],
            ours: [
                "swnet create m -d macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --gateway 192.0.2.2 --ip-range 192.0.2.64/26",
                "swnet connect m web --ip 192.0.2.70",
            ],
            byHand: [
                "ip link add m0 link eth0 netns web type macvlan mode bridge", "ip -n web link set m0 name eth0",
                "inside web eth0 0", "ip -n web address add 192.0.2.70/24 dev eth0", "ip -n web link set eth0 up",
                "ip -n web route add default via 192.0.2.2 dev eth0",
            ]),
        Shape(
            name: "VXLAN", before: [web],
            ours: [
                "swnet create x -d vxlan --opt vni=7 --opt peers=192.0.2.2 --subnet 10.46.0.0/24",
                "swnet connect x web",
            ],
            byHand: bridge("sw-x", "10.46.0.1/24", isV6: false)
                + [
                    "ip link set sw-x mtu 1450", "ip link add vx-x mtu 1450 type vxlan id 7 dstport 4789",
                    "ip link set vx-x master sw-x up", "bridge fdb append 00:00:00:00:00:00 dev vx-x dst 192.0.2.2",
                ] + port("sw-x", ["10.46.0.2/24"], ["10.46.0.1"], isV6: false)
                + ["ip link set veth00000000 mtu 1450; ip -n web link set eth0 mtu 1450"]),
        Shape(
            name: "ptp", before: [web],
            ours: ["swnet create p -d ptp --subnet 10.45.0.0/24", "swnet connect p web"],
            byHand: [
                "ip link add veth00000000 type veth peer name eth0 netns web address $(mac 2)", "quiet veth00000000 0",
                "ip address add 10.45.0.1/32 dev veth00000000", "ip link set veth00000000 up",
                "ip route add 10.45.0.2/32 dev veth00000000", "inside web eth0 0",
                "ip -n web address add 10.45.0.2/32 dev eth0", "ip -n web link set eth0 up",
                "ip -n web route add default via 10.45.0.1 dev eth0 onlink",
            ]),
        Shape(
            name: "two networks", before: [web],
            ours: [
                "swnet create lab --subnet 10.44.0.0/24", "swnet create more --subnet 10.45.0.0/24",
                "swnet connect lab web", "swnet connect more web",
            ],
            byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false) + bridge("sw-more", "10.45.0.1/24", isV6: false)
                + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false)
                + [
                    "ip link add veth11111111 type veth peer name eth1 netns web",
                    "ip link set veth11111111 addrgenmode none master sw-more up",
                    "ip link set veth11111111 type bridge_slave hairpin on", "inside web eth1 0",
                    "ip -n web address add 10.45.0.2/24 dev eth1", "ip -n web link set eth1 up",
                    "ip -n web route add default via 10.45.0.1 dev eth1 metric 100",
                ]),
    ]

    private static let functions = #"""
        swnet() { "$SWNET" "$@"; }
        mac() { echo 02:00:00:00:00:0$1; }
        nodad() { case $1 in *:*) echo nodad ;; esac; }
        quiet() {
            sysctl -qw net.ipv6.conf.$1.accept_ra=0 net.ipv4.conf.$1.route_localnet=1
            [ $2 = 0 ] || sysctl -qw net.ipv6.conf.$1.accept_dad=0
        }
        inside() {
            ip netns exec $1 sysctl -qw net.ipv4.conf.$2.arp_notify=1 net.ipv6.conf.$2.accept_ra=0
            if [ $3 = 1 ]; then ip netns exec $1 sysctl -qw net.ipv6.conf.$2.accept_dad=0 \
                net.ipv6.conf.$2.mldv2_unsolicited_report_interval=86400000
            else ip netns exec $1 sysctl -qw net.ipv6.conf.$2.disable_ipv6=1; fi
        }
        """#

    /// What the kernel has: links with what they are made of, addresses, routes, parameters.
    private static let dump = #"""
        for space in "" web; do
            at() { if [ -n "$space" ]; then ip netns exec $space "$@"; else "$@"; fi; }
            at ip -j -d link show | jq -c '.[] | select(.ifname) | {ifname, mtu, master, operstate, group,
                up: (.flags | contains(["UP"])), kind: .linkinfo.info_kind, mode: .inet6_addr_gen_mode,
                data: (.linkinfo.info_data // {} | {mode, id, port, learning, stp_state, forward_delay, ageing_time, mcast_snooping}),
                slave: (.linkinfo.info_slave_data // {} | {hairpin, isolated, learning, flood})}' | sed "s/^/$space link /"
            at ip -j address show | jq -c '.[] | select(.ifname) | .ifname as $i | .addr_info[]
                | select(.scope != "link") | [$i, .local, .prefixlen, .scope, .nodad, .tentative, .broadcast]' | sed "s/^/$space address /"
            { at ip -j route show table all; at ip -6 -j route show table all; } | jq -c '.[]
                | select((.dst | test("fe80|ff00") | not)) | [.type, .dst, .gateway, .dev, .metric, .scope, .protocol, .table, .flags]' \
                | sed "s/^/$space route /"
            for link in $(at ls /proc/sys/net/ipv4/conf); do
                for parameter in ipv4/conf/$link/route_localnet ipv4/conf/$link/arp_notify ipv6/conf/$link/accept_ra \
                    ipv6/conf/$link/disable_ipv6 ipv6/conf/$link/ndisc_notify ipv6/conf/$link/accept_dad \
                    ipv6/conf/$link/mldv2_unsolicited_report_interval; do
                    echo "$space $parameter $(at cat /proc/sys/net/$parameter)"
                done
            done
        done
        bridge fdb show | grep ' dst '
        true
        """#

    private func dump(_ shape: Shape, _ lines: [String]) async throws -> [String] {
        var result: [String] = []
        try await NetworkHost.with { host in
            let script = (["set -e; SWNET=\(NetworkHost.swnet)", Self.functions] + shape.before + lines).joined(
                separator: "\n")
            let made = try await host.shell(script)
            guard made.status == 0 else { throw CommandError("\(made)") }
            // swnet has switched forwarding on, which is another test's matter.
            try await host.shell(
                "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.eth0.accept_ra=1")
            var last: [String] = []
            // Until carriers and addresses have settled.
            _ = try await eventually {
                try await Task.sleep(for: .milliseconds(300))
                last = result
                result = try await host.shell(Self.dump).lines.map {
                    $0.replacing(/(veth|sw-)[0-9a-f]{8}/, with: "vethX")
                }.sorted()
                return result == last && !result.contains { $0.contains("tentative\":true") }
            }
        }
        return result
    }

    @Test(arguments: shapes)
    func `made by swnet and by hand`(shape: Shape) async throws {
        let ours = try await dump(shape, shape.ours)
        let byHand = try await dump(shape, shape.byHand)
        let more = ours.filter { !byHand.contains($0) }
        let less = byHand.filter { !ours.contains($0) }
        #expect(more == [])
        #expect(less == [])
        #expect(ours.count > 10)
    }

    /// What nft reads of our table it can write again, and then the kernel has the same.
    @Test func `nft's words for the firewall make the same firewall`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
            for name in ["web", "db"] { try await host.must(["ip", "netns", "add", name]) }
            try await host.net(
                "connect", "lab", "web", "-p", "8080:80", "-p", "192.0.2.1:53:53/udp", "-p", "9000-9009:90-99")
            try await host.net("connect", "closed", "db")
            let list = "nft -s list table inet swnet"
            let before = try await host.must(["bash", "-c", list])
            let again = try await host.shell(
                "\(list) > /run/table && nft delete table inet swnet && nft -f /run/table && \(list)")
            #expect(again.status == 0, "\(again)")
            #expect(again.output == before)
            #expect(try await host.net("check") == "")
        }
    }
}
