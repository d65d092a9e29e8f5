import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink
import SystemPackage

/// What became of the packet, and why.
extension TraceRun {
    mutating func conclude() {
        noteHiddenTables()
        describeDestination()
        if let station = report.stations.first(where: { $0.drop != nil }) { return explain(dropAt: station) }
        if let (drop, station) = legacyCulprit { return explain(drop, at: station) }
        if let failure, failure.errno == .connectionReset, let relay, isHeard(behind: relay) == false {
            return explainAnswer()
        }
        if let failure { return explain(failure) }
        switch report.answer?.kind {
        case .synAck, .data, .echoReply, .seen: explainAnswer()
        case .reset: explainReset()
        case .icmp: explainICMP()
        case nil: explainSilence()
        }
    }

    mutating func settle(_ outcome: TraceOutcome, _ reason: String, _ advice: String? = nil) {
        report.outcome = outcome
        report.reason = reason
        report.advice = advice
    }

    /// The packet as it was last seen.
    var lastPacket: TracedPacket {
        report.stations.last?.left
            ?? TracedPacket(
                source: request.target.address, destination: request.target.address,
                destinationPort: request.target.transport == .icmp ? nil : request.target.port)
    }

    var destinationOwner: TraceFacts.Owner { facts.owner(of: lastPacket.destination) }

    var nameOfDestination: String {
        if let sender = facts.sender, request.target.address.isLoopback { return "sandbox \(sender.name) itself" }
        switch destinationOwner {
        case .host: return "this host"
        case .sandbox(let sandbox, _): return "sandbox \(sandbox.name)"
        case .nobody, .elsewhere: return "\(lastPacket.destination)"
        }
    }

    /// iptables of the old kind is not nftables, and its rules are not traced.
    private mutating func noteHiddenTables() {
        let names = ["ip_tables_names", "ip6_tables_names"].flatMap { file in
            let bytes = (try? Descriptor.open("/proc/thread-self/net/\(file)").readAll(limit: 4096)) ?? []
            return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
        }
        if names.isEmpty { return }
        report.notes.append(
            "this host has tables of iptables-legacy (\(Set(names).sorted().joined(separator: ", "))), whose rules the kernel does not tell of"
        )
    }

    private mutating func describeDestination() {
        guard !report.stations.isEmpty else { return }
        switch destinationOwner {
        case .sandbox(let sandbox, let endpoint):
            report.destination.append(
                "\(lastPacket.destination) is \(endpoint.interface) of sandbox \(sandbox.name) on network \(endpoint.network)"
            )
        case .host(let interface):
            report.destination.append(
                "\(lastPacket.destination) is this host's" + (interface.isEmpty ? "" : ", on \(interface)"))
        case .nobody(let network):
            report.destination.append("\(lastPacket.destination) is in network \(network.name), and nobody's there")
        case .elsewhere: break
        }
        if let line = listenerLine { report.destination.append(line) }
        if let relay, hearing?.isEmpty == false {
            report.destination.append(
                "the relay carries it to \(relay.target.endpoint(port: relay.port)) of sandbox \(relay.sandbox.name)")
            if let line = listenerLine(behind: relay) { report.destination.append(line) }
        }
    }

    // MARK: Relays

    struct RelayedPort {
        let sandbox: Sandbox
        let target: IPAddress
        let port: UInt16
    }

    /// Where the relay of a port of `::1` leads; nil when there is none.
    var relay: RelayedPort? {
        guard case .v6(let address) = request.target.address, address.isLoopback, facts.sender == nil,
            let (sandbox, mapping) = facts.publisher(of: request.target), mapping.isRelayed,
            let target = sandbox.relays(for: [mapping]).first?.target
        else { return nil }
        let port = mapping.sandboxPorts.first + (request.target.port - mapping.hostPorts.first)
        return RelayedPort(sandbox: sandbox, target: target, port: port)
    }

    private func sockets(behind relay: RelayedPort) -> [BoundSocket]? {
        sockets(of: relay.port, in: relay.sandbox.identity.path)
    }

    /// Whether somebody listens where a relay leads; nil where that cannot be known.
    func isHeard(behind relay: RelayedPort) -> Bool? {
        sockets(behind: relay)?.contains { Self.hears($0, relay.target) }
    }

    private func listenerLine(behind relay: RelayedPort) -> String? {
        guard let all = sockets(behind: relay) else { return nil }
        let words = "\(request.target.transport.rawValue) port \(relay.port) there: "
        guard let socket = all.first(where: { Self.hears($0, relay.target) }) else { return words + "nobody listens" }
        return words + SocketOwner.description(inode: socket.inode)
    }

    mutating func explainAnswer() {
        if report.answer?.kind == .seen, let (reason, advice) = refusalOfAnswer {
            return settle(.lost, "the answer came, and \(reason)", advice)
        }
        guard let relay else {
            settle(.answered, "\(nameOfDestination) answers")
            if let (reason, advice) = lostPublication {
                report.reason += ", and no sandbox: \(reason)"
                report.advice = advice
            }
            return
        }
        // It takes a connection before it makes its own.
        guard isHeard(behind: relay) != false else {
            return settle(
                .refused,
                "the relay takes it, and nobody listens on \(relay.target.endpoint(port: relay.port)) in \(relay.sandbox.name)",
                "start the server, or publish the port that it has")
        }
        settle(.answered, "the relay to sandbox \(relay.sandbox.name) answers")
    }

    // MARK: Listeners

    /// The sockets that have the packet's last port where it is going; nil where that cannot be known.
    var listeners: [BoundSocket]? {
        guard let port = lastPacket.destinationPort, request.target.transport != .icmp else { return nil }
        switch destinationOwner {
        case .sandbox(let sandbox, _): return sockets(of: port, in: sandbox.identity.path)
        case .host: return sockets(of: port, in: "/proc/thread-self/ns/net")
        case .nobody, .elsewhere: return nil
        }
    }

    private func sockets(of port: UInt16, in path: String) -> [BoundSocket]? {
        let kind: BoundSocket.Transport = request.target.transport == .tcp ? .tcp : .udp
        guard let namespace = try? Namespace(path: path), var sockets = try? SocketDiagnostics(in: namespace) else {
            return nil
        }
        return try? sockets.boundSockets([kind]).filter { $0.port == port }
    }

    /// Whether a socket takes packets for an address.
    static func hears(_ socket: BoundSocket, _ address: IPAddress) -> Bool {
        if socket.address == address { return true }
        guard socket.address.isAny else { return false }
        return socket.address.family == address.family || socket.address.family == .v6 && !socket.isIPv6Only
    }

    var hearing: [BoundSocket]? { listeners?.filter { Self.hears($0, lastPacket.destination) } }

    private var portWords: String {
        "\(request.target.transport.rawValue) port \(lastPacket.destinationPort ?? 0)"
    }

    private var listenerLine: String? {
        guard let all = listeners else { return nil }
        if let socket = all.first(where: { Self.hears($0, lastPacket.destination) }) {
            return "\(portWords) there: \(SocketOwner.description(inode: socket.inode))"
        }
        if let other = all.first {
            return
                "\(portWords) there: \(SocketOwner.description(inode: other.inode)) listens on \(other.address) alone"
        }
        return "\(portWords) there: nobody listens"
    }

    // MARK: Refusals

    private mutating func explainReset() {
        settle(.refused, "\(nameOfDestination) refused the connection")
        explainMissingListener()
    }

    private mutating func explainICMP() {
        guard let answer = report.answer else { return }
        let what = answer.message ?? "error"
        let reporter = answer.from.map { "\($0)" } ?? "this host"
        if what.contains("port unreachable") {
            settle(.refused, "\(reporter) says: \(what)")
            explainMissingListener()
        } else if let last = requestStations.last, last.hook == .prerouting, last.isComplete,
            case .host? = answer.from.map(facts.owner),
            let (reason, advice) = refusalByRouting(last.station.left, from: last.station.input ?? "")
        {
            settle(.refused, "\(reporter) says: \(what): \(reason)", advice)
        } else if what == "host unreachable" || what == "address unreachable" {
            explainLeft(saying: "\(reporter) says: \(what)")
        } else {
            settle(
                .refused, "\(reporter) says: \(what)",
                what.contains("prohibited") ? "ask whoever runs \(reporter)" : nil)
        }
    }

    private mutating func explainMissingListener() {
        if let (reason, advice) = lostPublication {
            report.reason += ": \(reason)"
            report.advice = advice
            return
        }
        guard let all = listeners, let hearing, hearing.isEmpty else { return }
        if let other = all.first {
            report.reason += ": the program there listens on \(other.address) alone"
            report.advice = "have it listen on 0.0.0.0 or ::, or on \(lastPacket.destination)"
            return
        }
        if let relay {
            report.reason += ": the relay that carries \(portWords) to \(relay.sandbox.name) is not running"
            report.advice = "swnet repair"
            return
        }
        report.reason += ": nobody listens on \(portWords)"
        guard case .host = destinationOwner else {
            report.advice = "start the server, or publish the port that it has"
            return
        }
        report.advice = adviceForHostPort
    }

    /// The packet came to the host itself, which has no such port.
    private var adviceForHostPort: String {
        let target = request.target
        if case .v6(let address) = target.address, address.isLoopback,
            let (sandbox, mapping) = facts.publisher(
                of: TraceTarget(target.transport, .v4(.loopback), port: target.port))
        {
            let inside = mapping.sandboxPorts.first + (target.port - mapping.hostPorts.first)
            return "[::1] is published by itself alone: ask 127.0.0.1, or "
                + "swnet publish \(sandbox.name) [::1]:\(target.port):\(inside)/\(target.transport.rawValue)"
        }
        // Published for another address than the one that was asked.
        for sandbox in facts.sandboxes {
            for mapping in sandbox.ports
            where mapping.hostPorts.ports.contains(target.port)
                && mapping.transport.rawValue == target.transport.rawValue
            {
                return "sandbox \(sandbox.name) publishes it as \(mapping) only"
            }
        }
        return "no sandbox publishes it: swnet publish SANDBOX \(target.port):PORT"
            + (target.transport == .udp ? "/udp" : "")
    }
}
