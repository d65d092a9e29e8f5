import CommandSupport
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let graph = Command(
        "graph", "[--format text|mermaid|dot|svg|json] [NETWORK…]",
        summary: "draw networks, sandboxes and published ports",
        details: """
            text is a tree for a terminal, mermaid goes into Markdown, dot into Graphviz, and svg is a picture. With names,
            only these networks and who is on them.

            \(JSONReference.graph.text)
            """,
        examples: [
            "swnet graph", "swnet graph --format svg >networks.svg", "swnet graph --format dot bridge >bridge.dot",
            "swnet graph --format mermaid",
        ],
        grammar: FlagGrammar([.init("format", value: "FORMAT", help: "text, mermaid, dot, svg or json (text)")]),
        run: { invocation in
            let format = invocation.flags.value("format") ?? "text"
            guard ["text", "mermaid", "dot", "svg", "json"].contains(format) else {
                throw invocation.misuse("unknown format '\(format)' (text, mermaid, dot, svg or json)")
            }
            let names = try invocation.arguments.map { try invocation.engine.network(named: $0).name }
            var networks = try invocation.engine.networks()
            var sandboxes = try invocation.engine.sandboxes()
            if !names.isEmpty {
                networks.removeAll { !names.contains($0.name) }
                sandboxes.removeAll { sandbox in !names.contains { sandbox.endpoint(in: $0) != nil } }
                for index in sandboxes.indices {
                    sandboxes[index].endpoints.removeAll { !names.contains($0.network) }
                }
            }
            let graph = NetworkGraph(networks: networks, sandboxes: sandboxes)
            switch format {
            case "mermaid": Output.write(graph.mermaid)
            case "dot": Output.write(graph.dot)
            case "svg": Output.write(graph.svg)
            case "json": try JSONOutput.print(graph.json)
            default: Output.write(graph.text(isPlain: !Terminal.isUTF8))
            }
            return .success
        })
}
