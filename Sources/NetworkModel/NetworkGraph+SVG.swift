extension NetworkGraph {
    /// A picture: ports of the host on the left, sandboxes, networks, and the outside on the right.
    public var svg: String { GraphPicture(self).text }
}

/// Lays a graph out in four columns, and draws it. Lengths are pixels.
private struct GraphPicture {
    private struct Box {
        var x: Int
        var y: Int
        var width: Int
        var height: Int
        var lines: [String]
        var kind: String

        var middle: Int { y + height / 2 }
        var right: Int { x + width }
    }

    private struct Line {
        var from: (x: Int, y: Int)
        var to: (x: Int, y: Int)
        var label: [String]
        var hasArrow = false
    }

    private static let lineHeight = 15
    private static let padding = 8
    private static let gap = 16
    private static let margin = 20
    private static let heading = 30
    /// Characters are about this wide at 12 pixels; boxes are as wide as their longest line.
    private static let characterWidth = 7

    private var boxes: [Box] = []
    private var lines: [Line] = []
    private var headings: [(x: Int, text: String)] = []
    private var width = 0
    private var height = 0

    init(_ graph: NetworkGraph) {
        let labels = graph.endpoints.flatMap(\.label)
        // Between two columns there is room for the longest label on the lines.
        let channel = max(80, (labels.map(\.count).max() ?? 0) * 6 + 80)
        var ports: [[Int]] = []
        var x = Self.margin
        let portWidth = Self.width(graph.ports.map(\.label))
        if !graph.ports.isEmpty {
            headings.append((x, "ports of the host"))
            var y = Self.margin + Self.heading
            for port in graph.ports { ports.append([add(&y, x, portWidth, [port.label], "port")]) }
            x += portWidth + (graph.ports.map(\.inside.count).max() ?? 0) * 6 + 70
        }
        let sandboxWidth = Self.width(graph.sandboxes)
        headings.append((x, "sandboxes"))
        var y = Self.margin + Self.heading
        // A sandbox is as high as what leads to it needs, so that lines do not lie on each other.
        let sandboxes = graph.sandboxes.map { name in
            let degree = max(graph.endpoints(of: name).count * 3, graph.ports(of: name).count * 2)
            return add(&y, x, sandboxWidth, [name], "sandbox", rows: degree)
        }
        x += sandboxWidth + channel
        let networkWidth = Self.width(graph.networks.flatMap { [$0.name] + $0.facts })
        headings.append((x, "networks"))
        y = Self.margin + Self.heading
        let networks = graph.networks.map { network in
            add(
                &y, x, networkWidth, [network.name] + network.facts,
                network.isInternal ? "network internal" : "network",
                rows: graph.endpoints(on: network.name).count * 3)
        }
        x += networkWidth
        join(graph, ports.map { $0[0] }, sandboxes, networks)
        if graph.networks.contains(where: \.isOpen) {
            x += 80
            addOutside(graph, x, networks)
            x += 80
        }
        width = x + Self.margin
        height = (boxes.map { $0.y + $0.height }.max() ?? Self.margin + Self.heading) + Self.margin
    }

    private static func width(_ texts: [String]) -> Int {
        max(80, (texts.map(\.count).max() ?? 0) * characterWidth + 2 * padding)
    }

    private mutating func add(
        _ y: inout Int, _ x: Int, _ width: Int, _ lines: [String], _ kind: String, rows: Int = 0
    ) -> Int {
        let height = max(lines.count, rows) * Self.lineHeight + 2 * Self.padding
        boxes.append(Box(x: x, y: y, width: width, height: height, lines: lines, kind: kind))
        y += height + Self.gap
        return boxes.count - 1
    }

    /// The place of one of several lines at a side of a box.
    private func slot(_ box: Box, _ index: Int, of count: Int) -> Int {
        box.y + box.height * (2 * index + 1) / (2 * count)
    }

    private mutating func join(_ graph: NetworkGraph, _ ports: [Int], _ sandboxes: [Int], _ networks: [Int]) {
        for (index, port) in graph.ports.enumerated() {
            guard let sandbox = graph.sandboxes.firstIndex(of: port.sandbox) else { continue }
            let all = graph.ports(of: port.sandbox)
            let to = boxes[sandboxes[sandbox]]
            let from = boxes[ports[index]]
            let place = slot(to, all.firstIndex(of: port) ?? 0, of: all.count)
            lines.append(
                Line(from: (from.right, from.middle), to: (to.x, place), label: [port.inside], hasArrow: true))
        }
        for endpoint in graph.endpoints {
            guard let sandbox = graph.sandboxes.firstIndex(of: endpoint.sandbox),
                let network = graph.networks.firstIndex(where: { $0.name == endpoint.network })
            else { continue }
            let own = graph.endpoints(of: endpoint.sandbox)
            let members = graph.endpoints(on: endpoint.network)
            let from = boxes[sandboxes[sandbox]], to = boxes[networks[network]]
            lines.append(
                Line(
                    from: (from.right, slot(from, own.firstIndex(of: endpoint) ?? 0, of: own.count)),
                    to: (to.x, slot(to, members.firstIndex(of: endpoint) ?? 0, of: members.count)),
                    label: endpoint.label))
        }
    }

    private mutating func addOutside(_ graph: NetworkGraph, _ x: Int, _ networks: [Int]) {
        let open = graph.networks.indices.filter { graph.networks[$0].isOpen }.map { boxes[networks[$0]] }
        guard let first = open.first, let last = open.last else { return }
        let height = last.y + last.height - first.y
        boxes.append(Box(x: x, y: first.y, width: 80, height: height, lines: ["outside"], kind: "outside"))
        for box in open {
            lines.append(Line(from: (box.right, box.middle), to: (x, box.middle), label: []))
        }
    }

    // MARK: Drawing

    var text: String {
        var text = """
            <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)">
            <title>swnet</title>
            <style>
            text { font: 12px sans-serif; fill: #1a1a1a; }
            .name { font-weight: bold; }
            .label, .heading { font-size: 11px; fill: #555; }
            rect { stroke: #444; fill: #f4f4f4; rx: 5px; }
            .sandbox { fill: #e3effb; } .network { fill: #e6f4e6; } .port { fill: #fdf1d8; }
            .internal { stroke-dasharray: 5 3; } .outside { fill: #eee; }
            path { stroke: #777; fill: none; }
            .halo { stroke: #fff; stroke-width: 4px; fill: #fff; }
            </style>
            <defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">\
            <path d="M0,0 L8,4 L0,8 z" style="fill:#777"/></marker></defs>
            <rect width="\(width)" height="\(height)" style="fill:#fff;stroke:none"/>

            """
        for heading in headings {
            text += "<text class=\"heading\" x=\"\(heading.x)\" y=\"\(Self.margin + 12)\">\(heading.text.xml)</text>\n"
        }
        for line in lines { text += draw(line) }
        for line in lines { text += drawLabel(line) }
        for box in boxes { text += draw(box) }
        return text + "</svg>\n"
    }

    private func draw(_ line: Line) -> String {
        // Straight as far as the label goes.
        let stub = line.label.isEmpty ? 0 : (line.label.map(\.count).max() ?? 0) * 6 + 16
        let first = line.from.x + (line.hasArrow ? 0 : stub)
        let last = line.to.x - (line.hasArrow ? stub : 0)
        let bend = (first + last) / 2
        let arrow = line.hasArrow ? " marker-end=\"url(#arrow)\"" : ""
        return "<path d=\"M\(line.from.x),\(line.from.y) H\(first) C\(bend),\(line.from.y) "
            + "\(bend),\(line.to.y) \(last),\(line.to.y) H\(line.to.x)\"\(arrow)/>\n"
    }

    /// Where a line begins, because there no two lines are at the same height.
    private func drawLabel(_ line: Line) -> String {
        var text = ""
        let x = line.hasArrow ? line.to.x - 12 : line.from.x + 10
        let anchor = line.hasArrow ? " text-anchor=\"end\"" : ""
        let top = (line.hasArrow ? line.to.y : line.from.y) + 4 - (line.label.count - 1) * 13 / 2
        for (index, label) in line.label.enumerated() {
            let place = "x=\"\(x)\" y=\"\(top + index * 13)\"\(anchor)"
            text += "<text class=\"label halo\" \(place)>\(label.xml)</text>"
            text += "<text class=\"label\" \(place)>\(label.xml)</text>\n"
        }
        return text
    }

    private func draw(_ box: Box) -> String {
        var text =
            "<rect class=\"\(box.kind)\" x=\"\(box.x)\" y=\"\(box.y)\" width=\"\(box.width)\" height=\"\(box.height)\"/>\n"
        let top = box.middle - box.lines.count * Self.lineHeight / 2 + 12
        for (index, line) in box.lines.enumerated() {
            let kind = index == 0 && box.kind != "port" ? " class=\"name\"" : ""
            text +=
                "<text\(kind) x=\"\(box.x + Self.padding)\" y=\"\(top + index * Self.lineHeight)\">\(line.xml)</text>\n"
        }
        return text
    }
}
