import Addressing
import CommandSupport
import NetworkEngine
import NetworkModel
import JSONCoding

extension SwnetCommands {
    static let create = Command(
        "create", "[FLAG…] NETWORK", summary: "make a network",
        details: "What is not given is chosen: an IPv4 and an IPv6 subnet that nothing on this host uses.",
        examples: [
            "swnet create lab", "swnet create lab --subnet 10.1.0.0/24",
            "swnet create lab --subnet 10.1.0.0/24 --subnet fd00:1::/64 --gateway 10.1.0.254",
            "swnet create closed --internal",
        ],
        grammar: FlagGrammar([
            .init("subnet", value: "PREFIX", help: "one IPv4 and/or one IPv6 subnet"),
            .init("gateway", value: "ADDRESS", help: "the host's own address in a subnet (its first one)"),
            .init("mtu", value: "BYTES", help: "the largest packet"),
            .init("internal", help: "no way out and none in"),
        ]),
        run: { invocation in
            try invocation.require(1...1, "one name")
            let network = try invocation.engine.createNetwork(
                NetworkRequest(
                    name: invocation.arguments[0],
                    subnets: try invocation.values("subnet", "a subnet as ADDRESS/LENGTH"),
                    gateways: try invocation.values("gateway", "an IP address"),
                    mtu: try invocation.value("mtu", "a number"), isInternal: invocation.flags.isOn("internal")))
            Output.line(network.name)
            return .success
        })

    static let list = Command(
        "ls", "[--format table|json]", summary: "list networks", examples: ["swnet ls", "swnet ls --format json"],
        grammar: FlagGrammar([.format]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let format = try invocation.format
            let networks = try invocation.engine.networks()
            if format == .json {
                try JSONOutput.print(JSONValue(networks))
                return .success
            }
            let sandboxes = try invocation.engine.sandboxes()
            var table = TextTable(["NAME", "DRIVER", "BRIDGE", "SUBNETS", "INTERNAL", "SANDBOXES"])
            for network in networks {
                table.add([
                    network.name, network.driver.rawValue, network.bridgeName,
                    network.subnets.map(\.prefix.description).joined(separator: ", "),
                    network.isInternal ? "yes" : "no",
                    "\(sandboxes.count { $0.endpoint(in: network.name) != nil })",
                ])
            }
            table.print()
            return .success
        })

    static let inspect = Command(
        "inspect", "NETWORK…", summary: "print networks as JSON, each with the sandboxes that are connected",
        examples: ["swnet inspect bridge"], grammar: FlagGrammar([.format]),
        run: { invocation in
            try invocation.require(1..., "a network")
            guard invocation.flags.value("format") ?? "json" == "json" else {
                throw invocation.misuse("inspect prints json and nothing else")
            }
            let networks = try invocation.arguments.map { try invocation.engine.network(named: $0) }
            let sandboxes = try invocation.engine.sandboxes()
            try JSONOutput.print(JSONValue.array(networks.map { json($0, sandboxes) }))
            return .success
        })

    private static func json(_ network: Network, _ sandboxes: [Sandbox]) -> JSONValue {
        let connected = sandboxes.compactMap { sandbox in
            sandbox.endpoint(in: network.name).map { endpoint in
                JSONValue([
                    "name": .string(sandbox.name),
                    "interface": .string(endpoint.interface),
                    "hostInterface": .string(endpoint.hostInterface),
                    "mac": .init(text: endpoint.macAddress),
                    "addresses": .array(endpoint.addresses.map { .init(text: $0) }),
                    "ports": JSONValue(sandbox.ports),
                ])
            }
        }
        guard case .object(let members) = network.json else { return network.json }
        return .object(members + [.init("sandboxes", .array(connected))])
    }

    static let remove = Command(
        "rm", "NETWORK…", summary: "remove networks",
        details: """
            A network that somebody is connected to stays. With the last network everything of swnet leaves the kernel;
            the default network comes back when it is next used.
            """,
        examples: ["swnet rm lab"],
        run: { invocation in
            try invocation.require(1..., "a network")
            for name in invocation.arguments { try invocation.engine.removeNetwork(name) }
            return .success
        })
}
