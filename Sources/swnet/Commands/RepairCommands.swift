import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let check = Command(
        "check", "[FLAG…]", summary: "compare the kernel with what is recorded, and say every difference",
        details: """
            Links, addresses, routes, kernel parameters, the firewall, leases, the index of ports and names. Exits with 1 when
            something of ours is different, also where only a person can make it right. What others do that stands in the way
            is said and is no failure.

            \(JSONReference.differences.text)
            """,
        examples: ["swnet check", "swnet check --format json", "swnet check -q || swnet repair"],
        grammar: FlagGrammar([.init("quiet", short: "q", help: "print nothing, only exit with 0 or 1"), .format]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let format = try invocation.format
            let differences = try invocation.engine.check()
            if invocation.flags.isOn("quiet") {
                // The exit status says it.
            } else if format == .json {
                try JSONOutput.print(JSONValue.array(differences.map(\.json)))
            } else {
                for difference in differences { Output.line("\(difference)".printable) }
            }
            return differences.allSatisfy(\.isOthers) ? .success : .failure
        })

    static let repair = Command(
        "repair", "[FLAG…]", summary: "make right what is different, without disturbing what is right",
        details: """
            Prints what it repaired. Exits with 1 when something of ours is still different.

            A firewall of somebody else's that drops what it does not know drops our packets too, whatever our table says.
            With --foreign it gets rules that let them through, each with a comment that begins with "swnet:" (in docker's
            table in the chain DOCKER-USER). So do the tables that iptables-legacy keeps. From then on a repair, and
            'swnet watch', put them back when they are lost and into chains that come later, until the last network is
            removed and they go.

            After a reload of a firewall that flushes all rules, 'nft flush ruleset' or a restart of nftables.service, the
            next command that changes a network builds the table again, and so does this one. Until then the networks are
            shut: two BPF programs at each bridge, and at the host's end of each pair of the driver ptp, let nothing come
            to a sandbox that the host would pass on, and nothing come in under an address of 127.0.0.0/8 ('tc filter show
            dev BRIDGE egress'). So no sandbox gets an answer from outside either, nor from another network. But the host
            routes between its own interfaces then, what sandboxes send out has their own addresses, also from internal
            networks, and --antispoof is not in force. 'swnet watch' builds the table again at once; whoever reloads rules
            without it should run this right after.

            \(JSONReference.repairs.text)
            """,
        examples: ["swnet repair", "swnet repair --foreign", "swnet repair --dry-run", "swnet repair --format json"],
        grammar: FlagGrammar([
            .init("foreign", help: "let our packets through the chains of others too"),
            .init("dry-run", help: "print what would be repaired and do nothing"),
            .format,
        ]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let (format, isForeign) = (try invocation.format, invocation.flags.isOn("foreign"))
            let isDry = invocation.flags.isOn("dry-run")
            let (found, left): ([NetworkDifference], [NetworkDifference])
            if isDry {
                let all = try invocation.engine.check(foreign: isForeign)
                (found, left) = (all.filter(\.isOurs), all.filter { !$0.isOurs })
            } else {
                (found, left) = try invocation.engine.repair(foreign: isForeign)
            }
            if format == .json {
                try JSONOutput.print(
                    JSONValue.array(found.map { $0.json(isRepaired: !isDry) } + left.map { $0.json(isRepaired: false) })
                )
            } else {
                for difference in found {
                    let plan = difference.repair.map { " (\($0))" } ?? ""
                    Output.line((isDry ? "would repair \(difference)\(plan)" : "repaired \(difference)").printable)
                }
                for difference in left { invocation.program.warn("\(difference)") }
            }
            return left.allSatisfy(\.isOthers) ? .success : .failure
        })
}

extension NetworkDifference {
    /// As in `check`, and whether it was made right.
    fileprivate func json(isRepaired: Bool) -> JSONValue {
        guard case .object(let members) = json else { return json }
        return .object(members + [.init("repaired", .bool(isRepaired))])
    }
}
