import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let inspect = Command(
        "inspect", "NETWORK|SANDBOX…", summary: "print networks and sandboxes as JSON",
        details: """
            A list, in the order of the names; of a name that both have, it is the network (container:NAME is the sandbox).
            a.b is the member b of a, a[] an element of a list, and what has a question mark may be missing.

            \(JSONReference.network.text)

            \(JSONReference.sandbox.text)
            """,
        examples: ["swnet inspect bridge", "swnet inspect web | jq -r '.[0].endpoints[].addresses[]'"],
        grammar: FlagGrammar([.format]),
        run: { invocation in
            try invocation.require(1..., "a network or a sandbox")
            guard invocation.flags.value("format") ?? "json" == "json" else {
                throw invocation.misuse("inspect prints json and nothing else")
            }
            let networks = try invocation.engine.networks()
            let sandboxes = try invocation.engine.sandboxes()
            try JSONOutput.print(
                JSONValue.array(
                    try invocation.arguments.map { name throws(CommandFailure) in
                        if let network = networks.first(where: { $0.name == name }) { return json(network, sandboxes) }
                        let reference = try? SandboxReference(parsing: name)
                        if let sandbox = sandboxes.first(where: { $0.name == reference?.name }) { return sandbox.json }
                        throw CommandFailure("there is neither a network nor a connected sandbox named \(name)")
                    }))
            return .success
        })

    private static func json(_ network: Network, _ sandboxes: [Sandbox]) -> JSONValue {
        let connected = sandboxes.flatMap { sandbox in
            sandbox.endpoints.filter { $0.network == network.name }.map { endpoint in
                JSONValue([
                    "name": .string(sandbox.name),
                    "interface": .string(endpoint.interface),
                    "hostInterface": endpoint.link.hostInterface.map { .string($0) },
                    "mac": endpoint.macAddress.map { .init(text: $0) },
                    "addresses": .array(endpoint.addresses.map { .init(text: $0) }),
                    "ports": JSONValue(sandbox.ports),
                    "settings": endpoint.settings,
                ])
            }
        }
        guard case .object(let members) = network.json else { return network.json }
        return .object(members + [.init("sandboxes", .array(connected))])
    }
}
