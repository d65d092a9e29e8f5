import CLinux

/// How far an address is valid, or how far away a route's destination is (rtnetlink(7), `rtm_scope`).
public struct Scope: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }
    private init(_ scope: rt_scope_t) { rawValue = UInt8(truncatingIfNeeded: scope.rawValue) }

    /// Everywhere.
    public static let universe = Scope(RT_SCOPE_UNIVERSE)
    /// Inside one autonomous system.
    public static let site = Scope(RT_SCOPE_SITE)
    /// On one link.
    public static let link = Scope(RT_SCOPE_LINK)
    /// On this machine.
    public static let host = Scope(RT_SCOPE_HOST)
    /// No such destination; in a deletion, any scope.
    public static let nowhere = Scope(RT_SCOPE_NOWHERE)
}
