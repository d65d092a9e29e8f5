import Addressing
import CommandSupport
import NetworkEngine
import NetworkModel
import JSONCoding

extension SwnetCommands {
    static let create = Command(
        "create", "[FLAG…] NETWORK", summary: "make a network",
        details: """
            What is not given is chosen: an IPv4 and an IPv6 subnet that nothing on this host uses.

            Drivers and their options (--opt KEY=VALUE):
              bridge       a bridge of the host; bridge=NAME takes one that is there, and leaves its firewall alone
              macvlan      parent=NAME  mode=bridge|private|vepa|passthru
              ipvlan       parent=NAME  mode=l2|l3|l3s
              vlan         parent=NAME  id=1-4094
              vxlan        vni=NUMBER  port=4789  peers=ADDRESS,…  group=ADDRESS  local=ADDRESS  parent=NAME
                           (peers may name this host too: the same list does for all)
              ptp          a pair for each sandbox, routed by the host
              host-device  device=NAME, which one sandbox at a time has
              dummy        interfaces that lead nowhere

            Between networks (--isolation): on lets published ports through, off everything to and from networks that are
            off too, strict nothing at all, in either direction. With --isolate-ports sandboxes reach the gateway, what is
            behind it, and not each other, nor each other's published ports. With --antispoof a bridge drops what a sandbox
            sends under an Ethernet, IPv4 or IPv6 address that is not its own, or says in ARP or neighbour discovery.
            """,
        examples: [
            "swnet create lab", "swnet create lab --subnet 10.1.0.0/24",
            "swnet create lab --subnet 10.1.0.0/24 --subnet fd00:1::/64 --gateway 10.1.0.254",
            "swnet create lab --subnet 10.1.0.0/24 --ip-range 10.1.0.128/25 --exclude 10.1.0.200",
            "swnet create closed --internal", "swnet create tenants --isolate-ports --antispoof --isolation strict",
            "swnet create crowd --subnet 10.1.0.0/24,10.2.0.0/24", "swnet create mail --source 192.0.2.25",
            "swnet create routed --source none --subnet 10.7.0.0/24",
            "swnet create lab --subnet 10.1.0.0/24 --route 10.8.0.0/16,10.1.0.9 --route blackhole:10.9.0.0/16",
            "swnet create lan -d macvlan --opt parent=eth0 --subnet 192.168.1.0/24 --ip-range 192.168.1.200-192.168.1.220",
            "swnet create lan -d macvlan --opt parent=eth0 --ipam dhcp",
            "swnet create lan -d macvlan --opt parent=eth0 --ipam dhcp,slaac",
            "swnet create wide -d vxlan --opt vni=42 --opt peers=192.0.2.2,192.0.2.3 --subnet 10.9.0.0/24",
        ],
        grammar: FlagGrammar(
            [
                .init("driver", short: "d", value: "DRIVER", help: "how endpoints are joined (bridge)"),
                .init("opt", short: "o", value: "KEY=VALUE", isRepeatable: true, help: "an option of the driver"),
                .init(
                    "subnet", value: "PREFIX,…", isRepeatable: true,
                    help: "addresses of the network, and where to go on when they are all taken; may be repeated"),
                .init(
                    "gateway", value: "ADDRESS", isRepeatable: true,
                    help: "the router's address in a subnet (its first one, or the host's own router there)"),
                .init(
                    "ip-range", value: "RANGE", isRepeatable: true,
                    help: "a part of a subnet to choose from: a prefix, or FIRST-LAST; may be repeated"),
                .init(
                    "exclude", value: "ADDRESS", isRepeatable: true,
                    help: "an address that is never chosen; may be repeated"),
                .init(
                    "ipam", value: "WHO",
                    help: "who gives addresses: swnet, none, or of dhcp, dhcp6 and slaac one or several (swnet)"),
                .init("mtu", value: "BYTES", help: "the largest packet (that of the host's default route)"),
                .init(
                    "route", value: "ROUTE", isRepeatable: true,
                    help:
                        "for every sandbox: PREFIX,GATEWAY[,METRIC], or blackhole:, unreachable: or prohibit:PREFIX[,METRIC]"
                ),
                .init("internal", help: "no way out and none in"),
            ] + policyFlags + FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(1...1, "one name")
            let subnets = try subnets(invocation)
            return try invocation.perform { engine in
                let network = try engine.createNetwork(
                    NetworkRequest(
                        name: invocation.arguments[0], driver: try driver(invocation), subnets: subnets.flatMap(\.self),
                        alternatives: Set(subnets.flatMap { $0.dropFirst() }),
                        gateways: try invocation.values("gateway", "an IP address"),
                        ranges: try invocation.values("ip-range", "a prefix or FIRST-LAST"),
                        excluded: try invocation.values("exclude", "an IP address"),
                        hasAddresses: hasAddresses(invocation), mtu: try invocation.value("mtu", "a number"),
                        isInternal: invocation.flags.isOn("internal"), policy: try policy(invocation),
                        routes: try invocation.values(
                            "route",
                            "PREFIX,GATEWAY[,METRIC], or blackhole:, unreachable: or prohibit:PREFIX[,METRIC]"),
                        providers: try providers(invocation)))
                if engine.planned == nil { Output.line(network.name) }
            }
        })

    /// The subnets of each `--subnet`.
    private static func subnets(_ invocation: Invocation) throws(CommandFailure) -> [[IPPrefix]] {
        try invocation.flags.values("subnet").map { text throws(CommandFailure) in
            try text.split(separator: ",", omittingEmptySubsequences: false).map { part throws(CommandFailure) in
                guard let prefix = IPPrefix(String(part)) else {
                    throw invocation.misuse("'\(part)' for --subnet is not a subnet as ADDRESS/LENGTH")
                }
                return prefix
            }
        }
    }

    private static func driver(_ invocation: Invocation) throws(CommandFailure) -> NetworkDriver {
        var options: [String: String] = [:]
        for text in invocation.flags.values("opt") {
            let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2, !parts[0].isEmpty else {
                throw invocation.misuse("'\(text)' for --opt is not KEY=VALUE")
            }
            guard options.updateValue(parts[1], forKey: parts[0]) == nil else {
                throw invocation.misuse("option \(parts[0]) is given twice (--opt)")
            }
        }
        do throws(NetworkError) {
            return try NetworkDriver(name: invocation.flags.value("driver") ?? "bridge", options: options)
        } catch {
            throw invocation.misuse("\(error)")
        }
    }

    private static func hasAddresses(_ invocation: Invocation) -> Bool {
        switch invocation.flags.value("ipam") {
        case nil, "swnet": return true
        default: return false
        }
    }

    private static func providers(_ invocation: Invocation) throws(CommandFailure) -> Set<AddressProvider> {
        guard let text = invocation.flags.value("ipam"), !["swnet", "none"].contains(text) else { return [] }
        var providers: Set<AddressProvider> = []
        for word in text.split(separator: ",", omittingEmptySubsequences: false) {
            if ["swnet", "none"].contains(word) {
                throw invocation.misuse("\(word) goes together with no other (--ipam)")
            }
            guard let provider = AddressProvider(rawValue: String(word)) else {
                throw invocation.misuse("'\(word)' for --ipam is none of swnet, none, dhcp, dhcp6, slaac")
            }
            guard providers.insert(provider).inserted else {
                throw invocation.misuse("\(word) is given twice (--ipam)")
            }
        }
        return providers
    }

    static let remove = Command(
        "rm", "NETWORK…", summary: "remove networks",
        details: """
            A network that somebody is connected to stays. With the last network everything of swnet leaves the kernel;
            the default network comes back when it is next used.
            """,
        examples: ["swnet rm lab"], grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(1..., "a network")
            return try invocation.perform { engine in
                var failures: [NetworkError] = []
                for (index, name) in invocation.arguments.enumerated()
                where !invocation.arguments[..<index].contains(name) {
                    // One that has to stay keeps none of the others.
                    do { try engine.removeNetwork(name) } catch let error as NetworkError { failures.append(error) }
                }
                guard let first = failures.first else { return }
                throw NetworkError(first.kind, failures.map(\.message).joined(separator: "; "))
            }
        })
}
