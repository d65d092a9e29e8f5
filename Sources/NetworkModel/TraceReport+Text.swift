extension TraceReport {
    /// The way in words, a line each.
    public var lines: [String] {
        var lines: [String] = []
        if let packet {
            let kind = target.transport == .icmp ? "echo request" : "\(target.transport.rawValue) packet"
            lines.append("\(kind) of \(sender): \(packet.from) → \(packet.to)")
        }
        for station in stations { lines += station.lines }
        if !destination.isEmpty { lines += [""] + destination }
        // The way back is of interest where it ends early.
        if let answer {
            lines += ["", "answer: \(answer)"]
            if answerStations.contains(where: { $0.drop != nil }) { lines += answerStations.flatMap(\.lines) }
        } else if answerStations.contains(where: { $0.drop != nil }) {
            lines += ["", "answer:"] + answerStations.flatMap(\.lines)
        }
        lines += lines.isEmpty ? [] : [""]
        lines.append("\(outcome.rawValue): \(reason)")
        if let advice { lines.append("advice: \(advice)") }
        lines += notes.map { "note: \($0)" }
        return lines
    }
}

extension TraceStation {
    var lines: [String] {
        var heading = "\n\(place), \(hook)"
        if let input { heading += ", in by \(input)" }
        if let output { heading += ", out by \(output)" }
        // A heading of two lines: the first is empty.
        var lines = heading.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        for passage in chains { lines += passage.lines }
        if left.destination != packet.destination || left.destinationPort != packet.destinationPort {
            lines.append("  destination \(packet.to) → \(left.to)")
        }
        if left.source != packet.source || left.sourcePort != packet.sourcePort {
            lines.append("  source \(packet.from) → \(left.from)")
        }
        if let leftOutput { lines.append("  now out by \(leftOutput)") }
        return lines
    }
}

extension TraceStation.Passage {
    /// Chains in which no rule matched are of no interest where their policy lets pass.
    var lines: [String] {
        var lines = rules.map { rule in
            let what = rule.comment.map { "\($0): " } ?? ""
            let place = chain.hasSuffix(" \(rule.chain)") ? chain : "\(chain) > \(rule.chain)"
            let mark = rule.verdict == "drop" ? "✗" : " "
            return "\(mark) \(place): \(what)\(rule.text)" + (rule.comment == nil ? " (handle \(rule.handle))" : "")
        }
        if policy == "drop" { lines.append("✗ \(chain): no rule accepted it, the policy is drop") }
        return lines
    }
}

extension TraceAnswer: CustomStringConvertible {
    public var description: String {
        var text =
            switch kind {
            case .synAck: "syn-ack, the connection was taken"
            case .reset: "reset, the connection was refused"
            case .data: "data"
            case .echoReply: "echo reply"
            case .icmp: "icmp \(message ?? "error")"
            case .seen: "the kernel has seen one"
            }
        if let from { text += ", from \(from)" }
        if let microseconds {
            let tenths = (microseconds + 50) / 100
            text += ", after \(tenths / 10).\(tenths % 10) ms"
        }
        return text
    }
}
