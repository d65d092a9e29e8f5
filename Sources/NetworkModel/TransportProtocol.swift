/// A protocol whose ports can be published.
public enum TransportProtocol: String, CaseIterable, Hashable, Sendable {
    case tcp, udp

    /// The number in the IP header (IANA protocol numbers).
    public var number: UInt8 { self == .tcp ? 6 : 17 }
}
