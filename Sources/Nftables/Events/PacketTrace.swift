public import Addressing
import CLinux
import CNftnl
import Netlink

/// A step on the way of a packet through the rules: which packets are traced, a rule with `meta nftrace set 1` says.
///
/// Source: net/netfilter/nf_tables_trace.c. Equivalent to a line of `nft monitor trace`.
public struct PacketTrace: Hashable, Sendable {
    /// What was reached.
    public enum Step: Hashable, Sendable {
        /// A rule that decided, or that has come to its end.
        case rule(handle: UInt64)
        /// The end of a chain that was jumped to, which not every kernel tells, or a `return`.
        case `return`
        /// The end of a base chain: its policy decides.
        case policy
    }

    /// The same in every step of one packet on one hook's way. It is drawn from the packet's address in memory, so that
    /// two packets may share it in the course of time.
    public var identifier: UInt32
    /// The family of the table.
    public var table: Table.Reference
    public var chain: String
    public var step: Step
    /// What was decided; nil for what has no words here (a packet that was taken away or queued).
    public var verdict: Verdict?
    // From here on, the kernel tells it with the first step in each hook's chain and not again.

    /// IPv4, IPv6, ARP or bridge: what the packet is.
    public var network: Family?
    /// The index of the link that the packet came in by.
    public var inputLink: UInt32?
    /// The index of the link that it leaves by.
    public var outputLink: UInt32?
    public var mark: UInt32?
    /// The headers as they lie in the packet, as much as the kernel tells of them.
    public var linkHeader: [UInt8] = []
    public var networkHeader: [UInt8] = []
    public var transportHeader: [UInt8] = []
}

extension PacketTrace {
    /// Reads an `NFT_MSG_TRACE`; its numbers are in network order.
    init?(_ message: NetlinkMessage) {
        guard let header = message.header(nfgenmsg.self) else { return nil }
        let attributes = message.attributes(after: nfgenmsg.self)
        func number(_ attribute: nft_trace_attributes) -> UInt32? {
            attributes.u32(Int(attribute.rawValue)).map(UInt32.init(bigEndian:))
        }
        guard let identifier = number(NFTA_TRACE_ID), let table = attributes.string(Int(NFTA_TRACE_TABLE.rawValue)),
            let chain = attributes.string(Int(NFTA_TRACE_CHAIN.rawValue)), let type = number(NFTA_TRACE_TYPE)
        else { return nil }
        self.identifier = identifier
        self.table = Table.Reference(Family(rawValue: header.nfgen_family), table)
        self.chain = chain
        let decision = attributes.nested(Int(NFTA_TRACE_VERDICT.rawValue))
        verdict = decision.u32(Int(NFTA_VERDICT_CODE.rawValue)).flatMap { code in
            Verdict(
                code: Int32(bitPattern: UInt32(bigEndian: code)),
                chain: decision.string(Int(NFTA_VERDICT_CHAIN.rawValue)))
        }
        switch nft_trace_types(type) {
        case NFT_TRACETYPE_RULE:
            guard let handle = attributes.u64(Int(NFTA_TRACE_RULE_HANDLE.rawValue)) else { return nil }
            step = .rule(handle: UInt64(bigEndian: handle))
        case NFT_TRACETYPE_RETURN: step = .return
        case NFT_TRACETYPE_POLICY:
            step = .policy
            verdict = number(NFTA_TRACE_POLICY).flatMap { Verdict(code: Int32(bitPattern: $0), chain: nil) }
        default: return nil
        }
        network = number(NFTA_TRACE_NFPROTO).map { Family(rawValue: UInt8(truncatingIfNeeded: $0)) }
        inputLink = number(NFTA_TRACE_IIF)
        outputLink = number(NFTA_TRACE_OIF)
        mark = number(NFTA_TRACE_MARK)
        linkHeader = attributes.bytes(Int(NFTA_TRACE_LL_HEADER.rawValue)) ?? []
        networkHeader = attributes.bytes(Int(NFTA_TRACE_NETWORK_HEADER.rawValue)) ?? []
        transportHeader = attributes.bytes(Int(NFTA_TRACE_TRANSPORT_HEADER.rawValue)) ?? []
    }
}

extension PacketTrace {
    /// Who sends what to whom, as the headers say.
    public struct Packet: Hashable, Sendable {
        public var source: IPAddress
        public var destination: IPAddress
        /// nil where IPv6 has headers of its own before it.
        public var transport: InternetProtocol?
        /// nil where the transport has none.
        public var sourcePort: UInt16?
        public var destinationPort: UInt16?
        /// Time to live, or hop limit.
        public var ttl: UInt8
    }

    /// The packet of this step; nil where the kernel told no headers, or cut them off, or it is no IP.
    public var packet: Packet? {
        let bytes = networkHeader
        switch bytes.first.map({ $0 >> 4 }) {
        case 4 where bytes.count >= 20:
            guard let source = IPAddress(bytes: bytes[12..<16]), let destination = IPAddress(bytes: bytes[16..<20])
            else { return nil }
            return packet(source, destination, InternetProtocol(rawValue: bytes[9]), ttl: bytes[8])
        case 6 where bytes.count >= 40:
            guard let source = IPAddress(bytes: bytes[8..<24]), let destination = IPAddress(bytes: bytes[24..<40])
            else { return nil }
            let next = InternetProtocol(rawValue: bytes[6])
            let known: [InternetProtocol] = [.tcp, .udp, .icmpv6, .sctp]
            return packet(source, destination, known.contains(next) ? next : nil, ttl: bytes[7])
        default: return nil
        }
    }

    private func packet(
        _ source: IPAddress, _ destination: IPAddress, _ transport: InternetProtocol?, ttl: UInt8
    ) -> Packet {
        var packet = Packet(source: source, destination: destination, transport: transport, ttl: ttl)
        let withPorts: [InternetProtocol?] = [.tcp, .udp, .sctp]
        if withPorts.contains(transport), transportHeader.count >= 4 {
            packet.sourcePort = UInt16(transportHeader[0]) << 8 | UInt16(transportHeader[1])
            packet.destinationPort = UInt16(transportHeader[2]) << 8 | UInt16(transportHeader[3])
        }
        return packet
    }
}
