import CLinux

/// What happens to a packet that a route matches (rtnetlink(7), `rtm_type`).
public struct RouteKind: RawRepresentable, Hashable, Sendable {
    public var rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }
    private init(_ kind: Int) { rawValue = UInt8(truncatingIfNeeded: kind) }

    /// It goes to the gateway or the link.
    public static let unicast = RouteKind(RTN_UNICAST)
    /// It is for this machine.
    public static let local = RouteKind(RTN_LOCAL)
    public static let broadcast = RouteKind(RTN_BROADCAST)
    public static let anycast = RouteKind(RTN_ANYCAST)
    public static let multicast = RouteKind(RTN_MULTICAST)
    /// It is dropped without a word.
    public static let blackhole = RouteKind(RTN_BLACKHOLE)
    /// It is dropped, and the sender is told that the destination cannot be reached.
    public static let unreachable = RouteKind(RTN_UNREACHABLE)
    /// It is dropped, and the sender is told that this is forbidden.
    public static let prohibit = RouteKind(RTN_PROHIBIT)
    /// The search goes on in the next table.
    public static let `throw` = RouteKind(RTN_THROW)
}

extension RouteKind: CustomStringConvertible {
    /// The word that `ip route` has for it.
    public var description: String {
        switch self {
        case .unicast: "unicast"
        case .local: "local"
        case .broadcast: "broadcast"
        case .anycast: "anycast"
        case .multicast: "multicast"
        case .blackhole: "blackhole"
        case .unreachable: "unreachable"
        case .prohibit: "prohibit"
        case .throw: "throw"
        default: "\(rawValue)"
        }
    }
}
