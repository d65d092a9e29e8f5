import Addressing
import NetworkModel
import Nftables

/// Why a rule or a policy took the packet away, and what to do.
extension TraceRun {
    mutating func explain(dropAt station: TraceStation) {
        guard let passage = station.drop else { return }
        let packet = station.left
        if passage.isOurs, station.place == "host" {
            let (reason, advice) =
                passage.isGuard ? guardsReason(passage, station, packet) : ourReason(passage, station, packet)
            return settle(.dropped, reason, advice)
        }
        let place = station.place == "host" ? "" : " of \(station.place)"
        let rule = passage.rules.last
        if passage.policy == "drop" {
            settle(
                .dropped, "chain \(passage.chain)\(place) has the policy drop, and no rule of it accepts this",
                advice(against: passage, station))
        } else {
            let words = rule.map { $0.comment ?? $0.text } ?? "a rule"
            let verb = rule?.text.split(separator: " ").contains("reject") == true ? "rejects" : "drops"
            // A chain that the kernel does not call itself is named with the one that led there.
            let base = passage.chain.split(separator: " ").last.map(String.init)
            let inner = rule.flatMap { $0.chain == base ? nil : " > \($0.chain)" } ?? ""
            settle(
                .dropped, "chain \(passage.chain)\(inner)\(place) \(verb) it: \(words) (handle \(rule?.handle ?? 0))",
                advice(against: passage, station))
        }
    }

    /// What to do with a chain of somebody else's.
    func advice(against passage: TraceStation.Passage, _ station: TraceStation) -> String {
        let door = door(at: station)
        var lines: [String] = []
        let isEverything =
            passage.policy == "drop"
            || passage.rules.last.map {
                ["drop", "reject", "counter", "log"].contains($0.text.split(separator: " ")[0])
            }
                == true
        if door.isOurs && isEverything && ["forward", "output"].contains(station.hook)
            || station.hook.hasPrefix("bridge ") && passage.policy == "drop"
        {
            lines.append("swnet repair --foreign")
        }
        if passage.chain.contains("firewalld") {
            lines.append(
                door.isOurs
                    ? "firewall-cmd --permanent --zone=trusted --add-interface=\(door.interface)"
                        + " && firewall-cmd --reload"
                    : "let it through in the zone of \(door.interface):"
                        + " firewall-cmd --get-zone-of-interface=\(door.interface)")
        } else if door.isOurs, passage.rules.contains(where: { $0.chain.hasPrefix("ufw") }) {
            lines.append("ufw route allow \(door.isWayOut ? "out" : "in") on \(door.interface)")
        } else if passage.chain == "ip filter FORWARD" || passage.chain == "ip6 filter FORWARD" {
            let program = passage.chain.hasPrefix("ip6") ? "ip6tables" : "iptables"
            lines.append("\(program) -I FORWARD \(door.arguments) -j ACCEPT")
        } else {
            lines.append("accept it there: nft insert rule \(passage.chain) \(door.match) accept")
        }
        return lines.joined(separator: ", or ")
    }

    func door(at station: TraceStation) -> Door { Door(station, request.target.transport.rawValue, facts) }

    /// What a rule matches that lets a packet through: an interface of ours, or else no more than the like of the packet,
    /// for whatever else comes by the interface of a stranger's is none of our business.
    struct Door {
        let interface: String
        let isWayOut: Bool
        let isOurs: Bool
        private let service: (transport: String, port: UInt16)?

        init(_ station: TraceStation, _ transport: String, _ facts: TraceFacts) {
            let ends = [station.output, station.input].compactMap(\.self)
            let own = station.place == "host" ? ends.first(where: facts.hasInterface) : nil
            isOurs = own != nil
            interface = own ?? ends.first ?? ""
            isWayOut = interface == station.output
            service = own == nil ? station.left.destinationPort.map { (transport, $0) } : nil
        }

        /// In the words of `nft`.
        var match: String {
            "\(isWayOut ? "oifname" : "iifname") \"\(interface)\""
                + (service.map { " \($0.transport) dport \($0.port)" } ?? "")
        }

        /// In those of `iptables`.
        var arguments: String {
            "\(isWayOut ? "-o" : "-i") \(interface)" + (service.map { " -p \($0.transport) --dport \($0.port)" } ?? "")
        }
    }

    /// Why the table that guards the ports of a network with `--antispoof` took it away.
    private func guardsReason(
        _ passage: TraceStation.Passage, _ station: TraceStation, _ packet: TracedPacket
    ) -> (String, String?) {
        let rule = passage.rules.last
        let words = rule?.comment ?? rule?.text ?? "its policy"
        let owner = facts.sandboxes.lazy.compactMap { sandbox in
            sandbox.endpoints.first { $0.link.hostInterface == station.input }.map { (sandbox, $0) }
        }.first
        guard let (sandbox, endpoint) = owner else {
            return ("what comes in by \(station.input ?? "the port") is guarded: \(words)", nil)
        }
        if endpoint.addresses.contains(where: { $0.address == packet.source }) {
            return ("network \(endpoint.network) drops what is not \(sandbox.name)'s own: \(words)", "swnet check")
        }
        let (reason, advice) = Self.strangeSource(packet.source, endpoint, sandbox.name)
        return ("\(reason): \(words)", advice)
    }

    private func ourReason(
        _ passage: TraceStation.Passage, _ station: TraceStation, _ packet: TracedPacket
    ) -> (String, String?) {
        let comment = passage.rules.last?.comment ?? passage.rules.last?.text ?? "the policy of \(passage.chain)"
        if packet.destination.isLoopback || packet.source.isLoopback {
            return (
                "127.0.0.0/8 is this host's alone: \(comment)", "ask for another address of this host"
            )
        }
        let source = facts.owner(of: packet.source)
        guard case .sandbox(let sandbox, let endpoint) = facts.owner(of: packet.destination) else {
            if case .sandbox(let sandbox, let endpoint) = source, endpoint.isInternal {
                return (
                    "network \(endpoint.network) of \(sandbox.name) is internal: no way out",
                    "connect \(sandbox.name) to another network, too: swnet connect bridge \(sandbox.name)"
                )
            }
            return (comment, nil)
        }
        let port = packet.destinationPort.map { "port \($0) of " } ?? ""
        if endpoint.isInternal {
            return (
                "network \(endpoint.network) of \(sandbox.name) is internal: no way in from \(station.input ?? "outside")",
                "connect whoever asks to \(endpoint.network), too"
            )
        }
        if let words = isolation(of: packet) { return ("\(words): \(comment)", nil) }
        // What was published and has been translated is kept out for another reason.
        let isTranslated = facts.publisher(of: request.target) != nil && request.target.address != packet.destination
        let place =
            isTranslated
            ? nil : publishedPlace(of: packet.destinationPort, sandbox, for: packet, from: station.input)
        let publishing =
            isTranslated
            ? nil
            : packet.destinationPort.map { port in
                "swnet publish \(sandbox.name) \(port):\(port)" + (request.target.transport == .udp ? "/udp" : "")
            }
        if case .sandbox(let asking, let from) = source, from.network != endpoint.network {
            let isStrict = [from.network, endpoint.network].contains { facts.network($0)?.policy.isolation == .strict }
            let other = isStrict ? nil : place.map { "ask \($0)" } ?? publishing
            return (
                "\(asking.name) is on network \(from.network) and \(sandbox.name) on \(endpoint.network): "
                    + "networks are kept apart (\(comment))",
                "swnet connect \(endpoint.network) \(asking.name)" + (other.map { ", or \($0)" } ?? "")
            )
        }
        if case .sandbox(let asking, _) = source {
            return ("\(asking.name) does not reach \(port)\(sandbox.name): \(comment)", nil)
        }
        if isTranslated { return ("\(port)\(sandbox.name) is not reached although it is published: \(comment)", nil) }
        if let place {
            return (
                "\(port)\(sandbox.name) is published, and reached by this host's address and port, not by its own "
                    + "\(packet.destination): \(comment)", "ask \(place)"
            )
        }
        return ("\(port)\(sandbox.name) is not published: \(comment)", publishing)
    }
}

extension TraceStation.Passage {
    /// Whether it is the table that guards ports.
    fileprivate var isGuard: Bool { chain.hasPrefix("\(SourceGuard.table.reference) ") }
}
