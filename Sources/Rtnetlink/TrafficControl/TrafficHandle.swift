import CLinux

/// What names a queueing discipline (`8001:`), a class of it (`8001:10`), or a place where they hang (`root`).
public struct TrafficHandle: RawRepresentable, Hashable, Sendable {
    /// `TC_H_*`, linux/pkt_sched.h: the discipline's number in the high half, the class's in the low one.
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// `$major:$minor`; a discipline's own handle has the minor number 0.
    public init(_ major: UInt16, _ minor: UInt16 = 0) { rawValue = UInt32(major) << 16 | UInt32(minor) }

    public var major: UInt16 { UInt16(rawValue >> 16) }
    public var minor: UInt16 { UInt16(truncatingIfNeeded: rawValue) }

    /// Where what leaves a link is queued.
    public static let root = TrafficHandle(rawValue: TC_H_ROOT)
    /// Where `ingress` and `clsact` hang.
    public static let ingress = TrafficHandle(rawValue: TC_H_INGRESS)
    /// Where the filters for what comes in hang, of `ingress` and `clsact`.
    public static let incoming = TrafficHandle(rawValue: TC_H_CLSACT & TC_H_MAJ_MASK | TC_H_MIN_INGRESS)
    /// Where the filters for what leaves hang, of `clsact`.
    public static let outgoing = TrafficHandle(rawValue: TC_H_CLSACT & TC_H_MAJ_MASK | TC_H_MIN_EGRESS)
}

extension TrafficHandle: CustomStringConvertible {
    /// As `tc` writes it.
    public var description: String {
        switch self {
        case .root: "root"
        case .ingress: "ingress"
        default:
            String(major, radix: 16) + ":" + (minor == 0 ? "" : String(minor, radix: 16))
        }
    }
}
