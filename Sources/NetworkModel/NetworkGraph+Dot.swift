extension NetworkGraph {
    /// A graph in Graphviz's language (graphviz.org/doc/info/lang.html): `dot -Tsvg`.
    public var dot: String {
        var lines = [
            "graph swnet {", "    rankdir=LR;", "    node [fontname=\"sans-serif\", fontsize=11];",
            "    edge [fontname=\"sans-serif\", fontsize=9];",
        ]
        for (index, port) in ports.enumerated() {
            lines.append("    p\(index) [shape=cds, label=\(Self.quoted([port.label]))];")
        }
        for (index, name) in sandboxes.enumerated() {
            lines.append("    s\(index) [shape=box, style=rounded, label=\(Self.quoted([name]))];")
        }
        for (index, network) in networks.enumerated() {
            let style = network.isInternal ? ", style=dashed" : ""
            lines.append("    n\(index) [shape=box3d\(style), label=\(Self.quoted([network.name] + network.facts))];")
        }
        if networks.contains(where: \.isOpen) { lines.append("    outside [shape=ellipse, label=\"outside\"];") }
        for (index, port) in ports.enumerated() {
            guard let sandbox = sandboxes.firstIndex(of: port.sandbox) else { continue }
            lines.append("    p\(index) -- s\(sandbox) [dir=forward, label=\(Self.quoted([port.inside]))];")
        }
        for endpoint in endpoints {
            guard let sandbox = sandboxes.firstIndex(of: endpoint.sandbox),
                let network = networks.firstIndex(where: { $0.name == endpoint.network })
            else { continue }
            let label = Self.quoted(endpoint.label)
            lines.append("    s\(sandbox) -- n\(network) [label=\(label)];")
        }
        for (index, network) in networks.enumerated() where network.isOpen { lines.append("    n\(index) -- outside;") }
        return (lines + ["}"]).map { $0 + "\n" }.joined()
    }

    /// A quoted string: in it a backslash begins an escape, and `&` a character entity.
    private static func quoted(_ texts: [String]) -> String {
        let escaped = texts.map { text in
            text.drawable.map { character -> String in
                switch character {
                case "\\": "\\\\"
                case "\"": "\\\""
                case "&": "&amp;"
                default: String(character)
                }
            }.joined()
        }
        return "\"\(escaped.joined(separator: "\\n"))\""
    }
}
