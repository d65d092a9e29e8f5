public import Addressing
import CLinux
public import LinuxSystem

/// A rule or a policy of the old packet filter that lets no packet pass, and how many packets it has met.
///
/// Nobody tells a packet's way through those tables; but what has counted one more just when it was lost had it.
public struct LegacyDrop: Hashable, Sendable {
    public let family: IPFamily
    /// `filter`, `mangle`, `raw` or `security`.
    public let table: String
    public let chain: String
    /// Where the kernel calls the chain; nil for one that others jump to.
    public let hook: Chain.Hook?
    /// The rule's number in its chain, from 1, as `iptables-legacy -L --line-numbers` has it; nil for the policy.
    public let number: Int?
    /// Whether the sender is told.
    public let rejects: Bool
    public let comment: String?
    public let packets: UInt64

    /// Whether both are the same, whatever they have counted.
    public func isSame(as other: LegacyDrop) -> Bool {
        (family, table, chain, number) == (other.family, other.table, other.chain, other.number)
            && rejects == other.rejects
    }

    /// Those of all tables of the calling thread's network namespace, in the order in which a hook asks the tables.
    ///
    /// - Throws: `SystemError`. Equivalent to `iptables-legacy -t TABLE -L -nvx --line-numbers`.
    public static func all() throws(SystemError) -> [LegacyDrop] {
        var drops: [LegacyDrop] = []
        for family in IPFamily.allCases {
            for name in ["raw", "mangle", "filter", "security"] {
                if let table = try LegacyTable(reading: name, family) { drops += table.drops }
            }
        }
        return drops
    }
}

extension LegacyTable {
    private static let chains: [(name: String, hook: Nftables.Chain.Hook)] = [
        ("PREROUTING", .prerouting), ("INPUT", .input), ("FORWARD", .forward), ("OUTPUT", .output),
        ("POSTROUTING", .postrouting),
    ]

    /// Its rules and policies that let nothing pass.
    public var drops: [LegacyDrop] {
        var drops: [LegacyDrop] = []
        var chain = (name: "", hook: Nftables.Chain.Hook?.none)
        var number = 0
        let counters = LegacyLayout(family: family).counters
        for (offset, entry) in places {
            // A chain of the kernel's begins with its first rule, another with a mark.
            if let index = beginnings.indices.first(where: { hooks & 1 << $0 != 0 && Int(beginnings[$0]) == offset }) {
                chain = (Self.chains[index].name, Self.chains[index].hook)
                number = 0
            }
            if let name = entry.chain {
                chain = (name, nil)
                number = 0
                continue
            }
            number += 1
            let isPolicy = policies.indices.contains { hooks & 1 << $0 != 0 && Int(policies[$0]) == offset }
            let rejects = entry.targetName == "REJECT"
            guard entry.drops || rejects else { continue }
            drops.append(
                LegacyDrop(
                    family: family, table: name, chain: chain.name, hook: chain.hook, number: isPolicy ? nil : number,
                    rejects: rejects, comment: entry.comment, packets: entry.bytes.number(UInt64.self, at: counters)))
        }
        return drops
    }
}
