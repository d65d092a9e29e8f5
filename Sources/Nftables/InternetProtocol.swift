import CLinux
import CNftnl

/// A protocol above IP: `inet_proto` in nft's syntax.
public struct InternetProtocol: RawRepresentable, Hashable, Sendable {
    /// The number of IANA's registry, `IPPROTO_*`.
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    public static let icmp = InternetProtocol(rawValue: UInt8(IPPROTO_ICMP))
    public static let tcp = InternetProtocol(rawValue: UInt8(IPPROTO_TCP))
    public static let udp = InternetProtocol(rawValue: UInt8(IPPROTO_UDP))
    public static let icmpv6 = InternetProtocol(rawValue: UInt8(IPPROTO_ICMPV6))
    public static let sctp = InternetProtocol(rawValue: UInt8(IPPROTO_SCTP))
}

extension InternetProtocol: CustomStringConvertible {
    public var description: String {
        switch self {
        case .icmp: "icmp"
        case .tcp: "tcp"
        case .udp: "udp"
        case .icmpv6: "ipv6-icmp"
        case .sctp: "sctp"
        default: "\(rawValue)"
        }
    }
}
