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
            + addresses.map { "ip address add \($0) dev \(name) $(nodad \($0))" }
            + ["tc qdisc add dev \(name) clsact", "ip link set \(name) up"]
    }

    /// - Parameters:
    ///   - number: Of the interface, from 0.
    ///   - metric: Of the default routes.
    private static func port(
        _ bridge: String, _ addresses: [String], _ gateways: [String], isV6: Bool, number: Int = 0, metric: Int? = nil
    ) -> [String] {
        let (end, link) = ("veth\(String(repeating: "\(number)", count: 8))", "eth\(number)")
        return [
            "ip link add \(end) type veth peer name \(link) netns web address $(mac \(2 + number))",
            "ip link set \(end) addrgenmode none master \(bridge) up",
            "ip link set \(end) type bridge_slave hairpin on",
        ] + inside(link, addresses, isV6: isV6)
            + gateways.map { gateway in
                "ip -n web route add default via \(gateway) dev \(link)" + (metric.map { " metric \($0)" } ?? "")
            }
    }

    /// An interface that is in the sandbox already.
    private static func inside(_ link: String, _ addresses: [String], isV6: Bool) -> [String] {
        ["inside web \(link) \(isV6 ? 1 : 0)"]
            + addresses.map { "ip -n web address add \($0) dev \(link) $(nodad \($0))" }
            + ["ip -n web link set \(link) up"]
    }

    /// One that stands on an interface of the host: made under another name, which is free here.
    private static func above(_ parent: String, _ kind: String, _ address: String) -> [String] {
        ["ip link add a0 link \(parent) netns web type \(kind)", "ip -n web link set a0 name eth0"]
            + inside("eth0", [address], isV6: false)
    }

    static let shapes: [Shape] =
        [
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
                byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                    + port("sw-lab", ["10.44.0.2/24"], [], isV6: false)),
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
                byHand: above("eth0", "macvlan mode bridge", "192.0.2.70/24")
                    + ["ip -n web route add default via 192.0.2.2 dev eth0"]),
        ]
        + ["private", "vepa"].map { mode in
            Shape(
                name: "macvlan, \(mode)", before: [web],
                ours: [
                    "swnet create m -d macvlan --opt parent=eth0 --opt mode=\(mode) --subnet 192.0.2.0/24 --gateway 192.0.2.2",
                    "swnet connect m web --ip 192.0.2.70",
                ],
                byHand: above("eth0", "macvlan mode \(mode)", "192.0.2.70/24")
                    + ["ip -n web route add default via 192.0.2.2 dev eth0"])
        } + [
            Shape(
                name: "macvlan, passthru",
                before: [web, "ip link add d0 type veth peer name d1; ip link set d0 up; ip link set d1 up"],
                ours: [
                    "swnet create m -d macvlan --opt parent=d0 --opt mode=passthru --subnet 10.48.0.0/24",
                    "swnet connect m web",
                ],
                byHand: above("d0", "macvlan mode passthru", "10.48.0.2/24")
                    + ["ip -n web route add default via 10.48.0.1 dev eth0"]),
            Shape(
                name: "VXLAN of a group", before: [web],
                ours: [
                    "swnet create x -d vxlan --opt vni=7 --opt group=239.1.1.7 --opt parent=eth0 --subnet 10.46.0.0/24",
                    "swnet connect x web",
                ],
                byHand: bridge("sw-x", "10.46.0.1/24", isV6: false)
                    + [
                        "ip link set sw-x mtu 1450",
                        "ip link add vx-x mtu 1450 type vxlan id 7 dstport 4789 group 239.1.1.7 dev eth0",
                        "ip link set vx-x master sw-x up",
                    ] + port("sw-x", ["10.46.0.2/24"], ["10.46.0.1"], isV6: false)
                    + ["ip link set veth00000000 mtu 1450; ip -n web link set eth0 mtu 1450"]),
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
                    "ip link add veth00000000 type veth peer name eth0 netns web address $(mac 2)",
                    "quiet veth00000000 0",
                    "ip address add 10.45.0.1/32 dev veth00000000", "tc qdisc add dev veth00000000 clsact",
                    "ip link set veth00000000 up", "ip route add 10.45.0.2/32 dev veth00000000", "inside web eth0 0",
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
                    + port("sw-more", ["10.45.0.2/24"], ["10.45.0.1"], isV6: false, number: 1, metric: 100)),
            Shape(
                name: "two networks, of which the second gives the default route", before: [web],
                ours: [
                    "swnet create lab --subnet 10.44.0.0/24",
                    "swnet create more --subnet 10.45.0.0/24 --subnet fd00:45::/64",
                    "swnet connect lab web", "swnet connect more web --gw-priority 1",
                ],
                byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                    + bridge("sw-more", "10.45.0.1/24", "fd00:45::1/64", isV6: true)
                    + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false, metric: 100)
                    + port(
                        "sw-more", ["10.45.0.2/24", "fd00:45::2/64"], ["10.45.0.1", "fd00:45::1"], isV6: true, number: 1
                    )),
            Shape(
                name: "device of the host",
                before: [web, "ip link add dev0 type veth peer name dev1; ip link set dev1 up"],
                ours: [
                    "swnet create d -d host-device --opt device=dev0 --subnet 10.48.0.0/24 --subnet fd00:48::/64",
                    "swnet connect d web",
                ],
                byHand: ["ip link set dev0 netns web name eth0"]
                    + inside("eth0", ["10.48.0.2/24", "fd00:48::2/64"], isV6: true)
                    // Behind it is a wire that may lose what is said once, and neighbours that may know another there.
                    + [
                        "ip netns exec web sysctl -qw net.ipv6.conf.eth0.mldv2_unsolicited_report_interval=1000 "
                            + "net.ipv6.conf.eth0.ndisc_notify=1"
                    ]
                    + ["10.48.0.1", "fd00:48::1"].map { "ip -n web route add default via \($0) dev eth0" }),
            Shape(
                name: "static routes and blackholes", before: [web],
                ours: [
                    "swnet create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64 --route 10.8.0.0/16,10.44.0.9 "
                        + "--route 10.7.0.0/16,10.44.0.8,50 --route fd00:8::/64,fd00:44::9 --route blackhole:10.9.0.0/16 "
                        + "--route blackhole:fd00:9::/64",
                    "swnet connect lab web",
                ],
                byHand: bridge("sw-lab", "10.44.0.1/24", "fd00:44::1/64", isV6: true)
                    + port("sw-lab", ["10.44.0.2/24", "fd00:44::2/64"], ["10.44.0.1", "fd00:44::1"], isV6: true)
                    + [
                        "ip -n web route add 10.8.0.0/16 via 10.44.0.9",
                        "ip -n web route add 10.7.0.0/16 via 10.44.0.8 metric 50",
                        "ip -n web route add fd00:8::/64 via fd00:44::9", "ip -n web route add blackhole 10.9.0.0/16",
                        "ip -n web route add blackhole fd00:9::/64",
                    ]),
            Shape(
                name: "isolated ports", before: [web],
                ours: ["swnet create lab --isolate-ports --subnet 10.44.0.0/24", "swnet connect lab web"],
                byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                    + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false)
                    + ["ip link set veth00000000 type bridge_slave isolated on"]),
            Shape(
                // The addresses that a port may use are in the firewall alone.
                name: "ports that are looked at", before: [web],
                ours: [
                    "swnet create lab --antispoof --isolation strict --subnet 10.44.0.0/24", "swnet connect lab web",
                ],
                byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                    + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false)),
            Shape(
                // A burst is 10 ms of the rate, and what waits is 50 ms of it.
                name: "rate limits", before: [web],
                ours: [
                    "swnet create lab --subnet 10.44.0.0/24",
                    "swnet connect lab web --egress 10mbit --ingress 100mbit,256kb",
                ],
                byHand: bridge("sw-lab", "10.44.0.1/24", isV6: false)
                    + port("sw-lab", ["10.44.0.2/24"], ["10.44.0.1"], isV6: false)
                    + [
                        "tc qdisc add dev veth00000000 root handle 1: tbf rate 100mbit burst 256kb latency 50ms",
                        "ip link add ifb00000000 numtxqueues 1 numrxqueues 1 type ifb; ip link set ifb00000000 up",
                        "tc qdisc add dev ifb00000000 root handle 1: tbf rate 10mbit burst 12500 latency 50ms",
                        "tc qdisc add dev veth00000000 clsact",
                        "tc filter add dev veth00000000 ingress protocol all prio 2 u32 match u32 0 0 "
                            + "action mirred egress redirect dev ifb00000000",
                    ]),
        ]

    // MARK: - What not every kernel has

    private static let l2 = "--subnet 192.0.2.0/24 --gateway 192.0.2.2 --ip-range 192.0.2.64/26"

    private static let ipvlans = ["l2", "l3", "l3s"].map { mode in
        Shape(
            name: "ipvlan in the mode \(mode)", before: [web],
            ours: [
                "swnet create i -d ipvlan --opt parent=eth0 --opt mode=\(mode) \(l2)",
                "swnet connect i web --ip 192.0.2.70",
            ],
            byHand: above("eth0", "ipvlan mode \(mode)", "192.0.2.70/24")
                // In the others it is the host that knows the way.
                + ["ip -n web route add default \(mode == "l2" ? "via 192.0.2.2 " : "")dev eth0"])
    }

    private static let vlan = Shape(
        name: "VLAN", before: [web],
        ours: ["swnet create v -d vlan --opt parent=eth0 --opt id=7 --subnet 10.44.0.0/24", "swnet connect v web"],
        byHand: above("eth0", "vlan id 7", "10.44.0.2/24") + ["ip -n web route add default via 10.44.0.1 dev eth0"])

    private static let dummy = Shape(
        name: "dummy", before: [web],
        ours: ["swnet create n -d dummy --subnet 10.44.0.0/24", "swnet connect n web"],
        byHand: ["ip link add a0 netns web type dummy", "ip -n web link set a0 name eth0"]
            + inside("eth0", ["10.44.0.2/24"], isV6: false))

    private static func hasLinks(of kind: String, _ options: String = "") -> ConditionTrait {
        .enabled("this kernel has no links of kind \(kind)") {
            let line = "ip link add a type veth peer name b && ip link add c link a type \(kind) \(options)"
            return try await Command.run(["unshare", "--net", "sh", "-c", line]).status == 0
        }
    }

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
            at tc -j qdisc show | jq -c '.[] | select(.kind != "noqueue") | [.dev, .kind, .handle, .parent, .options]' \
                | sed "s/^/$space qdisc /"
        done
        bridge fdb show | grep ' dst '
        for link in $(tc -j qdisc show | jq -r '.[] | select(.kind == "clsact").dev'); do
            for way in ingress egress; do
                # No object file of theirs holds the programs of the gates, which other tests try.
                tc -j filter show dev $link $way | jq -c '.[] | select(.kind != "bpf")' | sed "s/^/$link $way filter /"
            done
        done
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
                    $0.replacing(/(veth|sw-)[0-9a-f]{8}/, with: "vethX").replacing(/ifb[0-9a-f]{8}/, with: "ifbX")
                }.sorted()
                return result == last && !result.contains { $0.contains("tentative\":true") }
            }
        }
        return result
    }

    @Test(arguments: shapes)
    func `made by swnet and by hand`(shape: Shape) async throws { try await compare(shape) }

    @Test(hasLinks(of: "ipvlan"), arguments: ipvlans)
    func `ipvlan, by swnet and by hand`(shape: Shape) async throws { try await compare(shape) }

    @Test(hasLinks(of: "vlan", "id 9"))
    func `a VLAN, by swnet and by hand`() async throws { try await compare(Self.vlan) }

    @Test(hasLinks(of: "dummy"))
    func `a dummy, by swnet and by hand`() async throws { try await compare(Self.dummy) }

    private func compare(_ shape: Shape) async throws {
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
