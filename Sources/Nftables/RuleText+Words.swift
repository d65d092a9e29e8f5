import Addressing
import CLinux
import CNftnl

/// The words of nft's syntax for what a rule loads that is in no header.
enum MetaKey {
    static let inputType = "meta iiftype"

    static func meta(_ key: UInt32) -> (String, DataType?) {
        switch nft_meta_keys(key) {
        case NFT_META_LEN: ("meta length", nil)
        case NFT_META_PROTOCOL: ("meta protocol", .etherType)
        case NFT_META_PRIORITY: ("meta priority", .classID)
        case NFT_META_MARK: ("meta mark", .mark)
        case NFT_META_IIF: ("iif", .ifaceIndex)
        case NFT_META_OIF: ("oif", .ifaceIndex)
        case NFT_META_IIFNAME: ("iifname", .ifname)
        case NFT_META_OIFNAME: ("oifname", .ifname)
        case NFT_META_IFTYPE: (inputType, nil)
        case NFT_META_SKUID: ("meta skuid", .mark)
        case NFT_META_SKGID: ("meta skgid", .mark)
        case NFT_META_NFTRACE: ("meta nftrace", .bit)
        case NFT_META_NFPROTO: ("meta nfproto", .nfProto)
        case NFT_META_L4PROTO: ("meta l4proto", .inetProto)
        case NFT_META_BRI_IIFNAME: ("meta ibrname", .ifname)
        case NFT_META_BRI_OIFNAME: ("meta obrname", .ifname)
        case NFT_META_PKTTYPE: ("meta pkttype", .pktType)
        default: ("(meta \(key))", nil)
        }
    }

    static func conntrack(_ key: UInt32) -> (String, DataType?) {
        switch nft_ct_keys(key) {
        case NFT_CT_STATE: ("ct state", .ctState)
        case NFT_CT_DIRECTION: ("ct direction", .ctDirection)
        case NFT_CT_STATUS: ("ct status", .ctStatus)
        case NFT_CT_MARK: ("ct mark", .mark)
        default: ("(ct \(key))", nil)
        }
    }

    static func fib(_ flags: UInt32, _ result: UInt32) -> RuleText.Operand {
        let keys: [(nft_fib_flags, String)] = [
            (NFTA_FIB_F_SADDR, "saddr"), (NFTA_FIB_F_DADDR, "daddr"), (NFTA_FIB_F_MARK, "mark"),
            (NFTA_FIB_F_IIF, "iif"), (NFTA_FIB_F_OIF, "oif"),
        ]
        let words = keys.filter { flags & $0.0.rawValue != 0 }.map(\.1).joined(separator: " . ")
        switch nft_fib_result(result) {
        case NFT_FIB_RESULT_ADDRTYPE: return .init(text: "fib \(words) type", type: .fibAddrType)
        case NFT_FIB_RESULT_OIFNAME: return .init(text: "fib \(words) oifname", type: .ifname)
        default: return .init(text: "fib \(words) oif", type: .ifaceIndex)
        }
    }
}

/// Names of header fields by their place.
enum HeaderField {
    private typealias Field = (offset: UInt32, name: String, type: DataType)

    private static let ip: [Field] = [
        (9, "ip protocol", .inetProto), (12, "ip saddr", .ipv4Addr), (16, "ip daddr", .ipv4Addr),
    ]
    private static let ip6: [Field] = [
        (6, "ip6 nexthdr", .inetProto), (8, "ip6 saddr", .ipv6Addr), (24, "ip6 daddr", .ipv6Addr),
    ]
    private static let ether: [Field] = [
        (0, "ether daddr", .etherAddr), (6, "ether saddr", .etherAddr), (12, "ether type", .etherType),
    ]

    static func network(_ family: Family?, _ offset: UInt32, _ length: Int) -> RuleText.Operand {
        let fields = family == .ip6 ? ip6 : family == .ip ? ip : []
        return found(fields, offset, length) ?? raw("nh", offset, length)
    }

    static func link(_ offset: UInt32, _ length: Int) -> RuleText.Operand {
        found(ether, offset, length) ?? raw("ll", offset, length)
    }

    static func transport(_ transport: InternetProtocol?, _ offset: UInt32, _ length: Int) -> RuleText.Operand {
        switch transport {
        case .icmp?: return found([(0, "icmp type", .icmpType)], offset, length) ?? raw("th", offset, length)
        case .icmpv6?: return found([(0, "icmpv6 type", .icmpv6Type)], offset, length) ?? raw("th", offset, length)
        case .tcp?, .udp?, .sctp?, nil:
            let name = transport.map { "\($0)" } ?? "th"
            let fields: [Field] = [
                (0, "\(name) sport", .inetService), (2, "\(name) dport", .inetService), (13, "tcp flags", .tcpFlag),
            ]
            return found(fields, offset, length) ?? raw("th", offset, length)
        default: return raw("th", offset, length)
        }
    }

    /// A shorter load is of the beginning of a field: a prefix of whole bytes.
    private static func found(_ fields: [Field], _ offset: UInt32, _ length: Int) -> RuleText.Operand? {
        fields.first { $0.offset == offset && length <= $0.type.length }.map { .init(text: $0.name, type: $0.type) }
    }

    private static func raw(_ base: String, _ offset: UInt32, _ length: Int) -> RuleText.Operand {
        .init(text: "@\(base),\(offset * 8),\(length * 8)")
    }
}

/// Values in the words of nft's syntax.
enum Symbols {
    private static let states: [(UInt32, String)] = [
        (ConntrackState.invalid.rawValue, "invalid"), (ConntrackState.established.rawValue, "established"),
        (ConntrackState.related.rawValue, "related"), (ConntrackState.new.rawValue, "new"),
        (ConntrackState.untracked.rawValue, "untracked"),
    ]
    private static let statuses: [(UInt32, String)] = [
        (ConntrackStatus.expected.rawValue, "expected"), (ConntrackStatus.seenReply.rawValue, "seen-reply"),
        (ConntrackStatus.assured.rawValue, "assured"), (ConntrackStatus.confirmed.rawValue, "confirmed"),
        (ConntrackStatus.snat.rawValue, "snat"), (ConntrackStatus.dnat.rawValue, "dnat"),
    ]
    private static let tcpFlags: [(UInt32, String)] = [
        (1, "fin"), (2, "syn"), (4, "rst"), (8, "psh"), (16, "ack"), (32, "urg"), (64, "ecn"), (128, "cwr"),
    ]

    static func sign(_ comparison: Expression.Comparison) -> String {
        switch comparison {
        case .equal: ""
        case .notEqual: " !="
        case .less: " <"
        case .lessOrEqual: " <="
        case .greater: " >"
        case .greaterOrEqual: " >="
        }
    }

    /// `established,related`; nil for what is no set of flags.
    static func flags(_ mask: [UInt8], _ type: DataType) -> String? {
        let names: [(UInt32, String)]
        switch type {
        case .ctState: names = states
        case .ctStatus: names = statuses
        case .tcpFlag: names = tcpFlags
        default: return nil
        }
        let bits = mask.count == 4 ? UInt32(inMachineOrder: mask) : mask.reduce(0) { $0 << 8 | UInt32($1) }
        let known = names.filter { bits & $0.0 != 0 }
        guard !known.isEmpty, known.reduce(0, { $0 | $1.0 }) == bits else { return nil }
        return known.map(\.1).joined(separator: ",")
    }

    /// How many bits a mask begins with; nil when others follow.
    static func prefixLength(_ mask: [UInt8]) -> Int? {
        guard mask.count == 4 || mask.count == 16 else { return nil }
        let whole = mask.prefix { $0 == 0xff }.count
        let rest = mask.dropFirst(whole)
        let bits = rest.first.map { (~$0).leadingZeroBitCount } ?? 0
        guard rest.dropFirst().allSatisfy({ $0 == 0 }),
            rest.first.map({ $0 << UInt8(min(bits, 7)) == 0 || bits == 8 }) ?? true
        else { return nil }
        return whole * 8 + bits
    }

    static func text(_ bytes: [UInt8], _ type: DataType?) -> String {
        guard let type else { return number(bytes) }
        if bytes.count < type.length { return short(bytes, type) }
        switch type {
        case .ctState, .ctStatus, .tcpFlag: return flags(bytes, type) ?? number(bytes)
        case .nfProto:
            let family = Family(rawValue: bytes.first ?? 0)
            return family == .ip ? "ipv4" : family == .ip6 ? "ipv6" : "\(family)"
        case .fibAddrType:
            let names = [1: "unicast", 2: "local", 3: "broadcast", 4: "anycast", 5: "multicast", 6: "blackhole"]
            let number = UInt32(inMachineOrder: bytes)
            return names[Int(number)] ?? "\(number)"
        case .ctDirection: return bytes == [0] ? "original" : "reply"
        case .icmpType, .icmpv6Type: return echo[bytes.first ?? 0] ?? "\(bytes.first ?? 0)"
        case .ifaceIndex: return "\(UInt32(inMachineOrder: bytes))"
        case .bit, .pktType: return number(bytes)
        case .classID:
            let number = UInt32(inMachineOrder: bytes)
            return String(number >> 16, radix: 16) + ":" + String(number & 0xffff, radix: 16)
        case .mark:
            let digits = String(UInt32(inMachineOrder: bytes), radix: 16)
            return "0x" + String(repeating: "0", count: 8 - digits.count) + digits
        default: return Value(bytes, as: type).description
        }
    }

    private static let echo: [UInt8: String] = [
        0: "echo-reply", 3: "destination-unreachable", 8: "echo-request", 11: "time-exceeded", 128: "echo-request",
        129: "echo-reply", 133: "nd-router-solicit", 134: "nd-router-advert", 135: "nd-neighbor-solicit",
        136: "nd-neighbor-advert",
    ]

    /// The beginning of a value: `"sw-*"`, `127.0.0.0/8`.
    private static func short(_ bytes: [UInt8], _ type: DataType) -> String {
        if type == .ifname {
            let name = String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            return bytes.contains(0) ? "\"\(name)\"" : "\"\(name)*\""
        }
        let whole = bytes + [UInt8](repeating: 0, count: type.length - bytes.count)
        guard let address = IPAddress(bytes: whole), type == .ipv4Addr || type == .ipv6Addr else {
            return number(bytes)
        }
        return "\(address)/\(bytes.count * 8)"
    }

    private static func number(_ bytes: [UInt8]) -> String {
        guard bytes.count == 1 else { return Value.bytes(bytes).description }
        return "\(bytes[0])"
    }
}
