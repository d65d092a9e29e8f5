import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let connect = Command(
        "connect", "[FLAG…] NETWORK SANDBOX", summary: "connect a sandbox to a network",
        examples: [
            "swnet connect bridge web",
            "swnet connect lab web --ip 10.1.0.9 --mac 02:00:00:00:00:09 --ifname up0",
            "swnet connect lab pid:4711", "swnet connect lab /proc/4711/ns/net",
            "swnet connect bridge web -p 8080:80", "swnet connect bridge web --dry-run",
            "swnet connect lab web --alias www --alias www.example.org",
            "swnet connect lab web --egress 10mbit --ingress 100mbit,256kb",
            "swnet connect lab web --gw-priority 10 --sysctl net.ipv4.conf.IFNAME.rp_filter=1",
        ],
        grammar: FlagGrammar(
            [
                .init(
                    "ip", value: "ADDRESS", isRepeatable: true,
                    help: "the IPv4 address; may be repeated, for several subnets"),
                .init("ip6", value: "ADDRESS", isRepeatable: true, help: "the IPv6 address"),
                .init("mac", value: "ADDRESS", help: "the Ethernet address"),
                .init(
                    "alias", value: "NAME", isRepeatable: true,
                    help: "another name of the sandbox on the network; may be repeated"),
                .init("ifname", value: "NAME", help: "the interface's name in the sandbox (eth0, eth1 …)"),
                .init("host-ifname", value: "NAME", help: "the name of its other end in the host (vethXXXXXXXX)"),
                .init(
                    "publish", short: "p", value: "PORT", isRepeatable: true,
                    help: "a port to publish in the same step (swnet publish)"),
                .init("mtu", value: "BYTES", help: "the largest packet, at most the network's"),
                .init("gw-priority", value: "NUMBER", help: "of several networks, the highest gives the default route"),
                .init("metric", value: "NUMBER", help: "of its default route, instead of a priority"),
                .init(
                    "sysctl", value: "NAME=VALUE", isRepeatable: true,
                    help: "net.ipv4.conf.IFNAME.…=VALUE for its interface"),
            ] + limitFlags + FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2...2, "a network and a sandbox")
            let ip: [IPv4Address] = try invocation.values("ip", "an IPv4 address")
            let ip6: [IPv6Address] = try invocation.values("ip6", "an IPv6 address")
            let nameHint =
                "an interface's name: 1 to \(InterfaceName.maximumLength) characters, no '/', ':', '%' or space, "
                + "not all or default"
            let attachment = ConnectRequest.Attachment(
                network: invocation.arguments[0],
                addresses: ip.map { .v4($0) } + ip6.map { .v6($0) },
                macAddress: try invocation.value("mac", "six pairs of hexadecimal digits (02:00:00:00:00:01)"),
                interface: try invocation.value("ifname", nameHint), aliases: try aliases(invocation),
                options: try options(invocation),
                mtu: try invocation.value("mtu", "a number"),
                hostInterface: try invocation.value("host-ifname", nameHint))
            let request = ConnectRequest(
                sandbox: try invocation.sandbox(invocation.arguments[1]), attachments: [attachment],
                ports: try invocation.ports(invocation.flags.values("publish")))
            return try invocation.perform(request.ports) { try $0.connect(request) }
        })

    private static func aliases(_ invocation: Invocation) throws(CommandFailure) -> [String] {
        let aliases = invocation.flags.values("alias")
        if let alias = aliases.first(where: { !NameRecord.isName($0) }) {
            throw invocation.misuse("'\(alias)' for --alias is not a host's name: \(NameRecord.nameRule)")
        }
        return aliases
    }

    private static let limitFlags: [FlagGrammar.Flag] = [
        .init("egress", value: "RATE[,BURST]", help: "what the sandbox may send: 10mbit, 1mbps, 10mbit,64kb"),
        .init("ingress", value: "RATE[,BURST]", help: "what it may receive"),
    ]

    private static let limitHint =
        "a rate, with a burst after a comma: 10mbit, 100mbit,256kb (\(RateLimit.range.lowerBound) bit to 1 tbit)"

    private static func options(_ invocation: Invocation) throws(CommandFailure) -> EndpointOptions {
        EndpointOptions(
            egress: try limit("egress", invocation) ?? nil, ingress: try limit("ingress", invocation) ?? nil,
            gatewayPriority: try invocation.value("gw-priority", "a whole number") ?? 0,
            metric: try invocation.value("metric", "a number from 1 to \(UInt32.max)"),
            sysctls: try invocation.flags.values("sysctl").map { text throws(CommandFailure) in
                do throws(NetworkError) {
                    return try InterfaceSysctl(parsing: text)
                } catch {
                    throw invocation.misuse("\(error)")
                }
            })
    }

    /// nil when the flag is not there, `.some(nil)` for `none`.
    private static func limit(_ flag: String, _ invocation: Invocation) throws(CommandFailure) -> RateLimit?? {
        guard let text = invocation.flags.value(flag) else { return nil }
        if text == "none" { return .some(nil) }
        let limit: RateLimit? = try invocation.value(flag, limitHint + " or none")
        return .some(limit)
    }

    static let limit = Command(
        "limit", "[FLAG…] NETWORK SANDBOX", summary: "change the rate limits of a connected sandbox",
        details: """
            Rates as tc writes them: bit, kbit, mbit, gbit, tbit a second (kibit … for 1024s), bps … for bytes. A burst in
            bytes may follow after a comma; without one it is what the rate needs. What is not named stays as it is.
            The limits sit on the host's side, where a container cannot remove them.
            """,
        examples: [
            "swnet limit lab web --egress 10mbit --ingress 100mbit", "swnet limit lab web --egress none",
            "swnet limit lab web --ingress 1gbit,2mb",
        ],
        grammar: FlagGrammar(limitFlags + FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2...2, "a network and a sandbox")
            let (egress, ingress) = (try limit("egress", invocation), try limit("ingress", invocation))
            guard egress != nil || ingress != nil else { throw invocation.misuse("limit needs --egress or --ingress") }
            let sandbox = try invocation.sandbox(invocation.arguments[1])
            return try invocation.perform {
                try $0.limit(sandbox, on: invocation.arguments[0], egress: egress, ingress: ingress)
            }
        })

    static let disconnect = Command(
        "disconnect", "NETWORK SANDBOX", summary: "take a sandbox out of a network, with the ports that lead there",
        examples: ["swnet disconnect bridge web"], grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2...2, "a network and a sandbox")
            let sandbox = try invocation.sandbox(invocation.arguments[1])
            return try invocation.perform { try $0.disconnect(sandbox, from: invocation.arguments[0]) }
        })

    static let collect = Command(
        "gc", summary: "clean up after sandboxes whose namespaces are gone, and print their names",
        details: """
            Nobody has to call it: whatever a dead sandbox has in the way of another is cleaned up when that happens.
            """,
        examples: ["swnet gc", "swnet gc --dry-run"], grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            return try invocation.perform { engine in
                let names = try engine.collect()
                guard engine.planned == nil else { return }
                if try invocation.format == .json {
                    try JSONOutput.print(JSONValue.array(names.map { .string($0) }))
                } else {
                    for name in names { Output.line(name.printable) }
                }
            }
        })
}
