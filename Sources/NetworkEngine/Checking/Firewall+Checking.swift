import NetworkModel
import Nftables

extension Firewall {
    /// Compares our tables with what is recorded.
    mutating func check(
        expecting facts: [FirewallElement], networks: [String: Network], _ check: inout NetworkCheck
    ) throws {
        if networks.values.contains(where: \.policy.guardsSources) {
            try self.check(.sources, facts, &check)
        } else {
            try checkAbsence(of: .sources, &check)
        }
        // What the host is left forwarding is guarded without any.
        if networks.values.contains(where: \.driver.isRoutedByHost)
            || facts.contains(where: FirewallTable.networks.concerns)
        {
            try self.check(.networks, facts, &check)
        } else {
            try checkAbsence(of: .networks, &check)
        }
    }

    private mutating func checkAbsence(of table: FirewallTable, _ check: inout NetworkCheck) throws {
        if try isBuilt(table) { check.report("firewall", "the table \(table.table) is there for nobody", .firewall) }
    }

    private mutating func check(
        _ table: FirewallTable, _ facts: [FirewallElement], _ check: inout NetworkCheck
    ) throws {
        guard let layout = try layout(of: table, for: facts) else { return try reportMissing(table, &check) }
        try checkRules(layout, &check)
        try checkSets(layout, &check)
        try checkElements(layout, facts, &check)
    }

    /// The layout of a table that is there, and has all that facts need; nil when there is none.
    private mutating func layout(of table: FirewallTable, for facts: [FirewallElement]) throws -> TableLayout? {
        switch table {
        case .networks:
            guard let parts = try parts(), Ruleset.parts(of: facts).isSubset(of: parts) else { return nil }
            return Ruleset.layout(parts)
        case .sources: return try isBuilt(table) ? SourceGuard.layout() : nil
        }
    }

    private mutating func reportMissing(_ table: FirewallTable, _ check: inout NetworkCheck) throws {
        let isDormant = try socket.table(table.table.family, table.table.name)?.isDormant == true
        let problem = isDormant ? "dormant: none of its rules is in force" : "missing, or of another layout"
        check.report("firewall", "the table \(table.table) is \(problem)", .firewall)
    }

    private mutating func checkRules(_ layout: TableLayout, _ check: inout NetworkCheck) throws {
        let present = try socket.rules(of: layout.table)
        let rules = layout.rules
        var unknown = try socket.chains(of: layout.table)
        for chain in layout.chains {
            let name = chain.reference.name
            let wanted = rules.filter { $0.chain == chain.reference }
            let found = present.filter { $0.chain == chain.reference }
            if wanted.count != found.count {
                check.report(
                    "firewall", "chain \(name) has \(found.count) rules, not the \(wanted.count) that it should",
                    .firewall)
            } else if !zip(wanted, found).allSatisfy({ $0.comment == $1.comment && $0.does(theSameAs: $1) }) {
                check.report("firewall", "chain \(name) has other rules than it should", .firewall)
            }
            guard let index = unknown.firstIndex(where: { $0.reference == chain.reference }) else { continue }
            let own = unknown.remove(at: index)
            if let policy = own.base?.policy, policy != chain.base?.policy {
                check.report("firewall", "chain \(name) has the policy \(policy), which it should not", .firewall)
            } else if own.base != chain.base {
                check.report("firewall", "chain \(name) is called at another place than it should", .firewall)
            }
        }
        report(unknown.map { "chain \($0.reference.name) is in our table, and nothing asks for it" }, &check)
    }

    /// Sets are as the layout's comment says, which nobody can change but together with all else; there may be more.
    private mutating func checkSets(_ layout: TableLayout, _ check: inout NetworkCheck) throws {
        let known = layout.sets.map(\.name)
        // Those that are written in a rule go with it, and have names of the kernel's.
        let unknown = try socket.sets(of: layout.table).filter { !$0.name.hasPrefix("__") && !known.contains($0.name) }
        report(unknown.map { "\($0) is in our table, and nothing asks for it" }, &check)
    }

    /// Looks whether the table holds some facts, whatever else it holds.
    mutating func check(holding facts: [FirewallElement], _ check: inout NetworkCheck) throws {
        for table in FirewallTable.allCases where facts.contains(where: table.concerns) {
            guard try layout(of: table, for: facts) != nil else { return try reportMissing(table, &check) }
        }
        for group in ElementGroups(facts).groups {
            let present = try elementsByKey(of: group.set)
            checkLack(of: facts, in: group.set, present, &check)
        }
    }

    private mutating func checkElements(
        _ layout: TableLayout, _ facts: [FirewallElement], _ check: inout NetworkCheck
    ) throws {
        let groups = ElementGroups(facts).groups.filter { layout.holds($0.set) }
        for set in layout.sets {
            let wanted = groups.first { $0.set.name == set.name }?.elements ?? []
            let present = try elementsByKey(of: set)
            let missing = wanted.filter { present[$0.key]?.content != $0.content }
            if !missing.isEmpty { checkLack(of: facts, in: set, present, &check) }
            let renamed = wanted.compactMap { wanted -> String? in
                guard let found = present[wanted.key], found.content == wanted.content, found.comment != wanted.comment
                else { return nil }
                return "\(set.name) has \(found) instead of \(wanted)"
            }
            report(renamed, &check)
            // Without what is missing both are as many, unless there is more.
            guard present.count != wanted.count - missing.count else { continue }
            let keys = Set(wanted.map(\.key))
            let unknown = present.values.filter { !keys.contains($0.key) }
            report(unknown.map { "\(set.name) has \($0), which nothing asks for" }, &check)
        }
    }

    private mutating func elementsByKey(of set: NamedSet) throws -> [[Value]: Element] {
        Dictionary(try elementsPresent(in: set).map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
    }

    /// Says which facts a set should hold and does not: each once, however many ports it has.
    private func checkLack(
        of facts: [FirewallElement], in set: NamedSet, _ present: [[Value]: Element], _ check: inout NetworkCheck
    ) {
        var problems: [String] = []
        for fact in facts {
            for group in ElementGroups([fact]).groups where group.set == set {
                let missing = group.elements.filter { present[$0.key]?.content != $0.content }.count
                if missing == 0 { continue }
                let count = group.elements.count
                problems.append(
                    "\(set.name) lacks \(fact)" + (count > 1 && missing < count ? ", \(missing) of \(count)" : ""))
            }
        }
        report(problems, &check)
    }

    /// Reports the first of many; the remedy is the same for all.
    private func report(_ problems: [String], _ check: inout NetworkCheck) {
        let told = 20
        for problem in problems.prefix(told) { check.report("firewall", problem, .firewall) }
        if problems.count > told { check.report("firewall", "\(problems.count - told) more of the like", .firewall) }
    }
}
