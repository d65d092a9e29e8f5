import NetworkModel
import Nftables

/// A hook that a packet came by, and whether it came out of it.
struct WatchedStation {
    var station: TraceStation
    var hook: Chain.Hook
    /// Whether it is one that frames of a bridge go through, around the host's own or without those.
    var isOfBridge = false
    var isComplete = false
}

extension TracePost {
    private enum Layer { case frames, packets }

    /// Where the packets of a conversation that go one way came by, in order; of a packet that is sent again, only the
    /// first time.
    func stations(of flow: TraceFlow, _ direction: TraceFlow.Direction) -> [WatchedStation] {
        var stations: [WatchedStation] = []
        // Frames and packets by themselves: those of a hook that come once more, and all that come later.
        var repeated: Set<Layer> = []
        var over: Set<Layer> = []
        for passage in passages where flow.direction(of: passage.first) == direction {
            guard let hook = passage.chain.base?.hook, let packet = passage.first.headers else { continue }
            let isOfBridge = passage.isOfBridge
            let layer: Layer = isOfBridge ? .frames : .packets
            if over.contains(layer) { continue }
            let last = stations.lastIndex { $0.isOfBridge == isOfBridge }
            if passage.mark == .first {
                // A frame that goes out by every port is another at each.
                let isAgain = stations.contains {
                    $0.isOfBridge == isOfBridge && $0.hook == hook && $0.station.input == passage.input
                        && (!isOfBridge || $0.station.output == passage.output)
                }
                // What br_netfilter has seen on a bridge begins at the same hook again when it is handed up, and no more.
                let isRepeated = isAgain && last.map { stations[$0].hook } == hook
                if isRepeated { repeated.insert(layer) } else { repeated.remove(layer) }
                if isAgain && !isRepeated { over.insert(layer) }
                if isAgain { continue }
                stations.append(
                    WatchedStation(
                        station: TraceStation(
                            place: place, hook: (isOfBridge ? "bridge " : "") + hook.word, input: passage.input,
                            output: passage.output, packet: packet),
                        hook: hook, isOfBridge: isOfBridge))
                continue
            }
            guard let index = last, stations[index].hook == hook, !repeated.contains(layer) else { continue }
            if passage.mark == .last {
                stations[index].isComplete = true
                stations[index].station.left = packet
                if passage.output != stations[index].station.output {
                    stations[index].station.leftOutput = passage.output
                }
            } else {
                stations[index].station.chains.append(words(for: passage))
            }
        }
        return stations
    }

    private func words(for passage: TracePassage) -> TraceStation.Passage {
        let reference = passage.chain.reference
        var words = TraceStation.Passage(
            chain: "\(reference)", isOurs: FirewallTable.allCases.contains { $0.table == reference.table },
            priority: Int(passage.chain.base?.priority.rawValue ?? 0))
        for (chain, handle, verdict) in passage.rules {
            let found = rule(handle, of: reference.table)
            words.rules.append(
                TraceStation.RulePassage(
                    chain: chain, handle: handle, text: found?.text ?? "a rule that is gone by now",
                    comment: found?.rule.comment, verdict: verdict.map(\.description) ?? "taken away"))
        }
        if let policy = passage.policy { words.policy = "\(policy)" }
        return words
    }
}

extension Chain.Hook {
    /// nft's word.
    var word: String {
        switch self {
        case .prerouting: "prerouting"
        case .input: "input"
        case .forward: "forward"
        case .output: "output"
        case .postrouting: "postrouting"
        default: "hook \(rawValue)"
        }
    }

    /// Whether a packet that passes it has been sent from this namespace, or through it.
    var isOutgoing: Bool { self == .output || self == .postrouting }
}
