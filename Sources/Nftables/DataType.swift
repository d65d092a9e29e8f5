import CLinux
import CNftnl

/// The type of a set's key, of a map's data, or of what a selector loads.
///
/// The kernel stores the number of the type and looks at its length only; `nft` prints elements by the number.
public struct DataType: Hashable, Sendable {
    /// The number that `nft` gives to the type (`enum datatypes`, nftables' include/datatype.h). No kernel header has it.
    public let identifier: UInt32
    /// The name in nft's syntax.
    public let name: String
    /// Bytes.
    public let length: Int
    let order: ByteOrder

    /// The byte order of a value in a register (`enum byteorder`, nftables' include/datatype.h).
    enum ByteOrder: UInt32 {
        case none = 0
        case host = 1
        case big = 2
    }

    init(_ identifier: UInt32, _ name: String, length: Int, _ order: ByteOrder) {
        self.identifier = identifier
        self.name = name
        self.length = length
        self.order = order
    }

    /// A number that has one byte in a register.
    static let bit = DataType(4, "integer", length: 1, .host)
    public static let nfProto = DataType(2, "nf_proto", length: 1, .none)
    public static let ipv4Addr = DataType(7, "ipv4_addr", length: 4, .big)
    public static let ipv6Addr = DataType(8, "ipv6_addr", length: 16, .big)
    public static let etherAddr = DataType(9, "ether_addr", length: 6, .big)
    public static let etherType = DataType(10, "ether_type", length: 2, .big)
    public static let inetProto = DataType(12, "inet_proto", length: 1, .none)
    public static let inetService = DataType(13, "inet_service", length: 2, .big)
    public static let icmpType = DataType(14, "icmp_type", length: 1, .none)
    public static let tcpFlag = DataType(15, "tcp_flag", length: 1, .none)
    public static let mark = DataType(19, "mark", length: 4, .host)
    public static let ifaceIndex = DataType(20, "iface_index", length: 4, .host)
    /// A class of a queueing discipline, as `tc` writes it: `1:20`.
    static let classID = DataType(23, "classid", length: 4, .host)
    public static let ctState = DataType(26, "ct_state", length: 4, .host)
    public static let ctDirection = DataType(27, "ct_dir", length: 1, .none)
    public static let ctStatus = DataType(28, "ct_status", length: 4, .host)
    public static let icmpv6Type = DataType(29, "icmpv6_type", length: 1, .none)
    public static let pktType = DataType(31, "pkt_type", length: 1, .host)
    public static let fibAddrType = DataType(38, "fib_addrtype", length: 4, .host)
    /// An interface's name, padded with zeros to the 16 bytes of `IFNAMSIZ`.
    public static let ifname = DataType(41, "ifname", length: 16, .host)

    static let known: [UInt32: DataType] = Dictionary(
        [
            nfProto, ipv4Addr, ipv6Addr, etherAddr, etherType, inetProto, inetService, icmpType, tcpFlag, mark,
            ifaceIndex, classID, ctState, ctDirection, ctStatus, icmpv6Type, pktType, fibAddrType, ifname,
        ].map { ($0.identifier, $0) }, uniquingKeysWith: { first, _ in first })

    /// Whether a prefix or a range of it compares byte by byte, as the kernel's interval sets do.
    var allowsIntervals: Bool { order != .host }
}

extension DataType {
    /// The number says it all; comparing names, too, would cost more than laying out an element does.
    public static func == (a: DataType, b: DataType) -> Bool { a.identifier == b.identifier && a.length == b.length }

    public func hash(into hasher: inout Hasher) { hasher.combine(identifier) }
}

extension DataType: CustomStringConvertible {
    public var description: String { name }
}

/// A concatenation `a . b . c`: each component begins at a multiple of four bytes, as it lies in 32-bit registers.
struct Concatenation {
    /// Bits for each component in the number of a concatenated type (`TYPE_BITS`, nftables' include/datatype.h).
    private static let bitsOfType: UInt32 = 6
    /// The registers hold 64 bytes.
    static let maximumLength = Int(NFT_REG32_15.rawValue - NFT_REG32_00.rawValue + 1) * 4

    let types: [DataType]

    /// The number of the type, as `nft` composes it.
    var identifier: UInt32 { types.reduce(0) { $0 << Self.bitsOfType | $1.identifier } }

    /// Bytes; a single type is not padded.
    var length: Int {
        types.count == 1 ? types[0].length : types.reduce(0) { $0 + Self.padded($1.length) }
    }

    var order: DataType.ByteOrder { types.count == 1 ? types[0].order : .none }

    static func padded(_ length: Int) -> Int { (length + 3) & ~3 }

    /// Takes the number of a type apart again. Types we have no name for get the length that is left for them.
    static func types(of identifier: UInt32, length: Int) -> [DataType] {
        var parts: [UInt32] = []
        var rest = identifier
        while rest != 0 {
            parts.insert(rest & (1 << bitsOfType - 1), at: 0)
            rest >>= bitsOfType
        }
        let types = parts.compactMap { DataType.known[$0] }
        if types.count == parts.count, !types.isEmpty, Concatenation(types: types).length == length { return types }
        return [DataType(identifier, "type \(identifier)", length: length, .none)]
    }
}

extension [DataType] {
    /// `ipv4_addr . inet_service`.
    var text: String { map(\.name).joined(separator: " . ") }
}
