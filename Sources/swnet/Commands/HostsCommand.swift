import Addressing
import CommandSupport
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let hosts = Command(
        "hosts", "[NETWORK…]", summary: "print sandboxes' addresses and names as lines for /etc/hosts",
        details: """
            Sandboxes of people's own networks ask the network's name server; the host itself, and sandboxes of the default
            network, can use these lines. A name is followed by NAME.NETWORK and by the aliases.
            """,
        examples: ["swnet hosts", "swnet hosts lab"],
        run: { invocation in
            let networks = try invocation.arguments.map { try invocation.engine.network(named: $0).name }
            var text = ""
            for sandbox in try invocation.engine.sandboxes() {
                for endpoint in sandbox.endpoints where networks.isEmpty || networks.contains(endpoint.network) {
                    let names = [sandbox.name, "\(sandbox.name).\(endpoint.network)"] + endpoint.aliases
                    guard names.allSatisfy(NameRecord.isName) else { continue }
                    for prefix in endpoint.addresses { text += "\(prefix.address)\t\(names.joined(separator: " "))\n" }
                }
            }
            Output.write(text)
            return .success
        })
}
