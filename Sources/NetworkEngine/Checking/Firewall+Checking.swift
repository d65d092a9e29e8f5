import NetworkModel
import Nftables

extension Firewall {
    /// Compares the table with what is recorded, and looks for others that stand in the way.
    mutating func check(
        expecting facts: [FirewallElement], networks: [String: Network], _ check: inout NetworkCheck
    ) throws {
        guard networks.values.contains(where: \.driver.isRoutedByHost) else { return }
        if try isBuilt() {
            try checkRules(&check)
            try checkElements(facts, &check)
        } else {
            check.report("firewall", "the table inet swnet is missing, or of another layout", .firewall)
        }
        for chain in try foreignDrops() {
            let base = chain.base.map { "\($0.hook)" } ?? ""
            check.report(
                "chain \(chain.reference)", "what no rule of it accepts on \(base) is dropped, ours too",
                .advice("accept iifname and oifname \"sw-*\" there"))
        }
    }

    /// Chains of others that drop what they do not know: accepting in our table does not override that.
    mutating func foreignDrops() throws -> [Chain] {
        try socket.chains().filter { chain in
            guard let base = chain.base, base.policy == .drop else { return false }
            return chain.reference.table != Ruleset.table.reference && [.forward].contains(base.hook)
        }
    }

    private mutating func checkRules(_ check: inout NetworkCheck) throws {
        let present = try socket.rules(of: Ruleset.table)
        for chain in Ruleset.chains {
            let wanted = Ruleset.rules.filter { $0.chain == chain.reference }.map(\.comment)
            let found = present.filter { $0.chain == chain.reference }.map(\.comment)
            if wanted != found {
                check.report(
                    "firewall",
                    "chain \(chain.reference.name) has \(found.count) rules, not the \(wanted.count) that it should",
                    .firewall)
            }
        }
    }

    private mutating func checkElements(_ facts: [FirewallElement], _ check: inout NetworkCheck) throws {
        let groups = ElementGroups(facts).groups
        for set in Ruleset.sets {
            var wanted: [[Value]: Element] = [:]
            for element in groups.first(where: { $0.set.name == set.name })?.elements ?? [] {
                wanted[element.key] = element
            }
            var unknown = 0
            for element in try socket.elements(of: set) {
                let expected = wanted.removeValue(forKey: element.key)
                if expected?.content != element.content { unknown += 1 }
            }
            if !wanted.isEmpty {
                check.report("firewall", "\(set.name) lacks \(wanted.count) of its elements", .firewall)
            }
            if unknown > 0 {
                check.report("firewall", "\(set.name) has \(unknown) elements that nothing asks for", .firewall)
            }
        }
    }
}
