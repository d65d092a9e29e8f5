import ArgumentParser
import CommandSupport
import NetworkEngine
import NetworkModel

struct Inspect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print networks as JSON, each with the sandboxes that are connected.",
        discussion: """
            Examples:
              swnet inspect bridge
            """)

    @Argument(help: "The networks' names.") var networks: [String]
    @OptionGroup var state: StateOptions

    func run() throws {
        let engine = try state.engine
        let networks = try networks.map { try engine.network(named: $0) }
        let sandboxes = try engine.sandboxes()
        try JSONOutput.print(JSONValue.array(networks.map { Self.json($0, sandboxes) }))
    }

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
}
