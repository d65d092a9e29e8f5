public import JSONCoding

extension TraceReport {
    /// For people and `jq`.
    public var json: JSONValue {
        JSONValue([
            "protocol": .string(target.transport.rawValue),
            "address": .init(text: target.address),
            "port": target.transport == .icmp ? nil : .integer(Int(target.port)),
            "sender": .string(sender),
            "packet": packet?.json,
            "stations": .array(stations.map(\.json)),
            "answerStations": .array(answerStations.map(\.json)),
            "destination": .array(destination.map { .string($0) }),
            "answer": answer?.json,
            "outcome": .string(outcome.rawValue),
            "reason": .string(reason),
            "advice": advice.map { .string($0) },
            "notes": .array(notes.map { .string($0) }),
        ])
    }
}

extension TracedPacket {
    public var json: JSONValue {
        JSONValue([
            "source": .init(text: source), "sourcePort": sourcePort.map { .integer(Int($0)) },
            "destination": .init(text: destination), "destinationPort": destinationPort.map { .integer(Int($0)) },
        ])
    }
}

extension TraceAnswer {
    public var json: JSONValue {
        JSONValue([
            "kind": .string(kind.rawValue), "from": from.map { .init(text: $0) },
            "message": message.map { .string($0) },
            "microseconds": microseconds.map { .integer($0) },
        ])
    }
}

extension TraceStation {
    public var json: JSONValue {
        JSONValue([
            "place": .string(place), "hook": .string(hook), "input": input.map { .string($0) },
            "output": output.map { .string($0) }, "packet": packet.json, "chains": .array(chains.map(\.json)),
            "left": left.json, "leftOutput": leftOutput.map { .string($0) },
        ])
    }
}

extension TraceStation.Passage {
    public var json: JSONValue {
        JSONValue([
            "chain": .string(chain), "ours": .bool(isOurs), "priority": .integer(priority),
            "rules": .array(rules.map(\.json)), "policy": policy.map { .string($0) }, "verdict": .string(verdict),
        ])
    }
}

extension TraceStation.RulePassage {
    public var json: JSONValue {
        JSONValue([
            "chain": .string(chain), "handle": .integer(Int(clamping: handle)), "text": .string(text),
            "comment": comment.map { .string($0) }, "verdict": .string(verdict),
        ])
    }
}
