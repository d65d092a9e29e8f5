extension NetworkGraph {
    /// A tree for a terminal: networks, who is on them, and what is published. `isPlain` draws in ASCII.
    public func text(isPlain: Bool) -> String {
        let branch = isPlain ? "|-- " : "├── "
        let last = isPlain ? "`-- " : "└── "
        let pipe = isPlain ? "|   " : "│   "
        let arrow = isPlain ? "->" : "→"
        var lines: [String] = []
        for network in networks {
            lines.append("\(network.name)  \(network.facts.joined(separator: ", "))".drawable)
            let members = endpoints(on: network.name)
            for (index, endpoint) in members.enumerated() {
                let isLast = index == members.count - 1
                let ends = endpoint.hostInterface.map { "\(endpoint.interface) \(isPlain ? "-" : "─") \($0)" }
                let addresses = endpoint.label.dropFirst().joined(separator: ", ")
                let line = "\(endpoint.sandbox)  \(ends ?? endpoint.interface)  \(addresses)"
                lines.append((isLast ? last : branch) + Self.trimmed(line.drawable))
                // Ports are told once, where the sandbox's first endpoint is.
                guard endpoints(of: endpoint.sandbox).first == endpoint else { continue }
                let ports = ports(of: endpoint.sandbox)
                for (index, port) in ports.enumerated() {
                    let mark = index == ports.count - 1 ? last : branch
                    let words = "\(port.label) \(arrow) \(port.inside)"
                    lines.append((isLast ? "    " : pipe) + mark + words.drawable)
                }
            }
        }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func trimmed(_ line: String) -> String {
        var line = line
        while line.last == " " { line.removeLast() }
        return line
    }
}
