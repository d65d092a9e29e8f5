import Addressing
import CLinux
import CNftnl

/// Turns the statements of a rule into the expressions that `nft` would make of them, so that `nft list` reads them back.
struct RuleCompiler: ~Copyable {
    /// Why a rule makes no sense.
    struct Problem: Error {
        let text: String
    }

    private let family: Family
    private(set) var expressions: [Expression] = []
    /// What the rule has matched so far: these matches are not repeated.
    private var network: Family?
    private var transport: InternetProtocol?
    private var isEthernet = false

    init(family: Family) {
        self.family = family
        if family == .ip || family == .ip6 { network = family }
        // A bridge sees nothing else, and who hooks into a device knows what it is.
        if family == .bridge || family == .netdev { isEthernet = true }
    }

    static func compile(_ rule: Rule) throws(Problem) -> [Expression] {
        var compiler = RuleCompiler(family: rule.chain.table.family)
        for statement in rule.statements { try compiler.append(statement) }
        return compiler.expressions
    }

    mutating func append(_ statement: Statement) throws(Problem) {
        switch statement.kind {
        case .compare(let selector, let value, let inverted):
            try compare(selector, value, inverted: inverted)
        case .begins(let selector, let bytes):
            guard selector.type == .ifname, (1..<selector.type.length).contains(bytes.count) else {
                throw Problem(text: "\(selector) does not begin with \(bytes.count) bytes")
            }
            // Without the zeros that end a name.
            try expressions.append(.compare(load([selector]), .equal, bytes))
        case .masked(let selector, let mask, let value, let inverted):
            let register = try load([selector])
            try expressions.append(
                .bitwise(register, mask: bytes(mask, selector), xor: bytes(0, selector)))
            try expressions.append(.compare(register, inverted ? .notEqual : .equal, bytes(value, selector)))
        case .anyOf(let selector, let bits):
            let register = try load([selector])
            try expressions.append(.bitwise(register, mask: bytes(bits, selector), xor: bytes(0, selector)))
            try expressions.append(.compare(register, .notEqual, bytes(0, selector)))
        case .lookup(let selectors, let set, let inverted):
            let key = try loadKey(selectors, of: set)
            expressions.append(.lookup(set: set.name, key: key, to: nil, inverted: inverted))
        case .verdictMap(let selectors, let map):
            guard map.content == .verdict else { throw Problem(text: "\(map) has no verdicts") }
            let key = try loadKey(selectors, of: map)
            expressions.append(.lookup(set: map.name, key: key, to: .verdict, inverted: false))
        case .translate(let translation, let family, let values):
            try translate(translation, family, to: values)
        case .translateByMap(let translation, let family, let selectors, let map):
            try translate(translation, family, selectors, map)
        case .redirect(let port):
            try redirect(port)
        case .set(let selector, let number):
            try set(selector, number)
        case .reject(let rejection):
            try reject(rejection)
        case .verdict(let verdict): expressions.append(.verdict(verdict))
        case .masquerade: expressions.append(.masquerade(flags: 0))
        case .counter: expressions.append(.counter(packets: 0, bytes: 0))
        case .notrack: expressions.append(.notrack)
        case .log(let prefix): expressions.append(.log(prefix: prefix))
        case .expression(let expression): expressions.append(expression)
        }
    }
}

// MARK: Loading

extension RuleCompiler {
    /// Loads the selectors one after another from the first register on, each at a multiple of four bytes.
    private mutating func load(_ selectors: [Selector]) throws(Problem) -> Expression.Register {
        // What a selector needs is matched before the first load: a match uses the first register, too.
        for selector in selectors { try require(selector) }
        var word = 0
        for selector in selectors {
            let register = Expression.Register(word: word)
            load(selector, to: register, length: selector.type.length)
            word += Concatenation.padded(selector.type.length) / 4
        }
        guard word * 4 <= Concatenation.maximumLength else {
            throw Problem(text: "\(selectors.text) is longer than \(Concatenation.maximumLength) bytes")
        }
        return Expression.Register(word: 0)
    }

    private mutating func load(_ selector: Selector, to register: Expression.Register, length: Int) {
        switch selector.source {
        case .payload(let base, let offset):
            expressions.append(.payload(base, offset: offset, length: UInt32(length), to: register))
        case .meta(let key): expressions.append(.meta(key, to: register))
        case .conntrack(let key): expressions.append(.conntrack(key, to: register))
        case .fib(let flags):
            expressions.append(.fib(flags: flags, result: NFT_FIB_RESULT_ADDRTYPE.rawValue, to: register))
        }
    }

    private mutating func loadKey(_ selectors: [Selector], of set: NamedSet) throws(Problem) -> Expression.Register {
        guard !selectors.isEmpty, selectors.types == set.key else {
            throw Problem(text: "the key of \(set) is \(set.key.text), \(selectors.text) is \(selectors.types.text)")
        }
        return try load(selectors)
    }

    private mutating func require(_ selector: Selector) throws(Problem) {
        if case .payload(.link, _) = selector.source, !isEthernet {
            var type: [UInt8] = []
            unsafe withUnsafeBytes(of: UInt16(ARPHRD_ETHER)) { unsafe type.append(contentsOf: $0) }
            let register = Expression.Register(word: 0)
            expressions.append(.meta(NFT_META_IFTYPE.rawValue, to: register))
            expressions.append(.compare(register, .equal, type))
            isEthernet = true
        }
        if let needed = selector.network, needed != network {
            guard network == nil else {
                throw Problem(text: "\(selector) cannot match, the packet is \(network ?? needed)")
            }
            try matchNetwork(needed)
        }
        if let needed = selector.transport, needed != transport {
            guard transport == nil else {
                throw Problem(text: "\(selector) cannot match, the packet is \(transport ?? needed)")
            }
            let register = Expression.Register(word: 0)
            expressions.append(.meta(NFT_META_L4PROTO.rawValue, to: register))
            expressions.append(.compare(register, .equal, [needed.rawValue]))
            transport = needed
        }
    }

    static func etherType(of network: Family) -> [UInt8] {
        var type: [UInt8] = []
        type.append(bigEndian: UInt16(network == .ip ? ETH_P_IP : network == .arp ? ETH_P_ARP : ETH_P_IPV6))
        return type
    }

    private mutating func matchNetwork(_ needed: Family) throws(Problem) {
        let register = Expression.Register(word: 0)
        switch family {
        case .inet where isEthernet:
            expressions.append(.payload(.link, offset: 12, length: 2, to: register))
            expressions.append(.compare(register, .equal, Self.etherType(of: needed)))
        case .inet:
            expressions.append(.meta(NFT_META_NFPROTO.rawValue, to: register))
            expressions.append(.compare(register, .equal, [needed.rawValue]))
        case .bridge, .netdev:
            expressions.append(.meta(NFT_META_PROTOCOL.rawValue, to: register))
            expressions.append(.compare(register, .equal, Self.etherType(of: needed)))
        default:
            throw Problem(text: "a table of the \(family) family sees no \(needed) packets")
        }
        network = needed
    }
}

// MARK: Comparing

extension RuleCompiler {
    private mutating func compare(_ selector: Selector, _ value: Value, inverted: Bool) throws(Problem) {
        if case .prefix(let prefix) = value, value.isInterval {
            return try compare(selector, value, bits: prefix.length, inverted: inverted)
        }
        let first = try bytes(value.first, selector)
        let last = try bytes(value.last, selector)
        let register = try load([selector])
        if first == last {
            expressions.append(.compare(register, inverted ? .notEqual : .equal, first))
            if !inverted { remember(selector, value.first) }
            return
        }
        guard selector.type.allowsIntervals else {
            throw Problem(text: "\(selector) is not compared with a range: its bytes are in the machine's order")
        }
        guard first.lexicographicallyPrecedes(last) else { throw Problem(text: "the range \(value) is empty") }
        if inverted {
            expressions.append(.range(register, inverted: true, first, last))
        } else {
            expressions.append(.compare(register, .greaterOrEqual, first))
            expressions.append(.compare(register, .lessOrEqual, last))
        }
    }

    /// A prefix: of whole bytes, only those are loaded; else the address is masked.
    private mutating func compare(_ selector: Selector, _ prefix: Value, bits: Int, inverted: Bool) throws(Problem) {
        let address = try bytes(prefix.first, selector)
        let comparison: Expression.Comparison = inverted ? .notEqual : .equal
        let register = Expression.Register(word: 0)
        try require(selector)
        if bits > 0, bits % 8 == 0, case .payload = selector.source {
            load(selector, to: register, length: bits / 8)
            expressions.append(.compare(register, comparison, Array(address.prefix(bits / 8))))
        } else {
            let mask = address.indices.map { UInt8(truncatingIfNeeded: 0xff00 >> min(max(bits - $0 * 8, 0), 8)) }
            load(selector, to: register, length: address.count)
            expressions.append(.bitwise(register, mask: mask, xor: address.map { _ in 0 }))
            expressions.append(.compare(register, comparison, address))
        }
    }

    /// An explicit `meta nfproto` or `meta l4proto` spares the implicit one.
    private mutating func remember(_ selector: Selector, _ value: Value) {
        switch (selector, value) {
        case (.nfproto, .bytes(let bytes)): network = bytes.first.map(Family.init(rawValue:))
        case (.l4proto, .proto(let number)): transport = number
        default: break
        }
    }

    private func bytes(_ value: Value, _ selector: Selector) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        guard value.append(to: &bytes, as: selector.type) else {
            throw Problem(text: "\(selector) is \(selector.type), \(value) is not")
        }
        return bytes
    }

    private func bytes(_ number: UInt32, _ selector: Selector) throws(Problem) -> [UInt8] {
        try bytes(.integer(number), selector)
    }
}

// MARK: Acting

extension RuleCompiler {
    private mutating func translate(
        _ translation: Expression.Translation, _ family: Family, _ selectors: [Selector], _ map: NamedSet
    ) throws(Problem) {
        let address: DataType = family == .ip ? .ipv4Addr : .ipv6Addr
        guard map.data == [address] || map.data == [address, .inetService] else {
            throw Problem(text: "\(map) has no data of type \(address) or \(address) . \(DataType.inetService)")
        }
        let key = try loadKey(selectors, of: map)
        let first = Expression.Register(word: 0)
        expressions.append(.lookup(set: map.name, key: key, to: first, inverted: false))
        let port = map.data.count == 2 ? Expression.Register(word: address.length / 4) : nil
        expressions.append(.nat(translation, family, address: first, port: port, flags: 0))
    }

    private mutating func translate(
        _ translation: Expression.Translation, _ family: Family, to values: [Value]
    ) throws(Problem) {
        // Of the family `inet` there is a port alone.
        let address: [DataType] = family == .inet ? [] : [family == .ip ? .ipv4Addr : .ipv6Addr]
        let types = address + [.inetService]
        var registers: [Expression.Register] = []
        for (index, (value, type)) in zip(values, types).enumerated() {
            var bytes: [UInt8] = []
            guard value.append(to: &bytes, as: type) else { throw Problem(text: "\(value) is no \(type)") }
            let register = Expression.Register(word: index * Int(NFT_REG_SIZE / NFT_REG32_SIZE))
            expressions.append(.immediate(bytes, to: register))
            registers.append(register)
        }
        let port = registers.count > address.count ? registers.last : nil
        expressions.append(
            .nat(
                translation, family, address: address.isEmpty ? nil : registers.first, port: port,
                flags: port == nil ? 0 : UInt32(NF_NAT_RANGE_PROTO_SPECIFIED)))
    }

    private mutating func redirect(_ port: UInt16?) throws(Problem) {
        guard let port else {
            expressions.append(.redirect(port: nil, flags: 0))
            return
        }
        var bytes: [UInt8] = []
        bytes.append(bigEndian: port)
        let register = Expression.Register(word: 0)
        expressions.append(.immediate(bytes, to: register))
        expressions.append(.redirect(port: register, flags: UInt32(NF_NAT_RANGE_PROTO_SPECIFIED)))
    }

    private mutating func set(_ selector: Selector, _ number: UInt32) throws(Problem) {
        let register = Expression.Register(word: 0)
        try expressions.append(.immediate(bytes(number, selector), to: register))
        switch selector.source {
        case .meta(let key): expressions.append(.setMeta(key, from: register))
        case .conntrack(let key): expressions.append(.setConntrack(key, from: register))
        default: throw Problem(text: "\(selector) cannot be set")
        }
    }

    private mutating func reject(_ rejection: Statement.Rejection) throws(Problem) {
        let unreachable = NFT_REJECT_ICMP_UNREACH.rawValue
        switch (rejection, family) {
        case (.tcpReset, _):
            // The kernel resets TCP only; without the match it would drop everything else silently.
            if transport == nil { try compare(.l4proto, .proto(.tcp), inverted: false) }
            expressions.append(.reject(type: NFT_REJECT_TCP_RST.rawValue, code: 0))
        case (.portUnreachable, .ip): expressions.append(.reject(type: unreachable, code: UInt8(ICMP_PORT_UNREACH)))
        case (.portUnreachable, .ip6): expressions.append(.reject(type: unreachable, code: UInt8(ICMPV6_PORT_UNREACH)))
        case (.prohibited, .ip): expressions.append(.reject(type: unreachable, code: UInt8(ICMP_PKT_FILTERED)))
        case (.prohibited, .ip6): expressions.append(.reject(type: unreachable, code: UInt8(ICMPV6_ADM_PROHIBITED)))
        case (.portUnreachable, _):
            let code = UInt8(NFT_REJECT_ICMPX_PORT_UNREACH.rawValue)
            expressions.append(.reject(type: NFT_REJECT_ICMPX_UNREACH.rawValue, code: code))
        case (.prohibited, _):
            let code = UInt8(NFT_REJECT_ICMPX_ADMIN_PROHIBITED.rawValue)
            expressions.append(.reject(type: NFT_REJECT_ICMPX_UNREACH.rawValue, code: code))
        }
    }
}
