/// A protocol whose ports can be published.
public enum TransportProtocol: String, CaseIterable, Hashable, Sendable {
    case tcp, udp, sctp

    /// The number in the IP header (IANA protocol numbers).
    public var number: UInt8 {
        switch self {
        case .tcp: 6
        case .udp: 17
        case .sctp: 132
        }
    }
}
