import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let hosts = Command(
        "hosts", "[--format table|json] [NETWORK…]",
        summary: "print sandboxes' addresses and names as lines for /etc/hosts",
        details: """
            Sandboxes of people's own networks ask the network's name server; the host itself, and sandboxes of the default
            network, can use these lines. A name is followed by NAME.NETWORK, which tells networks apart in one file and which
            no network's own name server knows, and by the aliases.

            \(JSONReference.hosts.text)
            """,
        examples: ["swnet hosts", "swnet hosts bridge", "swnet hosts --format json"], grammar: FlagGrammar([.format]),
        run: { invocation in
            let format = try invocation.format
            let networks = try invocation.arguments.map { try invocation.engine.network(named: $0).name }
            var text = ""
            var lines: [JSONValue] = []
            for sandbox in try invocation.engine.sandboxes() {
                for endpoint in sandbox.endpoints where networks.isEmpty || networks.contains(endpoint.network) {
                    let names = [sandbox.name, "\(sandbox.name).\(endpoint.network)"] + endpoint.aliases
                    guard names.allSatisfy(NameRecord.isName) else { continue }
                    for prefix in endpoint.addresses {
                        text += "\(prefix.address)\t\(names.joined(separator: " "))\n"
                        lines.append(
                            JSONValue([
                                "address": .init(text: prefix.address), "sandbox": .string(sandbox.name),
                                "network": .string(endpoint.network), "names": .array(names.map { .string($0) }),
                            ]))
                    }
                }
            }
            if format == .json { try JSONOutput.print(JSONValue.array(lines)) } else { Output.write(text) }
            return .success
        })
}
