import CLinux

/// How sure the kernel is of a neighbour's link-layer address (`NUD_*`, linux/neighbour.h).
public struct NeighbourState: OptionSet, Hashable, Sendable {
    public var rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }
    private init(_ state: Int32) { rawValue = UInt16(truncatingIfNeeded: state) }

    /// It was asked for and has not answered yet.
    public static let incomplete = NeighbourState(NUD_INCOMPLETE)
    public static let reachable = NeighbourState(NUD_REACHABLE)
    public static let stale = NeighbourState(NUD_STALE)
    public static let delay = NeighbourState(NUD_DELAY)
    public static let probe = NeighbourState(NUD_PROBE)
    public static let failed = NeighbourState(NUD_FAILED)
    /// Its link needs no asking.
    public static let noARP = NeighbourState(NUD_NOARP)
    /// It was set by hand and stays.
    public static let permanent = NeighbourState(NUD_PERMANENT)
}
