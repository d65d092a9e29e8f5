public import Addressing
import CLinux
import CNftnl
import Netlink

/// Which tracked connections are meant, by what their first packet said; what is nil may be anything.
public struct ConntrackFilter: Hashable, Sendable {
    public var transport: InternetProtocol?
    public var source: IPAddress?
    public var destination: IPAddress?
    public var sourcePort: UInt16?
    public var destinationPort: UInt16?

    public init(
        transport: InternetProtocol? = nil, source: IPAddress? = nil, destination: IPAddress? = nil,
        sourcePort: UInt16? = nil, destinationPort: UInt16? = nil
    ) {
        self.transport = transport
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }

    func matches(_ tuple: TrackedConnection.Tuple) -> Bool {
        (transport == nil || transport == tuple.transport) && (source == nil || source == tuple.source)
            && (destination == nil || destination == tuple.destination)
            && (sourcePort == nil || sourcePort == tuple.sourcePort)
            && (destinationPort == nil || destinationPort == tuple.destinationPort)
    }
}

extension ConntrackFilter {
    /// The parts of a tuple that the kernel compares: bits of `CTA_FILTER_ORIG_FLAGS` (net/netfilter/nf_internals.h). No
    /// header of user space has them.
    private enum Part {
        static let source: UInt32 = 1 << 0
        static let destination: UInt32 = 1 << 1
        static let transport: UInt32 = 1 << 3
        static let sourcePort: UInt32 = 1 << 4
        static let destinationPort: UInt32 = 1 << 5
    }

    /// The family that the addresses are of; a filter without an address is for both.
    var family: IPFamily? { source?.family ?? destination?.family }

    var contradicts: Bool { source.map { $0.family != destination?.family } == true && destination != nil }

    /// Appends the filter to a request for a list (Linux 5.8): the transport, ports together with it, IPv4 addresses. Of
    /// IPv6 addresses the kernel passes those that differ (`ctnetlink_filter_match_tuple`, seen in Linux 6.18).
    func put(in message: inout MessageBuilder) {
        var parts: UInt32 = 0
        let ports = transport == nil ? (nil, nil) : (sourcePort, destinationPort)
        let addresses = family == .v4 ? (source, destination) : (nil, nil)
        if addresses.0 != nil { parts |= Part.source }
        if addresses.1 != nil { parts |= Part.destination }
        if transport != nil { parts |= Part.transport }
        if ports.0 != nil { parts |= Part.sourcePort }
        if ports.1 != nil { parts |= Part.destinationPort }
        guard parts != 0 else { return }
        message.nest(Int(CTA_TUPLE_ORIG.rawValue)) { tuple in
            if family == .v4 {
                tuple.nest(Int(CTA_TUPLE_IP.rawValue)) { fields in
                    if let source = addresses.0 { fields.put(Int(CTA_IP_V4_SRC.rawValue), source.bytes) }
                    if let destination = addresses.1 { fields.put(Int(CTA_IP_V4_DST.rawValue), destination.bytes) }
                }
            }
            guard let transport else { return }
            tuple.nest(Int(CTA_TUPLE_PROTO.rawValue)) { fields in
                fields.put(Int(CTA_PROTO_NUM.rawValue), transport.rawValue)
                if let port = ports.0 { fields.put(Int(CTA_PROTO_SRC_PORT.rawValue), port.bigEndian) }
                if let port = ports.1 { fields.put(Int(CTA_PROTO_DST_PORT.rawValue), port.bigEndian) }
            }
        }
        message.nest(Int(CTA_FILTER.rawValue)) { $0.put(Int(CTA_FILTER_ORIG_FLAGS.rawValue), parts) }
    }
}
