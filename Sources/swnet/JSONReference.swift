/// What a command prints as JSON: every member, its type and its meaning, for the command's help.
///
/// A test compares these with what is printed, in both directions.
struct JSONReference {
    /// `a.b` is the member b of a, `a[]` an element of a list; `a.*` has names that somebody else chooses. One with a
    /// question mark is missing where there is nothing to say.
    private let members: [(path: String, type: String, meaning: String)]
    private let heading: String

    init(_ heading: String, _ members: [(String, String, String)]) {
        self.heading = heading
        self.members = members
    }

    /// The heading, and a line for each member.
    var text: String {
        let width = members.map(\.path.count).max() ?? 0
        let lines = members.map { path, type, meaning in
            "  \(path)\(String(repeating: " ", count: width - path.count + 2))\(type)"
                + "\(String(repeating: " ", count: max(0, 7 - type.count) + 2))\(meaning)"
        }
        return ([heading] + lines).joined(separator: "\n")
    }

    /// What a network is, in a listing and at the beginning of an inspection.
    private static let networkMembers = [
        ("name", "string", "the network's name"),
        ("driver", "string", "bridge, macvlan, ipvlan, vlan, vxlan, ptp, host-device or dummy"),
        ("bridge?", "string", "the bridge's interface in the host"),
        ("subnets[].subnet", "string", "a prefix that sandboxes get an address of"),
        ("subnets[].gateway?", "string", "the router's address in it"),
        ("subnets[].ranges[]?", "string", "the parts that are chosen from: FIRST-LAST"),
        ("subnets[].excluded[]?", "string", "addresses that are never chosen"),
        ("subnets[].alternative?", "boolean", "true when it is only for when the subnet before it is full"),
        ("mtu?", "number", "the largest packet in bytes"),
        ("internal", "boolean", "no way out and none in"),
        ("routes[]?", "string", "for every sandbox, as they were given"),
        ("options.*?", "string", "the driver's options as they were given"),
        ("isolation", "string", "towards other networks: on, off or strict"),
        ("isolatePorts", "boolean", "sandboxes do not reach each other"),
        ("antispoof", "boolean", "what is sent under another's address is dropped"),
        ("announceAll?", "boolean", "all neighbours are told of each newcomer, however many they are"),
        ("sources[]?", "string", "the host's addresses that go out"),
        ("keepsSources?", "boolean", "the sandboxes' own addresses go out"),
        ("dhcp?", "boolean", "a DHCP server gives the addresses of IPv4"),
        ("dhcp6?", "boolean", "a DHCP server gives the addresses of IPv6"),
        ("slaac?", "boolean", "the kernel makes addresses of IPv6 from what routers advertise"),
    ]

    static let network = JSONReference(
        "A network:",
        networkMembers + [
            ("sandboxes[].name", "string", "who is connected"),
            ("sandboxes[].interface", "string", "the interface in the sandbox"),
            ("sandboxes[].hostInterface?", "string", "its other end, in the host"),
            ("sandboxes[].mac?", "string", "its Ethernet address"),
            ("sandboxes[].addresses[]", "string", "ADDRESS/LENGTH, one of each subnet or of one that stands in for it"),
            ("sandboxes[].ports[]", "string", "what the sandbox publishes: [HOSTIP:]HOSTPORT:PORT/PROTOCOL"),
            ("sandboxes[].settings.egress?", "string", "the most that it sends: RATE[,BURST]"),
            ("sandboxes[].settings.ingress?", "string", "the most that it receives"),
            (
                "sandboxes[].settings.gatewayPriority?", "number",
                "of several networks, the highest has the default route"
            ),
            ("sandboxes[].settings.metric?", "number", "of its default route"),
            ("sandboxes[].settings.sysctls[]?", "string", "NAME=VALUE"),
            ("sandboxes[].settings.mtu?", "number", "bytes"),
            ("sandboxes[].settings.routes[]?", "string", "the network's static routes"),
        ])

    static let sandbox = JSONReference(
        "A sandbox:",
        [
            ("name", "string", "its name"),
            ("namespace.path?", "string", "the namespace's file, where it was named by that"),
            ("namespace.pid?", "number", "the process whose namespace it is, where it was named by that"),
            ("namespace.startTime?", "number", "when that process started, in clock ticks since the boot"),
            ("namespace.device", "number", "of the namespace's file"),
            ("namespace.inode", "number", "of the namespace's file"),
            ("endpoints[].network", "string", "the network's name"),
            ("endpoints[].interface", "string", "the interface in the sandbox"),
            ("endpoints[].link.kind", "string", "port, ptp, macvlan, ipvlan, vlan, moved or dummy"),
            ("endpoints[].link.host?", "string", "port, ptp: the other end, in the host"),
            ("endpoints[].link.bridge?", "string", "port: the bridge that the other end is a port of"),
            ("endpoints[].link.parent?", "string", "macvlan, ipvlan, vlan: the host's interface"),
            ("endpoints[].link.mode?", "string", "macvlan, ipvlan: the mode"),
            ("endpoints[].link.id?", "number", "vlan: the tag"),
            ("endpoints[].link.device?", "string", "moved: its name in the host"),
            ("endpoints[].link.mac?", "string", "moved: the Ethernet address that it had there"),
            ("endpoints[].link.mtu?", "number", "moved: its largest packet there"),
            ("endpoints[].mac?", "string", "the Ethernet address"),
            ("endpoints[].addresses[]", "string", "ADDRESS/LENGTH"),
            ("endpoints[].gateways[]", "string", "the routers of its default routes"),
            ("endpoints[].deviceRoutes[]?", "string", "v4, v6: default routes without a router"),
            ("endpoints[].metric?", "number", "what is added to the metric of its default routes"),
            ("endpoints[].mtu?", "number", "bytes"),
            ("endpoints[].internal?", "boolean", "the network is internal"),
            ("endpoints[].isolated?", "boolean", "the network's sandboxes do not reach each other"),
            ("endpoints[].takesPorts?", "boolean", "ports can be published that lead there"),
            ("endpoints[].aliases[]?", "string", "other names of the sandbox on the network"),
            ("endpoints[].nameServers[]?", "string", "who answers for names"),
            ("endpoints[].labels.*?", "string", "what whoever connected it has noted"),
            ("endpoints[].routes[]?", "string", "static routes"),
            (
                "endpoints[].handedOn?", "boolean",
                "plugins behind swnet may have changed its Ethernet address, mtu and kernel parameters"
            ),
            ("endpoints[].dhcp.server?", "string", "the DHCP server that gave the address"),
            ("endpoints[].dhcp.seconds?", "number", "how long the lease is good for, unless it is renewed"),
            ("endpoints[].dhcp6.seconds?", "number", "the same of the address of IPv6"),
            ("endpoints[].slaac?", "boolean", "the kernel makes addresses that are not among these"),
            ("endpoints[].egress?", "string", "the most that it sends: RATE[,BURST]"),
            ("endpoints[].ingress?", "string", "the most that it receives"),
            ("endpoints[].gatewayPriority?", "number", "of several networks, the highest has the default route"),
            ("endpoints[].fixedMetric?", "number", "the metric that was asked for"),
            ("endpoints[].sysctls[]?", "string", "NAME=VALUE"),
            ("ports[]", "string", "what it publishes: [HOSTIP:]HOSTPORT:PORT/PROTOCOL"),
            ("chosenPorts[]?", "string", "those of them whose host port was chosen"),
            ("chosenFor[]?", "string", "what each of these was chosen for, as it was asked for"),
        ])

    static let list = JSONReference("With json, a list of:", networkMembers)

    static let ports = JSONReference(
        "With json, a list of:",
        [
            ("sandbox", "string", "who publishes it"),
            ("protocol", "string", "tcp, udp or sctp"),
            ("hostAddress?", "string", "null for every address of the host"),
            ("hostPorts", "string", "PORT or FIRST-LAST"),
            ("ports", "string", "in the sandbox, as many"),
            ("targets[]", "string", "the sandbox's addresses that they lead to"),
        ])

    static let differences = JSONReference(
        "With json, a list of:",
        [
            ("object", "string", "what it is about: network lab, web on lab, firewall"),
            ("problem", "string", "how it is different"),
            ("repairable", "boolean", "it is ours, and 'swnet repair' makes it right"),
            ("remedy?", "string", "how it does so"),
            ("advice?", "string", "what a person can do, where it is somebody else's"),
        ])

    static let repairs = JSONReference(
        "With json, a list of:",
        [
            ("object", "string", "what it is about: network lab, web on lab, firewall"),
            ("problem", "string", "how it was different, or still is"),
            ("repairable", "boolean", "it is ours, and can be made right without a person"),
            ("remedy?", "string", "how"),
            ("repaired", "boolean", "it has been made right"),
            ("advice?", "string", "what a person can do, where it is somebody else's"),
        ])

    static let hosts = JSONReference(
        "With json, a list of:",
        [
            ("address", "string", "an address of a sandbox"),
            ("sandbox", "string", "its name"),
            ("network", "string", "where it has the address"),
            ("names[]", "string", "what it is called, as on the line"),
        ])

    static let events = JSONReference(
        "With json, a line is an object:",
        [
            ("time", "string", "RFC 3339, UTC, to the millisecond"),
            (
                "event", "string",
                "network-created, network-removed, connected, disconnected, published, unpublished, interfered, damaged, "
                    + "mended, repaired or lost"
            ),
            ("network?", "string", "which network"),
            ("sandbox?", "string", "which sandbox"),
            ("interface?", "string", "the interface in the sandbox"),
            ("addresses[]?", "string", "ADDRESS/LENGTH"),
            ("port?", "string", "[HOSTIP:]HOSTPORT:PORT/PROTOCOL"),
            ("object?", "string", "what is different: network lab, web on lab, firewall, table inet swnet"),
            ("problem?", "string", "how"),
            ("pid?", "number", "the process that interfered"),
            ("command?", "string", "its name"),
        ])

    static let graph = JSONReference(
        "json:",
        [
            ("networks[].name", "string", "in the order of the names"),
            ("networks[].driver", "string", "bridge, macvlan …"),
            ("networks[].interface?", "string", "the bridge, or the host's interface that it stands on"),
            ("networks[].subnets[]", "string", "prefixes"),
            ("networks[].internal", "boolean", "no way out and none in"),
            ("networks[].open", "boolean", "the host routes between it and the outside"),
            ("sandboxes[]", "string", "names"),
            ("endpoints[].sandbox", "string", "who is connected"),
            ("endpoints[].network", "string", "to what"),
            ("endpoints[].interface", "string", "in the sandbox"),
            ("endpoints[].hostInterface?", "string", "its other end, in the host"),
            ("endpoints[].addresses[]", "string", "without a length"),
            ("ports[].sandbox", "string", "who publishes it"),
            ("ports[].host", "string", "[HOSTIP:]PORT or [HOSTIP:]FIRST-LAST"),
            ("ports[].inside", "string", "the sandbox's port or ports"),
            ("ports[].protocol", "string", "tcp, udp or sctp"),
        ])

    static let trace = JSONReference(
        "With json:",
        [
            ("protocol", "string", "tcp, udp or icmp"),
            ("address", "string", "where the packet was sent to"),
            ("port?", "number", "the same"),
            ("sender", "string", "this host, sandbox NAME, or somebody"),
            ("outcome", "string", "answered, refused, passed, dropped, lost, unsent or unseen"),
            ("reason", "string", "what happened"),
            ("advice?", "string", "what to do"),
            ("notes[]?", "string", "what else has to be known"),
            ("destination[]?", "string", "what is known of the packet's last address"),
            ("answer.kind?", "string", "syn-ack, reset, data, echo-reply, icmp or seen"),
            ("answer.from?", "string", "who sent it"),
            ("answer.message?", "string", "of an ICMP error"),
            ("answer.microseconds?", "number", "since the packet was sent"),
        ] + packet("packet", "when it was first seen")
            + [
                ("stations[].place?", "string", "host, or sandbox NAME"),
                (
                    "stations[].hook?", "string",
                    "prerouting, input, forward, output or postrouting, of frames with bridge before it"
                ),
                ("stations[].input?", "string", "the interface that it came in by"),
                ("stations[].output?", "string", "the interface that it leaves by"),
                ("stations[].leftOutput?", "string", "the same after a translation, when that is another"),
            ] + packet("stations[].packet", "when it came") + packet("stations[].left", "when it left")
            + [
                ("stations[].chains[].chain?", "string", "FAMILY TABLE CHAIN"),
                ("stations[].chains[].ours?", "boolean", "it is in our table"),
                ("stations[].chains[].priority?", "number", "its place among the chains of the hook"),
                ("stations[].chains[].policy?", "string", "accept or drop, where no rule decided"),
                ("stations[].chains[].verdict?", "string", "accept or drop"),
                ("stations[].chains[].rules[].chain?", "string", "the chain that it is in, which may be jumped to"),
                ("stations[].chains[].rules[].handle?", "number", "the kernel's number of the rule"),
                ("stations[].chains[].rules[].text?", "string", "the rule as nft writes it"),
                ("stations[].chains[].rules[].comment?", "string", "its comment"),
                ("stations[].chains[].rules[].verdict?", "string", "what it decided"),
                ("answerStations[]?", "object", "as stations[], of the answer"),
            ])

    private static func packet(_ path: String, _ when: String) -> [(String, String, String)] {
        [
            ("\(path).source?", "string", "the packet's address \(when)"),
            ("\(path).sourcePort?", "number", "the same"),
            ("\(path).destination?", "string", "the same"), ("\(path).destinationPort?", "number", "the same"),
        ]
    }
}
