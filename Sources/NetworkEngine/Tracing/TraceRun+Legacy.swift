import Addressing
import NetworkModel
import Nftables

/// Packets that the old packet filter took away, of which the kernel tells nothing.
extension TraceRun {
    /// What of the old packet filter drops packets, and how many it has met; nothing where it cannot be read.
    static var legacyDrops: [LegacyDrop] { (try? LegacyDrop.all()) ?? [] }

    /// Where the packet, or its answer, went into a hook of the host and did not come out.
    private var gap: WatchedStation? {
        for stations in [requestStations, answerStations] {
            if let last = stations.last, !last.isComplete, last.station.place == "host", last.station.drop == nil {
                return last
            }
        }
        return nil
    }

    /// What has counted a packet while this one was lost, at the hook where it was lost.
    var legacyCulprit: (drop: LegacyDrop, station: WatchedStation)? {
        guard let gap else { return nil }
        let drop = Self.legacyDrops.first { drop in
            guard drop.family == gap.station.packet.source.family, drop.hook == nil || drop.hook == gap.hook else {
                return false
            }
            return drop.packets > legacyDropsBefore.first(where: drop.isSame)?.packets ?? 0
        }
        return drop.map { ($0, gap) }
    }

    mutating func explain(_ drop: LegacyDrop, at station: WatchedStation) {
        let program = drop.family == .v4 ? "iptables-legacy" : "ip6tables-legacy"
        let chain = "chain \(drop.chain) of table \(drop.table) of \(program)"
        let isAnswer = requestStations.last.map { $0.isComplete } ?? false
        let packet = isAnswer ? "the answer" : "it"
        let reason: String
        if let number = drop.number {
            reason =
                "rule \(number) of \(chain) \(drop.rejects ? "rejects" : "drops") \(packet)"
                + (drop.comment.map { ": \($0)" } ?? "")
        } else {
            reason = "\(chain) has the policy DROP, and no rule of it accepts \(isAnswer ? packet : "this")"
        }
        let door = door(at: station.station)
        let insert = "\(program) -t \(drop.table) -I \(drop.chain) \(door.arguments) -j ACCEPT"
        let isOurs =
            door.isOurs && drop.table == ForeignLegacyChain.table && drop.number == nil
            && [.forward, .output].contains(drop.hook)
        settle(.dropped, reason, isOurs ? "swnet repair --foreign, or: \(insert)" : insert)
    }
}
