import CLinux

/// The flags of a link (`IFF_*`, netdevice(7)).
public struct LinkFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// It was set up.
    public static let up = LinkFlags(rawValue: 1 << 0)
    public static let broadcast = LinkFlags(rawValue: 1 << 1)
    public static let loopback = LinkFlags(rawValue: 1 << 3)
    public static let pointToPoint = LinkFlags(rawValue: 1 << 4)
    /// It is up and operational.
    public static let running = LinkFlags(rawValue: 1 << 6)
    public static let noARP = LinkFlags(rawValue: 1 << 7)
    public static let promiscuous = LinkFlags(rawValue: 1 << 8)
    public static let multicast = LinkFlags(rawValue: 1 << 12)
    /// The driver sees a carrier: a veth's peer is up.
    public static let lowerUp = LinkFlags(rawValue: 1 << 16)
}
