public import Addressing
import CLinux

/// A table of the old packet filter, which programs such as `iptables-legacy` write: all its rules are one run of bytes,
/// which is read and replaced as a whole.
///
/// Its chains come after those of nftables with a lesser priority and before the others, and nftables does not know of
/// them; what they drop is dropped.
public struct LegacyTable: Hashable, Sendable {
    public let family: IPFamily
    /// `filter`, `nat`, `mangle`, `raw` or `security`.
    public let name: String
    /// A bit for each hook that it has a chain at.
    let hooks: UInt32
    /// Where each hook's chain begins and where its policy stands, in bytes.
    var beginnings: [UInt32]
    var policies: [UInt32]
    var bytes: [UInt8]
    /// How many rules were read.
    let originalCount: Int

    init(
        family: IPFamily, name: String, hooks: UInt32, beginnings: [UInt32], policies: [UInt32], bytes: [UInt8],
        count: Int
    ) {
        self.family = family
        self.name = name
        self.hooks = hooks
        self.beginnings = beginnings
        self.policies = policies
        self.bytes = bytes
        originalCount = count
    }

    /// A chain, by name.
    public struct Chain: Hashable, Sendable {
        public let name: String
        /// From its first rule to its policy, or to what stands for it.
        let range: Range<Int>
    }

    /// The places of rules.
    var places: [(offset: Int, entry: LegacyEntry)] {
        let layout = LegacyLayout(family: family)
        var places: [(Int, LegacyEntry)] = []
        var offset = 0
        while offset + layout.entrySize <= bytes.count {
            let size = Int(bytes.number(UInt16.self, at: offset + layout.nextOffset))
            guard size >= layout.entrySize + LegacyLayout.extensionSize, offset + size <= bytes.count else { break }
            places.append((offset, LegacyEntry(layout: layout, bytes: Array(bytes[offset..<(offset + size)]))))
            offset += size
        }
        return places
    }

    private func entries(of chain: Chain) -> [LegacyEntry] {
        places.filter { chain.range.contains($0.offset) }.map(\.entry)
    }

    /// The chain that the kernel calls at a hook.
    public func chain(at hook: Nftables.Chain.Hook) -> Chain? {
        let (number, name): (UInt32, String) =
            switch hook {
            case .input: (NF_INET_LOCAL_IN.rawValue, "INPUT")
            case .forward: (NF_INET_FORWARD.rawValue, "FORWARD")
            case .output: (NF_INET_LOCAL_OUT.rawValue, "OUTPUT")
            default: (UInt32(NF_INET_NUMHOOKS.rawValue), "")
            }
        guard number < NF_INET_NUMHOOKS.rawValue, hooks & 1 << number != 0 else { return nil }
        let (first, last) = (Int(beginnings[Int(number)]), Int(policies[Int(number)]))
        return first <= last ? Chain(name: name, range: first..<last) : nil
    }

    /// A chain that somebody has made.
    public func chain(named name: String) -> Chain? {
        let places = self.places
        guard let start = places.firstIndex(where: { $0.entry.chain == name }), start + 1 < places.count else {
            return nil
        }
        // Behind its last rule stands one that returns, and then the next chain begins, or the table ends.
        let end = places[(start + 1)...].firstIndex { $0.entry.chain != nil } ?? places.count
        guard end - 1 >= start + 1 else { return nil }
        return Chain(name: name, range: places[start + 1].offset..<places[end - 1].offset)
    }

    /// Whether a chain drops what none of its rules knows: its policy says so, or its last rule.
    public func drops(_ chain: Chain) -> Bool {
        let policy = places.first { $0.offset == chain.range.upperBound }?.entry
        return policy?.drops == true || entries(of: chain).last?.dropsEverything == true
    }

    /// Whether a chain has a rule, or one of the same effect.
    public func has(_ rule: LegacyRule, in chain: Chain) -> Bool {
        let plain = rule.plain(family)
        return entries(of: chain).contains { $0.does(theSameAs: plain) }
    }

    /// Puts a rule before all others of a chain, as `iptables-legacy -I` does.
    public mutating func insert(_ rule: LegacyRule, in chain: Chain) {
        let entry = rule.entry(family).bytes
        let point = chain.range.lowerBound
        move(from: point, by: entry.count, staying: point)
        bytes.insert(contentsOf: entry, at: point)
    }

    /// Takes out every rule whose comment begins with a text.
    ///
    /// - Returns: Whether there was one.
    public mutating func removeRules(commented prefix: String) -> Bool {
        var isChanged = false
        while let (offset, entry) = places.first(where: { $0.entry.comment?.hasPrefix(prefix) == true }) {
            bytes.removeSubrange(offset..<(offset + entry.bytes.count))
            move(from: offset, by: -entry.bytes.count, staying: offset)
            isChanged = true
        }
        return isChanged
    }

    /// Corrects everything that tells a place behind a point.
    ///
    /// - Parameter staying: What leads to this place leads to what is there afterwards: the beginning of a chain.
    private mutating func move(from point: Int, by distance: Int, staying: Int) {
        for (offset, entry) in places {
            guard let place = entry.verdictOffset, let verdict = entry.verdict, verdict > Int32(staying) else {
                continue
            }
            bytes.put(verdict + Int32(distance), at: offset + place)
        }
        for index in beginnings.indices where hooks & 1 << UInt32(index) != 0 {
            if Int(beginnings[index]) > point { beginnings[index] = UInt32(Int(beginnings[index]) + distance) }
            // The policy is behind the rule, even where the chain was empty.
            if Int(policies[index]) >= point { policies[index] = UInt32(Int(policies[index]) + distance) }
        }
    }
}
