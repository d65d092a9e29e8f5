extension NetworkGraph {
    /// A flowchart in Mermaid's language (mermaid.js.org/syntax/flowchart.html).
    ///
    /// Nodes have numbers; what a person has named stands in quotes, with everything but letters, digits and a few signs
    /// as character entities.
    public var mermaid: String {
        var lines = ["flowchart LR"]
        for (index, port) in ports.enumerated() { lines.append("    p\(index)([\"\(Self.quoted(port.label))\"])") }
        for (index, name) in sandboxes.enumerated() { lines.append("    s\(index)[\"\(Self.quoted(name))\"]") }
        for (index, network) in networks.enumerated() {
            let text = ([network.name] + network.facts).map(Self.quoted).joined(separator: "<br>")
            lines.append("    n\(index)[[\"\(text)\"]]")
        }
        if networks.contains(where: \.isOpen) { lines.append("    outside((outside))") }
        for (index, port) in ports.enumerated() {
            guard let sandbox = sandboxes.firstIndex(of: port.sandbox) else { continue }
            lines.append("    p\(index) -- \"\(Self.quoted(port.inside))\" --> s\(sandbox)")
        }
        for endpoint in endpoints {
            guard let sandbox = sandboxes.firstIndex(of: endpoint.sandbox),
                let network = networks.firstIndex(where: { $0.name == endpoint.network })
            else { continue }
            let text = endpoint.label.map(Self.quoted).joined(separator: "<br>")
            lines.append("    s\(sandbox) -- \"\(text)\" --- n\(network)")
        }
        for (index, network) in networks.enumerated() where network.isOpen {
            lines.append("    n\(index) --- outside")
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func quoted(_ text: String) -> String {
        var result = ""
        for scalar in text.drawable.unicodeScalars {
            let isPlain = scalar.properties.isAlphabetic || scalar.properties.numericType != nil
            if isPlain || " .:/-_[],".unicodeScalars.contains(scalar) {
                result.unicodeScalars.append(scalar)
            } else {
                result += "#\(scalar.value);"
            }
        }
        return result
    }
}
