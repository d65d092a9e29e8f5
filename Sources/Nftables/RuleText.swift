import Addressing
import CLinux
import CNftnl

/// Rules that were read from the kernel in the words of nft's syntax, for people.
///
/// What has no words here is named in parentheses: an extension of iptables, a limit. The text is no input for `nft`.
public struct RuleText: Sendable {
    /// The sets and maps of the rules' table, by name.
    private let sets: [String: NamedSet]
    /// What is in the sets that have no name of a person's, by name.
    private let elements: [String: [Element]]

    /// - Parameter elements: Of the sets whose name begins with `__`: they stand in the rule itself.
    public init(sets: [NamedSet] = [], elements: [String: [Element]] = [:]) {
        self.sets = Dictionary(sets.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        self.elements = elements
    }

    /// One rule, without its comment: `iifname != "lo" ip daddr 127.0.0.0/8 drop`.
    public func text(of rule: Rule) -> String {
        var reader = Reader(source: self, family: rule.chain.table.family)
        let expressions = rule.expressions
        var index = 0
        while index < expressions.count { index += reader.read(expressions[index...]) }
        return (reader.words + reader.pending.map(\.text)).joined(separator: " ")
    }
}

extension RuleText {
    /// What a register holds.
    struct Operand {
        var text: String
        var type: DataType?
        var mask: [UInt8]?
        /// A constant, until it is known what it is for.
        var bytes: [UInt8]?
    }

    /// A match that says only what the next selector needs: `meta l4proto tcp` before `tcp dport`.
    struct Dependency {
        var text: String
        var network: Family?
        var transport: InternetProtocol?
        var isLink = false
    }

    fileprivate func set(_ name: String) -> NamedSet? { sets[name] }

    /// `@bridges`, or the elements of a set that has no name.
    fileprivate func reference(_ name: String) -> String {
        guard name.hasPrefix("__"), let elements = elements[name] else { return "@\(name)" }
        let shown = elements.prefix(8).map(\.description) + (elements.count > 8 ? ["…"] : [])
        return "{ \(shown.joined(separator: ", ")) }"
    }
}

/// Follows a rule's expressions register by register.
private struct Reader {
    typealias Operand = RuleText.Operand

    let source: RuleText
    var words: [String] = []
    var pending: [RuleText.Dependency] = []
    private var network: Family?
    private var transport: InternetProtocol?
    private var registers: [Int: Operand] = [:]

    init(source: RuleText, family: Family) {
        self.source = source
        if family == .ip || family == .ip6 { network = family }
    }

    /// The 32-bit word that a register begins at.
    private static func word(_ register: Expression.Register) -> Int {
        register.rawValue >= NFT_REG32_00.rawValue
            ? Int(register.rawValue - NFT_REG32_00.rawValue) : (Int(register.rawValue) - 1) * 4
    }

    private mutating func say(_ text: String) {
        words += pending.map(\.text) + [text]
        pending = []
    }

    /// Takes one expression, or two that belong together, and returns how many.
    mutating func read(_ expressions: ArraySlice<Expression>) -> Int {
        guard let expression = expressions.first else { return 1 }
        switch expression {
        case .payload(let base, let offset, let length, let register):
            registers[Self.word(register)] = payload(base, offset, Int(length))
        case .meta(let key, let register):
            let (name, type) = MetaKey.meta(key)
            registers[Self.word(register)] = Operand(text: name, type: type)
        case .conntrack(let key, let register):
            let (name, type) = MetaKey.conntrack(key)
            registers[Self.word(register)] = Operand(text: name, type: type)
        case .fib(let flags, let result, let register):
            registers[Self.word(register)] = MetaKey.fib(flags, result)
        case .immediate(let bytes, let register):
            registers[Self.word(register)] = Operand(text: "", bytes: bytes)
        case .bitwise(let register, let mask, _): registers[Self.word(register)]?.mask = mask
        case .compare(let register, .greaterOrEqual, let first):
            if case .compare(register, .lessOrEqual, let last)? = expressions.dropFirst().first {
                range(register, first, last, inverted: false)
                return 2
            }
            compare(register, .greaterOrEqual, first)
        case .compare(let register, let comparison, let bytes): compare(register, comparison, bytes)
        case .range(let register, let inverted, let first, let last): range(register, first, last, inverted: inverted)
        case .lookup(let set, let key, let register, let inverted): lookup(set, key, register, inverted)
        default: act(expression)
        }
        return 1
    }

    private mutating func act(_ expression: Expression) {
        switch expression {
        case .setMeta(let key, let register):
            let (name, type) = MetaKey.meta(key)
            say("\(name) set \(value(register, type))")
        case .setConntrack(let key, let register):
            let (name, type) = MetaKey.conntrack(key)
            say("\(name) set \(value(register, type))")
        case .verdict(let verdict): say("\(verdict)")
        case .nat(let translation, let family, let address, let port, _):
            say((translation == .source ? "snat" : "dnat") + target(family, address, port))
        case .masquerade: say("masquerade")
        case .redirect(let port, _): say("redirect" + (port.map { " to :\(value($0, .inetService))" } ?? ""))
        case .counter(let packets, let bytes): say("counter packets \(packets) bytes \(bytes)")
        case .notrack: say("notrack")
        case .reject(let type, _): say(type == NFT_REJECT_TCP_RST.rawValue ? "reject with tcp reset" : "reject")
        case .log(let prefix): say("log" + (prefix.map { " prefix \"\($0)\"" } ?? ""))
        case .other(let name): say("(\(name))")
        default: break
        }
    }

    // MARK: Loads

    private mutating func payload(_ base: Expression.PayloadBase, _ offset: UInt32, _ length: Int) -> Operand {
        // What the packet has to be was matched before only for the sake of this.
        pending.removeAll { dependency in
            switch base {
            case .transport: dependency.transport != nil || transport == .icmp || transport == .icmpv6
            case .network: dependency.network != nil
            case .link: dependency.isLink
            }
        }
        switch base {
        case .network: return HeaderField.network(network, offset, length)
        case .transport: return HeaderField.transport(transport, offset, length)
        case .link: return HeaderField.link(offset, length)
        }
    }

    // MARK: Matches

    private mutating func compare(
        _ register: Expression.Register, _ comparison: Expression.Comparison, _ bytes: [UInt8]
    ) {
        guard let operand = registers[Self.word(register)] else { return say("(cmp)") }
        if comparison == .equal, operand.mask == nil, let dependency = depend(operand, bytes) {
            pending.append(dependency)
            return
        }
        if let mask = operand.mask, let type = operand.type {
            let isZero = bytes.allSatisfy { $0 == 0 }
            if isZero, comparison == .notEqual, let flags = Symbols.flags(mask, type) {
                return say("\(operand.text) \(flags)")
            }
            if let length = Symbols.prefixLength(mask), let address = IPAddress(bytes: bytes),
                let prefix = IPPrefix(address: address, length: length)
            {
                return say("\(operand.text)\(Symbols.sign(comparison)) \(prefix)")
            }
            let hidden = Value.bytes(mask)
            return say("\(operand.text) & \(hidden) \(comparison == .notEqual ? "!=" : "==") \(Value.bytes(bytes))")
        }
        say("\(operand.text)\(Symbols.sign(comparison)) \(Symbols.text(bytes, operand.type))")
    }

    private mutating func depend(_ operand: Operand, _ bytes: [UInt8]) -> RuleText.Dependency? {
        let text = "\(operand.text) \(Symbols.text(bytes, operand.type))"
        if operand.text == MetaKey.inputType { return RuleText.Dependency(text: text, isLink: true) }
        let networks: [Family] = [.ip, .ip6, .arp]
        if operand.type == .etherType, let family = networks.first(where: { RuleCompiler.etherType(of: $0) == bytes }) {
            network = family
            return RuleText.Dependency(text: "\(operand.text) \(family)", network: family)
        }
        guard let byte = bytes.first, bytes.count == 1 else { return nil }
        if operand.type == .nfProto {
            network = Family(rawValue: byte)
            return RuleText.Dependency(text: text, network: network)
        }
        if operand.type == .inetProto {
            transport = InternetProtocol(rawValue: byte)
            return RuleText.Dependency(text: text, transport: transport)
        }
        return nil
    }

    private mutating func range(
        _ register: Expression.Register, _ first: [UInt8], _ last: [UInt8], inverted: Bool
    ) {
        guard let operand = registers[Self.word(register)] else { return say("(range)") }
        let ends = "\(Symbols.text(first, operand.type))-\(Symbols.text(last, operand.type))"
        say("\(operand.text)\(inverted ? " !=" : "") \(ends)")
    }

    private mutating func lookup(
        _ name: String, _ key: Expression.Register, _ destination: Expression.Register?, _ inverted: Bool
    ) {
        let set = source.set(name)
        var parts: [String] = []
        var word = Self.word(key)
        for type in set?.key ?? [] {
            parts.append(registers[word]?.text ?? "?")
            word += Concatenation.padded(type.length) / 4
        }
        if parts.isEmpty, let text = registers[word]?.text { parts = [text] }
        let selectors = parts.joined(separator: " . ")
        guard let destination else {
            return say("\(selectors)\(inverted ? " !=" : "") \(source.reference(name))")
        }
        if destination == .verdict { return say("\(selectors) vmap \(source.reference(name))") }
        registers[Self.word(destination)] = Operand(text: "\(selectors) map \(source.reference(name))")
    }

    // MARK: Values

    private func value(_ register: Expression.Register, _ type: DataType?) -> String {
        guard let operand = registers[Self.word(register)] else { return "?" }
        return operand.bytes.map { Symbols.text($0, type) } ?? operand.text
    }

    private func target(
        _ family: Family, _ address: Expression.Register?, _ port: Expression.Register?
    ) -> String {
        guard let address else { return port.map { " to :\(value($0, .inetService))" } ?? "" }
        let text = value(address, family == .ip6 ? .ipv6Addr : .ipv4Addr)
        // Of a map whose data is an address and a port, the port is no word of its own.
        guard let port, let known = registers[Self.word(port)]?.bytes else { return " \(family) to \(text)" }
        let number = Symbols.text(known, .inetService)
        return " \(family) to " + (family == .ip6 ? "[\(text)]:\(number)" : "\(text):\(number)")
    }
}
