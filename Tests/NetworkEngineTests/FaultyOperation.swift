import TestSupport
import Testing

private typealias Document = TestSupport.JSONValue

/// What a command of swnet does to a host that was prepared, to be made to fail at each of its steps.
struct FaultyOperation: Sendable, CustomTestStringConvertible {
    var name: String
    /// Lines of shell that prepare the host.
    var setup: [String]
    /// What is done, as words of swnet.
    var words = ""
    /// What is done as a CNI plugin instead: the command, and the configuration it gets.
    var plugin: (command: String, configuration: String)?
    /// Whether it takes something down: then it goes on past errors, and to the end when it was killed.
    var takesDown = false
    var testDescription: String { name }

    /// The line of shell that does it.
    func line(fault: String) -> String {
        guard let plugin else { return "SWNET_FAULT=\(fault) exec \(NetworkHost.swnet) \(words)" }
        return "export SWNET_FAULT=\(fault); \(Self.call(plugin.command, plugin.configuration))"
    }

    /// What it complains of: on standard error, or, as a plugin, on standard output as the specification has it.
    func complaint(_ result: CommandResult) throws -> String {
        guard plugin != nil else { return result.errors }
        let document = try Document(result.standardOutput)
        return [document["msg"].text, document["details"].text].compactMap(\.self).joined(separator: "; ")
    }
}

extension FaultyOperation {
    private static let web = "ip netns add web; ip -n web link set lo up"
    private static let lab = "$SWNET create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64"
    private static let guarded =
        "$SWNET create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64 --antispoof --isolate-ports"
    private static let limits = "--egress 10mbit --ingress 100mbit"
    private static let dhcp =
        "printf '%s\\n' 'start 192.0.2.50' 'end 192.0.2.250' 'interface eth0' 'lease_file /run/leases' "
        + "'pidfile /run/udhcpd.pid' 'option subnet 255.255.255.0' > /run/udhcpd.conf; touch /run/leases; "
        + "ip netns exec neighbour busybox udhcpd -S -a 1 /run/udhcpd.conf"

    private static let dhcp6 =
        "ip netns exec neighbour dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --enable-ra "
        + "--dhcp-leasefile=/run/leases6 --dhcp-range=2001:db8::100,2001:db8::1ff,64,10m --user=root "
        + "--pid-file=/run/dnsmasq.pid"
    private static let lan6 = "$SWNET create lan -d macvlan -o parent=eth0 --ipam dhcp6"

    private static let configuration =
        #"{"cniVersion": "1.0.0", "name": "pods", "type": "swnet", "ipam": {"subnet": "10.49.0.0/24"}, "#
        + #""runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]}}"#

    private static func call(_ command: String, _ configuration: String, _ container: String = "web") -> String {
        let variables = [
            "CNI_COMMAND=\(command)", "CNI_CONTAINERID=\(container)", "CNI_NETNS=/run/netns/\(container)",
            "CNI_IFNAME=eth0", "CNI_PATH=/none",
        ]
        return "\(variables.joined(separator: " ")) \(NetworkHost.swnet) <<<'\(configuration)'"
    }

    private static let ports = "-p 8080:80 -p 127.0.0.1:5300:53/udp -p 9000-9009:9000-9009"

    static let all: [FaultyOperation] = [
        FaultyOperation(
            name: "create a bridge", setup: [], words: "create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64"),
        FaultyOperation(name: "create a second", setup: [lab], words: "create more --subnet 10.45.0.0/24 --internal"),
        FaultyOperation(
            name: "create a VXLAN", setup: [],
            words: "create x --driver vxlan --opt vni=7 --opt peers=192.0.2.2 --subnet 10.46.0.0/24"),
        FaultyOperation(
            name: "create a macvlan", setup: [],
            words: "create m --driver macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26"),
        FaultyOperation(name: "connect", setup: [web, lab], words: "connect lab web \(ports)"),
        FaultyOperation(
            name: "connect after a reboot",
            setup: [web, lab, "ip link del sw-lab; nft delete table inet swnet; rm -r /run/swnet"],
            words: "connect lab web \(ports)"),
        FaultyOperation(
            name: "connect to a second network",
            setup: [web, lab, "$SWNET connect lab web \(ports); $SWNET create more --subnet 10.45.0.0/24"],
            words: "connect more web"),
        FaultyOperation(
            name: "connect by ptp",
            setup: [web, "$SWNET create p --driver ptp --subnet 10.45.0.0/24 --subnet fd00:45::/64"],
            words: "connect p web \(ports)"),
        FaultyOperation(
            name: "connect by macvlan",
            setup: [
                web,
                "$SWNET create m --driver macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26",
            ], words: "connect m web"),
        FaultyOperation(
            name: "connect to an existing bridge",
            setup: [
                web, "ip link add br0 address 02:00:00:00:00:0b type bridge; ip link set br0 up",
                "$SWNET create e --opt bridge=br0 --subnet 10.47.0.0/24",
            ], words: "connect e web"),
        FaultyOperation(
            name: "connect a device of the host",
            setup: [
                web, "ip link add dev0 type veth peer name dev1",
                "$SWNET create d --driver host-device --opt device=dev0 --subnet 10.48.0.0/24",
            ], words: "connect d web"),
        FaultyOperation(
            name: "publish", setup: [web, lab, "$SWNET connect lab web -p 8081:81"],
            words: "publish web 8080:80 7000-7003:70-73/udp"),
        FaultyOperation(
            name: "unpublish", setup: [web, lab, "$SWNET connect lab web \(ports)"],
            words: "unpublish web 8080:80 9000-9009:9000-9009", takesDown: true),
        FaultyOperation(
            name: "disconnect", setup: [web, lab, "$SWNET connect lab web \(ports)"], words: "disconnect lab web",
            takesDown: true),
        FaultyOperation(
            name: "disconnect from one of two",
            setup: [
                web, lab, "$SWNET connect lab web \(ports)",
                "$SWNET create more --subnet 10.45.0.0/24; $SWNET connect more web",
            ], words: "disconnect lab web", takesDown: true),
        FaultyOperation(
            name: "disconnect from ptp",
            setup: [web, "$SWNET create p --driver ptp --subnet 10.45.0.0/24", "$SWNET connect p web \(ports)"],
            words: "disconnect p web", takesDown: true),
        FaultyOperation(
            name: "disconnect from macvlan",
            setup: [
                web,
                "$SWNET create m --driver macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26",
                "$SWNET connect m web",
            ], words: "disconnect m web", takesDown: true),
        FaultyOperation(
            name: "disconnect from an existing bridge",
            setup: [
                web, "ip link add br0 address 02:00:00:00:00:0b type bridge; ip link set br0 up",
                "$SWNET create e --opt bridge=br0 --subnet 10.47.0.0/24", "$SWNET connect e web",
            ], words: "disconnect e web", takesDown: true),
        FaultyOperation(
            name: "take a device of the host back",
            setup: [
                web,
                "ip link add dev0 address 02:00:00:00:00:0c type veth peer name dev1 address 02:00:00:00:00:0d",
                "$SWNET create d --driver host-device --opt device=dev0 --subnet 10.48.0.0/24 --route blackhole:10.9.0.0/16",
                "$SWNET connect d web",
            ], words: "disconnect d web", takesDown: true),
        FaultyOperation(
            name: "collect the dead", setup: [web, lab, "$SWNET connect lab web \(ports); ip netns del web"],
            words: "gc",
            takesDown: true),
        FaultyOperation(name: "remove the last network", setup: [lab], words: "rm lab", takesDown: true),
        FaultyOperation(
            name: "remove one of two", setup: [lab, "$SWNET create more --subnet 10.45.0.0/24"], words: "rm lab",
            takesDown: true),
        FaultyOperation(
            name: "remove a VXLAN",
            setup: ["$SWNET create x --driver vxlan --opt vni=7 --opt peers=192.0.2.2 --subnet 10.46.0.0/24"],
            words: "rm x", takesDown: true),
        FaultyOperation(
            name: "create for those who are not trusted", setup: [],
            words: "create safe --subnet 10.45.0.0/24 --antispoof --isolate-ports --isolation strict"),
        FaultyOperation(
            name: "connect where nothing is believed", setup: [web, guarded], words: "connect lab web \(ports)"),
        FaultyOperation(
            name: "connect with limits and a relay", setup: [web, lab],
            words: "connect lab web \(limits) -p [::1]:8080:80"),
        FaultyOperation(
            name: "publish on ::1", setup: [web, lab, "$SWNET connect lab web"], words: "publish web [::1]:8080:80"),
        FaultyOperation(
            name: "limit what was not", setup: [web, lab, "$SWNET connect lab web"], words: "limit lab web \(limits)"),
        FaultyOperation(
            name: "change and remove limits", setup: [web, lab, "$SWNET connect lab web \(limits)"],
            words: "limit lab web --egress 20mbit --ingress none"),
        FaultyOperation(
            name: "connect by DHCP",
            setup: [web, dhcp, "$SWNET create lan -d macvlan -o parent=eth0 --ipam dhcp"], words: "connect lan web"),
        FaultyOperation(name: "connect by DHCP for IPv6", setup: [web, dhcp6, lan6], words: "connect lan web"),
        FaultyOperation(name: "ADD, the first", setup: [web], plugin: ("ADD", configuration)),
        FaultyOperation(
            name: "ADD, the second",
            setup: ["ip netns add old; \(call("ADD", configuration.replacing("8080", with: "8081"), "old"))", web],
            plugin: ("ADD", configuration)),
        FaultyOperation(
            name: "DEL", setup: [web, call("ADD", configuration)], plugin: ("DEL", configuration), takesDown: true),
        FaultyOperation(
            name: "GC", setup: [web, call("ADD", configuration)],
            plugin: (
                "GC", #"{"cniVersion": "1.1.0", "name": "pods", "type": "swnet", "cni.dev/valid-attachments": []}"#
            ), takesDown: true),
        FaultyOperation(
            name: "disconnect one that is limited, with a relay",
            setup: [web, guarded, "$SWNET connect lab web \(limits) -p [::1]:8080:80"], words: "disconnect lab web",
            takesDown: true),
        FaultyOperation(
            name: "disconnect from DHCP",
            setup: [
                web, dhcp, "$SWNET create lan -d macvlan -o parent=eth0 --ipam dhcp",
                "$SWNET connect lan web --mac 02:00:00:00:00:77",
            ], words: "disconnect lan web", takesDown: true),
        FaultyOperation(
            name: "disconnect from DHCP for IPv6",
            setup: [web, dhcp6, lan6, "$SWNET connect lan web --mac 02:00:00:00:00:77"], words: "disconnect lan web",
            takesDown: true),
        FaultyOperation(
            name: "unpublish from ::1", setup: [web, lab, "$SWNET connect lab web -p [::1]:8080:80"],
            words: "unpublish web [::1]:8080:80", takesDown: true),
    ]
}
