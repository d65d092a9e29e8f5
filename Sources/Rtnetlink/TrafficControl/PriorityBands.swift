import CLinux
import Netlink
import SystemPackage

/// The settings of `prio`: bands, of which one sends only while those before it are empty (net/sched/sch_prio.c).
///
/// Equivalent to `tc qdisc add dev $link root prio bands $bands priomap $map`.
public struct PriorityBands: Hashable, Sendable {
    /// 2 to 16; each is a class, `:1` and on.
    public var bands: Int
    /// The band, from 0, of each of the 16 priorities of a packet.
    public var map: [UInt8]

    /// The kernel's own map: three bands, the middle one for what says nothing.
    public static let defaultMap: [UInt8] = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]

    public init(bands: Int = 3, map: [UInt8] = PriorityBands.defaultMap) {
        self.bands = bands
        self.map = map
    }
}

extension PriorityBands {
    private static let count = Int(TC_PRIO_MAX) + 1

    func put(in message: inout MessageBuilder) {
        if !(2...Int(TCQ_PRIO_BANDS)).contains(bands) {
            message.refuse(.invalidArgument, "\(bands) bands are not 2-\(TCQ_PRIO_BANDS)")
        }
        if map.count != Self.count || map.contains(where: { $0 >= bands }) {
            message.refuse(.invalidArgument, "the map \(map) is not \(Self.count) bands of 0-\(bands - 1)")
        }
        message.put(header: Int32(clamping: bands))
        for start in stride(from: 0, to: map.count - map.count % 4, by: 4) {
            message.put(header: (map[start], map[start + 1], map[start + 2], map[start + 3]))
        }
    }

    init?(_ payload: ArraySlice<UInt8>) {
        guard let bands = payload.header(Int32.self), payload.count >= 4 + Self.count else { return nil }
        self.init(bands: Int(bands), map: Array(payload.dropFirst(4).prefix(Self.count)))
    }
}
