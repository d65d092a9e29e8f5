import Addressing
import LinuxSystem
import Netlink
import NetworkModel
import Nftables
import Rtnetlink
import SystemPackage

/// Why the host's routing decision was against a packet.
extension TraceRun {
    /// It passed prerouting and came neither to input nor to forward.
    mutating func explainRouting(_ station: TraceStation) {
        let input = station.input ?? ""
        if let (reason, advice) = refusalByRouting(station.left, from: input) { return settle(.lost, reason, advice) }
        guard var links = try? Rtnetlink(), let link = try? links.link(named: input),
            (try? links.route(to: station.left.destination, from: station.left.source, input: link.index)) != nil
        else {
            return settle(
                .lost, "the routing decision was against it: \(station.left.source) may be a martian on \(input)")
        }
        settle(
            .lost, "it was lost behind the hook \(station.hook), although the kernel has a route for it",
            "has it a mark that a rule of the routing policy goes by (ip rule)? is there a policy of IPsec (ip xfrm policy)?"
        )
    }

    /// What a bridge handed up to the host, and no hook has seen since. With br_netfilter it has passed prerouting before.
    mutating func explainHandedUp(_ station: TraceStation) {
        if let last = requestStations.last(where: { !$0.isOfBridge }), last.hook == .prerouting, last.isComplete {
            return explainRouting(last.station)
        }
        settle(
            .lost, "the bridge handed it up from \(station.input ?? "its port"), and no hook of the host has seen it")
    }

    /// What is known to be against a packet that comes in by an interface; nil when nothing is.
    func refusalByRouting(_ packet: TracedPacket, from input: String) -> (String, String?)? {
        if packet.destination.isLoopback || packet.source.isLoopback {
            return ("the kernel takes no packet of or for 127.0.0.0/8 from \(input) (a martian)", nil)
        }
        let isForHost = if case .host = facts.owner(of: packet.destination) { true } else { false }
        if !isForHost, let refusal = missingForwarding(packet.destination.family, input) { return refusal }
        guard var links = try? Rtnetlink() else { return nil }
        let question = RoutingRefusal.Question(packet: packet, transport: request.target.transport, input: input)
        if let refusal = try? RoutingRefusal(of: question, &links) { return (refusal.words, refusal.advice) }
        return missingRoute(packet, input, &links) ?? strictSource(packet, input, &links)
    }

    /// What is known to be against the answer of a sandbox to a packet that the host has passed on. Who waits for a packet
    /// of somebody else's knows only that the kernel has seen one, which it has before it looks for a way.
    var refusalOfAnswer: (String, String?)? {
        guard let station = requestStations.last(where: { !$0.isOfBridge && $0.station.place == "host" })?.station,
            requestStations.contains(where: { !$0.isOfBridge && $0.hook == .forward }),
            case .sandbox(_, let endpoint) = facts.owner(of: station.left.destination)
        else { return nil }
        let packet = station.left
        // A bridge need not ask for a way.
        if case .sandbox(_, let asking) = facts.owner(of: packet.source), let bridge = asking.link.bridge,
            bridge == endpoint.link.bridge
        {
            return nil
        }
        let answer = TracedPacket(
            source: packet.destination, destination: packet.source, sourcePort: packet.destinationPort,
            destinationPort: packet.sourcePort)
        return refusalByRouting(answer, from: endpoint.link.bridge ?? station.leftOutput ?? station.output ?? "")
    }

    /// IPv4 goes by the switch of the interface that the packet comes in by (`IN_DEV_FORWARD`, net/ipv4/route.c), which
    /// `ip_forward` sets for all of them; IPv6 by the one for all, past which `force_forwarding` leads (`ip6_forward`,
    /// net/ipv6/ip6_output.c).
    private func missingForwarding(_ family: IPFamily, _ input: String) -> (String, String?)? {
        let all = family == .v4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"
        let isOnForAll = (try? Sysctl.read(all)) != "0"
        let own = "net/ip\(family)/conf/\(input)/" + (family == .v4 ? "forwarding" : "force_forwarding")
        switch (family, try? Sysctl.read(own)) {
        case (.v4, "0") where isOnForAll: return ("forwarding of IPv4 is off on \(input)", "sysctl -w \(own)=1")
        case (.v4, "1"), (.v6, "1"): return nil
        default: break
        }
        return isOnForAll ? nil : ("this host does not forward IP\(family)", "swnet repair, or sysctl -w \(all)=1")
    }

    private func missingRoute(
        _ packet: TracedPacket, _ input: String, _ links: inout Rtnetlink
    ) -> (String, String?)? {
        guard let link = try? links.link(named: input) else { return nil }
        do throws(NetlinkError) {
            _ = try links.route(to: packet.destination, from: packet.source, input: link.index)
        } catch {
            // Others say that the source is not believed.
            guard [.networkUnreachable, .noRouteToHost, .permissionDenied].contains(error.errno) else { return nil }
            return ("this host has no route to \(packet.destination) (\(error.errno))", nil)
        }
        return nil
    }

    /// The kernel looks whether an answer would leave by the interface that the packet came in by (rp_filter, RFC 3704),
    /// and that nobody else has an address of its own (accept_local).
    private func strictSource(
        _ packet: TracedPacket, _ input: String, _ links: inout Rtnetlink
    ) -> (String, String?)? {
        guard packet.source.family == .v4, input != "lo" else { return nil }
        let setting = { (name: String) in
            ["all", input].compactMap { try? Sysctl.read("net/ipv4/conf/\($0)/\(name)") }.compactMap { Int($0) }.max()
        }
        if case .host(let own) = facts.owner(of: packet.source), setting("accept_local") == 0 {
            return ("\(packet.source) is this host's own, on \(own), and came in by \(input) (a martian)", nil)
        }
        guard let mode = setting("rp_filter"), mode > 0 else { return nil }
        let way = try? links.route(to: packet.source)
        let name = way?.link.flatMap { try? links.link(index: $0) }?.name
        guard way == nil || mode == 1 && name != input else { return nil }
        let place = name.map { "by \($0)" } ?? "nowhere"
        return (
            "rp_filter: an answer to \(packet.source) would leave \(place), and it came in by \(input)",
            "sysctl -w net.ipv4.conf.\(input).rp_filter=2, or a route to \(packet.source) by \(input)"
        )
    }
}
