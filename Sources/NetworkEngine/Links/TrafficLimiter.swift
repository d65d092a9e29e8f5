import NetworkModel
import Rtnetlink
import SystemPackage

/// The rate limits of an endpoint, on the host's end of its pair, where the sandbox's owner cannot take them away.
///
/// What the sandbox receives is queued where the host's end sends. What it sends comes in there, and the kernel queues
/// nothing that comes in: so it is led through an `ifb`, queued where that one sends, and goes on as if it had come in
/// only then. Source: tc-tbf(8), tc-mirred(8), drivers/net/ifb.c.
struct TrafficLimiter {
    let endpoint: Endpoint
    /// The mark of what is ours.
    let alias: String

    private static let handle = TrafficHandle(1)
    /// Behind the gate that the host's end of a point-to-point pair has (`FirewallGate`).
    private static let priority: UInt16 = 2

    /// Sets the limits that the endpoint has, and takes away those that it has not. Doing so again changes nothing, and
    /// a rate that is raised loses no packet.
    func apply(_ host: inout Rtnetlink) throws {
        guard let name = endpoint.link.hostInterface, let link = try host.link(named: name)?.index else {
            throw NetworkError(.failed, "network \(endpoint.network): the host's end of \(endpoint.interface) is gone")
        }
        if let ingress = endpoint.options.ingress {
            try setBucket(bucket(ingress), link, &host)
        } else if let present = try presentBucket(link, &host) {
            try host.apply(.delete(present))
        }
        if let egress = endpoint.options.egress {
            try limitIncoming(egress, link, &host)
        } else {
            try freeIncoming(link, &host)
        }
    }

    /// Takes away the interface that is no part of the pair and so does not go with it.
    func remove(_ host: inout Rtnetlink) throws {
        guard let name = endpoint.link.limiter, let link = try host.link(named: name), isOurs(link) else { return }
        try LinkRemoval.remove(name, &host)
    }

    /// One without an alias is ours too: it is set after the link is made.
    private func isOurs(_ link: Link) -> Bool { link.kind == "ifb" && (link.alias == nil || link.alias == alias) }

    private func presentBucket(_ link: UInt32, _ host: inout Rtnetlink) throws -> Qdisc? {
        try host.qdiscs(link: link).first { $0.handle == Self.handle && $0.kind.name == "tbf" }
    }

    /// Sets a limit, or changes it without losing what waits, unless its burst becomes smaller: something that waits may
    /// be longer than that, and the kernel would try for ever to let it pass (`tbf_dequeue`, net/sched/sch_tbf.c).
    private func setBucket(_ bucket: TokenBucket, _ link: UInt32, _ host: inout Rtnetlink) throws {
        let wanted = Change.replace(Qdisc(.tbf(bucket), link: link, handle: Self.handle))
        guard let present = try presentBucket(link, &host), case .tbf(let old) = present.kind,
            old.burst > bucket.burst
        else { return try host.apply(wanted) }
        try host.apply([.delete(present), wanted])
    }

    func bucket(_ limit: RateLimit) -> TokenBucket {
        let packet = EndpointOptions.packet(mtu: endpoint.mtu)
        return TokenBucket(
            rate: limit.bytes, burst: limit.burst(packet: packet), limit: limit.queue(packet: packet))
    }

    private func limitIncoming(_ limit: RateLimit, _ link: UInt32, _ host: inout Rtnetlink) throws {
        let limiter = try makeLimiter(&host)
        try setBucket(bucket(limit), limiter, &host)
        let present = try host.filters(link: link, on: .incoming)
        if present.contains(where: { $0.actions == [.redirect(to: limiter)] }) { return }
        // Whatever else redirects leads to an interface that is gone, and would drop everything.
        try removeRedirections(link, &host)
        if try !host.qdiscs(link: link).contains(where: { $0.kind == .clsact }) {
            try host.apply(.add(Qdisc(.clsact, link: link)))
        }
        try host.apply(
            .add(
                TrafficFilter(
                    .u32([]), on: .incoming, link: link, priority: Self.priority, [.redirect(to: limiter)])))
    }

    private func freeIncoming(_ link: UInt32, _ host: inout Rtnetlink) throws {
        guard let name = endpoint.link.limiter, let limiter = try host.link(named: name), isOurs(limiter) else {
            return
        }
        try removeRedirections(link, &host)
        try LinkRemoval.remove(name, &host)
    }

    /// Takes away what leads to a limiter, and the hook for it where nothing else hangs.
    private func removeRedirections(_ link: UInt32, _ host: inout Rtnetlink) throws {
        var isUsed = false
        for filter in try host.filters(link: link, on: .incoming) {
            if filter.isRedirection {
                try host.apply(.delete(filter))
            } else {
                isUsed = true
            }
        }
        if !isUsed, try host.qdiscs(link: link).contains(where: { $0.kind == .clsact }) {
            try host.apply(.delete(Qdisc(.clsact, link: link)))
        }
    }

    /// - Returns: Its index.
    private func makeLimiter(_ host: inout Rtnetlink) throws -> UInt32 {
        guard let name = endpoint.link.limiter else { return 0 }
        if let link = try host.link(named: name) {
            guard isOurs(link) else {
                throw NetworkError(
                    .taken, "network \(endpoint.network): an interface \(name) exists that is not this endpoint's")
            }
            try host.set(.index(link.index), LinkSettings(up: true, alias: alias))
            return link.index
        }
        return try host.add(NewLink(name, .ifb, up: true, alias: alias, queues: 1)).index
    }
}

extension TrafficFilter {
    /// Whether it leads everything elsewhere, as those of limits do.
    fileprivate var isRedirection: Bool {
        guard classifier == .u32([]), actions.count == 1, case .redirect = actions[0] else { return false }
        return true
    }
}

// MARK: - Checking

/// The limits of an endpoint, as they are compared with the kernel.
struct TrafficState {
    let endpoint: Endpoint
    /// The host's, by link.
    let qdiscs: [UInt32: [Qdisc]]

    /// What is wrong with them.
    ///
    /// - Parameters:
    ///   - link: The host's end of the pair.
    ///   - links: Every link of the host.
    func problems(_ link: Link, _ links: [String: Link], _ host: inout Rtnetlink) throws -> [String] {
        var problems: [String] = []
        if let ingress = endpoint.options.ingress, !hasBucket(ingress, link.index) {
            problems.append("what it receives is not limited to \(ingress)")
        }
        guard let egress = endpoint.options.egress, let name = endpoint.link.limiter else { return problems }
        guard let limiter = links[name] else { return problems + ["\(name), which limits what it sends, is missing"] }
        let leadsThere = try host.filters(link: link.index, on: .incoming).contains {
            $0.actions == [.redirect(to: limiter.index)]
        }
        if !limiter.isUp || !leadsThere || !hasBucket(egress, limiter.index) {
            problems.append("what it sends is not limited to \(egress)")
        }
        return problems
    }

    /// The burst is told in ticks and so not exactly; the queue's length follows from it.
    private func hasBucket(_ limit: RateLimit, _ link: UInt32) -> Bool {
        let wanted = TrafficLimiter(endpoint: endpoint, alias: "").bucket(limit)
        return (qdiscs[link] ?? []).contains { qdisc in
            guard case .tbf(let found) = qdisc.kind else { return false }
            return found.rate == wanted.rate && found.limit == wanted.limit
        }
    }
}
