import Addressing
import CLinux
import LinuxSystem
public import NetworkModel
import Nftables
import SystemPackage

extension NetworkEngine {
    /// Sends one packet, or waits for one, and follows it through the host's rules. Equivalent to `swnet trace`.
    ///
    /// The kernel's tracing is armed in a table of its own that belongs to this process: it is gone when the call returns
    /// or the process ends, however that happens. The lock is not held meanwhile.
    /// - Throws: `NetworkError` for a sandbox or an interface that does not exist, `NftablesError` where the kernel cannot
    ///   trace. That the packet is lost is no error but the report.
    public func trace(_ request: TraceRequest) throws -> TraceReport {
        let facts = try operate("trace \(request.target)", isReading: true) { session in
            try TraceFacts(&session, request)
        }
        var run = TraceRun(request, facts)
        if request.waits { try run.wait() } else { try run.send() }
        return run.report
    }
}

/// One trace, from the arming to the report.
struct TraceRun {
    let request: TraceRequest
    let facts: TraceFacts
    var report: TraceReport
    var flow: TraceFlow?
    /// The posts with what they watch: the sender's own, the host's, the receiver's.
    var posts: [(role: Role, post: TracePost)] = []
    var requestStations: [WatchedStation] = []
    var answerStations: [WatchedStation] = []
    /// What the old packet filter had counted before the packet came.
    var legacyDropsBefore: [LegacyDrop] = []
    /// Why the packet, or the connection, failed here.
    var failure: SystemError?

    enum Role { case sender, host, receiver }

    init(_ request: TraceRequest, _ facts: TraceFacts) {
        self.request = request
        self.facts = facts
        let sender = facts.sender.map { "sandbox \($0.name)" } ?? (request.waits ? "somebody" : "this host")
        report = TraceReport(request.target, sender: sender)
    }
}

// MARK: - Sending

extension TraceRun {
    mutating func send() throws {
        let sender = try facts.sender.map { try Namespace(path: $0.path, kind: .net) } ?? Namespace.current(.net)
        var probe = try TraceProbe(request.target, in: sender)
        flow = probe.flow
        let matches = [
            probe.flow.matches(.request, to: request.target), probe.flow.matches(.answer, to: request.target),
        ]
        try arm(matches, later: [probe.flow.laterMatches(.request), probe.flow.laterMatches(.answer)], input: nil)
        do throws(SystemError) {
            try probe.send()
            try listen(&probe)
        } catch {
            failure = error
        }
        try settle()
        conclude()
    }

    private mutating func arm(_ matches: [[Statement]], later: [[Statement]], input: String?) throws {
        legacyDropsBefore = Self.legacyDrops
        let host = try Namespace.current(.net)
        posts.append((.host, try TracePost(place: "host", in: host, matches: matches, later: later, input: input)))
        if let sender = facts.sender, let post = try Self.inside(sender.name, sender.path, matches, later) {
            posts.append((.sender, post))
        }
        if let receiver = facts.sandbox(at: request.target),
            let post = try Self.inside(receiver.name, receiver.identity.path, matches + later, later)
        {
            posts.append((.receiver, post))
        }
    }

    /// A sandbox is watched only where it has rules of its own.
    private static func inside(
        _ name: String, _ path: String, _ matches: [[Statement]], _ later: [[Statement]]
    ) throws -> TracePost? {
        // A namespace that has gone meanwhile is not watched, and the packet will tell.
        guard let namespace = try? Namespace(path: path, kind: .net), try TracePost.isNeeded(in: namespace) else {
            return nil
        }
        return try TracePost(place: "sandbox \(name)", in: namespace, matches: matches, later: later)
    }

    /// Waits for the answer; not for long where a rule has dropped the packet.
    private mutating func listen(_ probe: inout TraceProbe) throws(SystemError) {
        let clock = ContinuousClock()
        var deadline = clock.now + .seconds(request.timeout)
        var isDropped = false
        while clock.now < deadline {
            var waiting = posts.map { pollfd(fd: $0.post.pollDescriptor, events: Int16(POLLIN), revents: 0) }
            let events = request.target.transport == .tcp ? POLLOUT : POLLIN
            waiting.append(pollfd(fd: probe.pollDescriptor, events: Int16(events), revents: 0))
            let rest = (deadline - clock.now) / .milliseconds(1)
            poll(&waiting, nfds_t(waiting.count), Int32(max(1, rest.rounded(.up))))
            if let answer = try probe.hear() {
                report.answer = answer
                return
            }
            collect()
            guard !isDropped, posts.contains(where: { $0.post.passages.contains(where: \.isDropped) }) else { continue }
            isDropped = true
            // A rejection tells the sender, which takes no time.
            deadline = min(deadline, clock.now + .milliseconds(200))
        }
    }

    private mutating func collect() {
        for (_, post) in posts where (try? post.collect()) == true {
            let note = "the kernel told more than could be read: some steps are missing"
            if !report.notes.contains(note) { report.notes.append(note) }
        }
    }

    /// Takes the last steps, and puts the stations in order.
    private mutating func settle() throws {
        usleep(2000)
        collect()
        guard let flow else { return }
        requestStations =
            stations(.sender, .request, flow).filter(\.hook.isOutgoing) + stations(.host, .request, flow)
            + stations(.receiver, .request, flow).filter { !$0.hook.isOutgoing }
        answerStations =
            stations(.receiver, .answer, flow).filter(\.hook.isOutgoing) + stations(.host, .answer, flow)
            + stations(.sender, .answer, flow).filter { !$0.hook.isOutgoing }
        requestStations.removeAll(where: isAside)
        answerStations.removeAll(where: isAside)
        report.stations = requestStations.map(\.station)
        report.answerStations = answerStations.map(\.station)
        report.packet = report.stations.first?.packet
    }
}

extension TraceRun {
    /// Whether it is where a frame goes that a bridge sends out by every port, besides the one that it is for.
    private func isAside(_ station: WatchedStation) -> Bool {
        guard station.isOfBridge, let output = station.station.output,
            case .sandbox(_, let endpoint) = facts.owner(of: station.station.packet.destination),
            let port = endpoint.link.hostInterface
        else { return false }
        return output != port
    }

    private func stations(_ role: Role, _ direction: TraceFlow.Direction, _ flow: TraceFlow) -> [WatchedStation] {
        posts.filter { $0.role == role }.flatMap { $0.post.stations(of: flow, direction) }
    }
}

// MARK: - Waiting

extension TraceRun {
    mutating func wait() throws {
        let matches = [TraceFlow.matches(to: request.target)]
        // A packet for a published port is another one behind the translation.
        let translated = facts.translated(request.target).map { [TraceFlow.matches(to: $0)] } ?? []
        try arm(matches, later: matches + translated, input: request.input)
        let clock = ContinuousClock()
        let deadline = clock.now + .seconds(request.timeout)
        while flow == nil && clock.now < deadline {
            watch(until: deadline)
            let picked = posts.lazy.flatMap(\.post.passages).first { $0.isPicked }
            flow = picked.flatMap { TraceFlow(request.target.transport, first: $0.first) }
        }
        guard flow != nil else {
            report.outcome = .unseen
            let place = request.input.map { " by \($0)" } ?? ""
            report.reason = "no packet came\(place) in \(request.timeout) seconds"
            report.advice = request.target.transport == .tcp ? "only the first packet of a connection counts" : nil
            return
        }
        // The way through the host takes no time; the answer may.
        let end = min(deadline, clock.now + .seconds(1))
        while clock.now < end {
            watch(until: min(end, clock.now + .milliseconds(50)))
            try settle()
            if report.stations.contains(where: { $0.drop != nil }) || isAnswered { break }
        }
        try settle()
        if isAnswered { report.answer = TraceAnswer(.seen, from: report.stations.last?.left.destination) }
        conclude()
    }

    private mutating func watch(until deadline: ContinuousClock.Instant) {
        var waiting = posts.map { pollfd(fd: $0.post.pollDescriptor, events: Int16(POLLIN), revents: 0) }
        let rest = (deadline - ContinuousClock().now) / .milliseconds(1)
        poll(&waiting, nfds_t(waiting.count), Int32(max(1, rest.rounded(.up))))
        collect()
    }

    /// Whether the kernel's record of the connection has seen an answer.
    private var isAnswered: Bool {
        guard let packet = report.packet, var socket = try? ConntrackSocket() else { return false }
        let transport: InternetProtocol
        switch request.target.transport {
        case .tcp: transport = .tcp
        case .udp: transport = .udp
        case .icmp: transport = packet.source.family == .v4 ? .icmp : .icmpv6
        }
        let filter = ConntrackFilter(transport: transport, source: packet.source, sourcePort: packet.sourcePort)
        return (try? socket.connections(filter))?.contains { connection in
            // A packet that was seen behind a translation first is known by who answers it.
            let (asked, answering) = (connection.original, connection.reply)
            return connection.status.contains(.seenReply)
                && ((asked.destination, asked.destinationPort) == (packet.destination, packet.destinationPort)
                    || (answering.source, answering.sourcePort) == (packet.destination, packet.destinationPort))
        } == true
    }
}
