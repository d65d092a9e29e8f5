import Addressing
import LinuxSystem
import Netlink
import NetworkModel
import Nftables
import Rtnetlink
import SystemPackage

/// Where a packet was lost that no rule took away.
extension TraceRun {
    /// The packet could not be sent, or the kernel gave it up.
    mutating func explain(_ failure: SystemError) {
        let target = request.target
        let sender = report.sender
        switch failure.errno {
        case .networkUnreachable: settle(.unsent, "\(sender) has no route to \(target.address)", adviceForRoute)
        case .permissionDenied: settle(.unsent, "a route of \(sender) prohibits \(target.address)")
        case .invalidArgument: settle(.unsent, "a route of \(sender) makes a black hole of \(target.address)")
        case .noRouteToHost where !report.stations.isEmpty: explainLeft(saying: "\(failure)")
        default: settle(.unsent, "\(failure)")
        }
    }

    private var adviceForRoute: String? {
        guard let sender = facts.sender, let sandbox = facts.sandboxes.first(where: { $0.name == sender.name }) else {
            return nil
        }
        if let endpoint = sandbox.endpoints.first(where: \.isInternal), sandbox.endpoints.allSatisfy(\.isInternal) {
            return "network \(endpoint.network) is internal; connect \(sandbox.name) to another one, too"
        }
        return "swnet check tells whether a route of the sandbox is gone"
    }

    /// No rule dropped it, and nothing came back.
    mutating func explainSilence() {
        if let station = report.answerStations.first(where: { $0.drop != nil }), let passage = station.drop {
            let rule = passage.rules.last
            let words = passage.policy == "drop" ? "its policy is drop" : rule.map { $0.comment ?? $0.text } ?? ""
            let isForeign = !passage.isOurs || station.place != "host"
            return settle(
                .dropped, "the answer came, and chain \(passage.chain) drops it: \(words)",
                isForeign ? advice(against: passage, station) : "swnet check")
        }
        if let last = answerStations.last, last.hook == .prerouting, last.isComplete, last.station.place == "host",
            let (reason, advice) = refusalByRouting(last.station.left, from: last.station.input ?? "")
        {
            return settle(.lost, "the answer came, and \(reason)", advice)
        }
        guard let last = requestStations.last else { return explainUnseen() }
        if let (bridge, station) = lossOnBridge { return explainLoss(on: bridge, station) }
        guard last.isComplete else {
            return settle(
                .lost,
                "it went into the hook \(last.station.hook) and did not come out: something that is no nftables took it"
            )
        }
        switch last.hook {
        case .prerouting: explainRouting(last.station)
        case .input where last.isOfBridge: explainHandedUp(last.station)
        case .input: explainInput()
        case .output, .forward:
            settle(.lost, "it was lost behind the hook \(last.station.hook)", "is the interface up?")
        default: explainLeft(saying: nil)
        }
    }

    /// The bridge that the packet came by and did not leave, and where it was seen last, when it is one that both the sender
    /// and the receiver are on: the host does not route it. A packet passes prerouting on a bridge with br_netfilter alone.
    private var lossOnBridge: (bridge: String, station: TraceStation)? {
        guard let last = requestStations.last,
            last.isOfBridge
                ? ![.input, .postrouting].contains(last.hook)
                : last.hook == .prerouting && isFilteredOnBridges(last.station.left.destination.family),
            case .sandbox(_, let from) = facts.owner(of: last.station.left.source),
            case .sandbox(_, let to) = facts.owner(of: last.station.left.destination),
            let bridge = from.link.bridge, bridge == to.link.bridge
        else { return nil }
        return (bridge, last.station)
    }

    private func isFilteredOnBridges(_ family: IPFamily) -> Bool {
        (try? Sysctl.read("net/bridge/bridge-nf-call-ip\(family == .v4 ? "" : "6")tables")) == "1"
    }

    private mutating func explainLoss(on bridge: String, _ station: TraceStation) {
        if let reason = isolation(of: station.left) { return settle(.lost, reason) }
        if let way = wayOfSender, let (reason, advice) = policyOfBridge(way) { return settle(.lost, reason, advice) }
        settle(
            .lost, "the bridge \(bridge) did not pass it on behind the hook \(station.hook)",
            "swnet check tells of ports that are closed; bridge -d link show master \(bridge)")
    }

    /// How the sender sends it.
    private struct Way {
        let sandbox: String
        /// Of the link that it leaves by.
        let endpoint: Endpoint?
        let link: Link
        let route: Route
        /// Whose Ethernet address it needs.
        let hop: IPAddress
        /// Whether the kernel has asked for that in vain.
        let isUnanswered: Bool
    }

    private var wayOfSender: Way? {
        guard let sender = facts.sender, let namespace = try? Namespace(path: sender.path),
            var links = try? Rtnetlink(in: namespace), let route = try? links.route(to: request.target.address),
            let link = try? route.link.flatMap({ try links.link(index: $0) })
        else { return nil }
        let sandbox = facts.sandboxes.first { $0.name == sender.name }
        return Way(
            sandbox: sender.name, endpoint: sandbox?.endpoints.first { $0.interface == link.name }, link: link,
            route: route, hop: route.gateway ?? request.target.address,
            isUnanswered: links.isUnanswered(route.gateway ?? request.target.address, on: link))
    }

    private mutating func explainUnseen() {
        guard let sender = facts.sender else {
            return settle(.lost, "no hook of this host has seen the packet")
        }
        guard let way = wayOfSender else {
            return settle(.lost, "\(sender.name) has no way to \(request.target.address)", adviceForRoute)
        }
        let name = way.link.name
        if name == "lo" {
            return settle(.lost, "\(request.target.address) is the sandbox's own: the packet never left it")
        }
        if !way.link.isUp { return settle(.lost, "interface \(name) of \(sender.name) is down", "swnet repair") }
        if let (reason, advice) = policyOfBridge(way) { return settle(.lost, reason, advice) }
        let words = chainBeforeHooks(way).map { "chain \($0) drops what it does not know" }
        if way.isUnanswered {
            let advice = words.map { "\($0), and so the question" } ?? "swnet check"
            return settle(.lost, "nobody answers for \(way.hop) on \(name) of \(sender.name)", advice)
        }
        if let driver = way.endpoint.flatMap({ facts.network($0.network)?.driver }), !driver.isRoutedByHost {
            return settle(
                .lost,
                "it left by \(name); packets of the driver \(driver.name) do not pass this host's rules, "
                    + "and nobody answered", words)
        }
        settle(
            .lost, "it left \(sender.name) by \(name) and no hook of the host has seen it", words ?? "swnet check")
    }

    /// A chain of somebody else's that may have taken it, or the question for a neighbour's address, before any hook that
    /// is watched.
    private func chainBeforeHooks(_ way: Way) -> Chain.Reference? {
        guard var firewall = try? Firewall(), let link = way.endpoint?.link else { return nil }
        let devices = link.hostInterfaces + [link.bridge].compactMap(\.self)
        let chains = try? firewall.foreignDrops(ForeignChain.Places(hasBridges: true, hasQuestions: true))
        return chains?.first { chain in
            !chain.isOpen && (chain.devices.isEmpty || chain.devices.contains(where: devices.contains))
        }?.base.reference
    }

    /// Whether the bridge itself keeps the packet from the host's rules: isolated ports, or a source that is not the
    /// sandbox's own.
    private func policyOfBridge(_ way: Way) -> (String, String?)? {
        guard let endpoint = way.endpoint, let network = facts.network(endpoint.network) else { return nil }
        if network.policy.isolatesPorts, case .sandbox(let other, let place) = facts.owner(of: request.target.address),
            place.network == network.name
        {
            return (Self.isolation(network.name, way.sandbox, other.name), nil)
        }
        if network.policy.guardsSources, let source = way.route.source,
            !endpoint.addresses.contains(where: { $0.address == source })
        {
            return Self.strangeSource(source, endpoint, way.sandbox)
        }
        return nil
    }

    /// Whether the bridge keeps the ports apart that a packet comes from and goes to, whatever led it there.
    func isolation(of packet: TracedPacket) -> String? {
        guard case .sandbox(let asking, let from) = facts.owner(of: packet.source), from.isIsolated,
            case .sandbox(let other, let to) = facts.owner(of: packet.destination), to.isIsolated,
            from.network == to.network
        else { return nil }
        return Self.isolation(from.network, asking.name, other.name)
    }

    private static func isolation(_ network: String, _ asking: String, _ other: String) -> String {
        "network \(network) keeps its sandboxes apart (--isolate-ports): \(asking) does not reach \(other)"
    }

    /// What is said of a source that is not the sandbox's own, and what can be done.
    static func strangeSource(_ source: IPAddress, _ endpoint: Endpoint, _ sandbox: String) -> (String, String?) {
        (
            "\(sandbox) sends from \(source), and network \(endpoint.network) drops what is not from its own address",
            "take the address from \(endpoint.interface) of \(sandbox), or the route that uses it"
        )
    }

    private mutating func explainInput() {
        if let relay, isHeard(behind: relay) == false { return explainAnswer() }
        if lostPublication == nil, request.target.transport == .udp, hearing?.isEmpty == false {
            return settle(.passed, "it came to this host's own socket, and nobody has to answer")
        }
        if request.waits, request.target.transport == .icmp {
            return settle(.passed, "it came to this host itself, whose answer the kernel does not track")
        }
        if let (reason, advice) = lostPublication {
            return settle(.lost, "it came to this host itself: \(reason)", advice)
        }
        settle(.lost, "it came to this host itself, and nobody answered")
        if hearing?.isEmpty == true { report.reason += ": nobody listens on port \(lastPacket.destinationPort ?? 0)" }
    }

    /// It left the host.
    mutating func explainLeft(saying words: String?) {
        let said = words.map { " (\($0))" } ?? ""
        guard let station = report.stations.last, let output = station.leftOutput ?? station.output else {
            explainUnseen()
            report.reason += said
            return
        }
        let packet = station.left
        if case .sandbox(let sandbox, let endpoint) = facts.owner(of: packet.destination) {
            if let (reason, advice) = faultInside(sandbox, endpoint, packet) { return settle(.lost, reason, advice) }
            if isShutOut(output) {
                return settle(
                    .lost, "the table inet swnet is gone, and until it is back \(output) takes nothing from elsewhere",
                    "swnet repair")
            }
        }
        if isUnanswered(packet.destination, on: output) {
            settle(.lost, "nobody answers for \(packet.destination) on \(output)\(said)")
            if case .nobody(let network) = facts.owner(of: packet.destination) {
                report.reason += ": nobody on network \(network.name) has it"
            }
            return
        }
        if request.target.transport == .udp, words == nil, hearing?.isEmpty != true {
            return settle(.passed, "it left by \(output) for \(nameOfDestination), where nobody has to answer")
        }
        settle(.lost, "it left by \(output) for \(nameOfDestination), and nobody answered\(said)")
        if case .sandbox = facts.owner(of: packet.destination) {
            report.advice = "look inside: has the sandbox a firewall of its own, is its server stuck?"
        }
    }

    /// Whether what the host passes on is dropped at an interface, because the firewall has not seen it (`FirewallGate`).
    private func isShutOut(_ name: String) -> Bool {
        guard requestStations.contains(where: { $0.hook == .forward }), facts.hasInterface(name),
            var firewall = try? Firewall()
        else { return false }
        return (try? firewall.isBuilt(.networks)) == false
    }

    /// Whether the kernel has asked for the link-layer address in vain.
    private func isUnanswered(_ address: IPAddress, on name: String) -> Bool {
        guard var links = try? Rtnetlink(), let link = try? links.link(named: name),
            let route = try? links.route(to: address)
        else { return false }
        return links.isUnanswered(route.gateway ?? address, on: link)
    }

    /// What is wrong in the sandbox that the packet was going to.
    private func faultInside(
        _ sandbox: Sandbox, _ endpoint: Endpoint, _ packet: TracedPacket
    ) -> (String, String?)? {
        guard let namespace = try? Namespace(path: sandbox.identity.path), var links = try? Rtnetlink(in: namespace)
        else {
            return ("the network namespace of \(sandbox.name) is gone", "swnet gc")
        }
        guard let link = try? links.link(named: endpoint.interface) else {
            return ("interface \(endpoint.interface) of \(sandbox.name) is gone", "swnet repair")
        }
        guard link.isUp else { return ("interface \(link.name) of \(sandbox.name) is down", "swnet repair") }
        let addresses = (try? links.addresses(link: link.index)) ?? []
        guard addresses.contains(where: { $0.prefix.address == packet.destination }) else {
            return (
                "interface \(link.name) of \(sandbox.name) has lost the address \(packet.destination)", "swnet repair"
            )
        }
        guard (try? links.route(to: packet.source)) != nil else {
            return ("\(sandbox.name) has no route back to \(packet.source)", "swnet repair")
        }
        return nil
    }
}

extension Rtnetlink {
    /// Whether the kernel has asked for the link-layer address of a neighbour in vain.
    fileprivate mutating func isUnanswered(_ hop: IPAddress, on link: Link) -> Bool {
        ((try? neighbours(family: hop.family, link: link.index)) ?? []).contains {
            $0.address == hop && ($0.state.contains(.incomplete) || $0.state.contains(.failed))
        }
    }
}
