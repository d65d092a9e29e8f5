import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink
import SystemPackage

/// Everything by which one notices that something has happened to the networks of a host: the kernel's own notifications
/// of this namespace and of the sandboxes', the files of the store, the ends of processes that serve for us, signals, and a
/// reader that goes away. One thread waits for all of it.
struct HostWatch: ~Copyable {
    /// What has happened.
    struct News {
        /// A file of the store has changed.
        var hasRecords = false
        /// A link, address or route of ours has changed, what leads packets elsewhere, or a process of ours has ended.
        var hasLinks = false
        /// Somebody has changed chains or rules of others.
        var hasForeignRules = false
        /// Somebody else has changed our table.
        var interference: [NetworkEvent] = []
        /// The kernel had more to tell than there was room for.
        var isLost = false
        /// Somebody wants us to end, or nobody reads any more.
        var isEnd = false
    }

    private let links: RtnetlinkMonitor
    private let rules: NftablesMonitor
    private let files: DirectoryWatch
    private let signals: SignalDescriptor
    private var requests: Rtnetlink
    /// The sandboxes' namespaces, by the ids that this namespace has for them.
    private var namespaces: [Int32: String] = [:]
    private var interfaces: Set<String> = []
    private var subnets: [IPPrefix] = []
    private var servants: [Servant] = []
    private let runRoot: String
    /// What has been told of a batch of the firewall that is not complete yet.
    private var batch = FirewallBatch()

    init(_ engine: NetworkEngine) throws {
        let links = try RtnetlinkMonitor(
            inEveryNamespace: [.links, .addresses, .routes, .rules, .trafficControl, .forwardingSwitches])
        let rules = try NftablesMonitor(.changes)
        let files = try DirectoryWatch([
            engine.runRoot, "\(engine.runRoot)/sandboxes", "\(engine.runRoot)/networks", "\(engine.stateRoot)/networks",
        ])
        let signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP])
        let requests = try Rtnetlink()
        self.links = links
        self.rules = rules
        self.files = files
        self.signals = signals
        self.requests = requests
        runRoot = engine.runRoot
    }

    /// Knows the sandboxes and interfaces from here on. The kernel tells of a namespace when it has an id here, which does
    /// not keep it alive.
    mutating func follow(_ snapshot: StoreSnapshot) {
        interfaces = snapshot.interfaces
        subnets = snapshot.networks.values.flatMap { $0.subnets.map(\.prefix) }
        servants = Servant.all(snapshot, runRoot)
        var known: [Int32: String] = [:]
        for sandbox in snapshot.sandboxes.values {
            guard let namespace = try? Namespace(path: sandbox.identity.path),
                let identifier = try? requests.namespaceIdentifier(of: namespace.descriptor.rawValue)
            else { continue }
            known[identifier] = sandbox.name
        }
        namespaces = known
    }

    /// Waits until something has happened, at most until a time; nil waits for ever.
    mutating func wait(until deadline: ContinuousClock.Instant?) throws -> News {
        var timeout: Int32 = -1
        if let deadline {
            let rest = (deadline - ContinuousClock().now) / .milliseconds(1)
            timeout = Int32(max(0, min(rest.rounded(.up), 86_400_000)))
        }
        var waiting = [
            pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: files.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            pollfd(fd: links.pollDescriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: rules.pollDescriptor, events: Int16(POLLIN), revents: 0),
            // Nothing is asked for: only that a pipe has lost its reader.
            pollfd(fd: 1, events: 0, revents: 0),
        ]
        waiting += servants.map { pollfd(fd: $0.process.pidfd.rawValue, events: Int16(POLLIN), revents: 0) }
        guard poll(&waiting, nfds_t(waiting.count), timeout) > 0 else { return News() }
        var news = News()
        news.isEnd = signals.next() != nil || Int32(waiting[4].revents) & POLLERR != 0
        if waiting[1].revents != 0 { news.hasRecords = files.drain() }
        if waiting[2].revents != 0 { try takeLinks(&news) }
        if waiting[3].revents != 0 { try takeRules(&news) }
        let living = zip(servants, waiting.dropFirst(5)).filter { $1.revents == 0 }.map(\.0)
        if living.count < servants.count { news.hasLinks = true }
        servants = living
        return news
    }

    private mutating func takeLinks(_ news: inout News) throws {
        while true {
            let (namespace, events) = try links.nextOfNamespace()
            if events.isEmpty { return }
            for event in events {
                if case .resyncNeeded = event { news.isLost = true }
                if concerns(event, namespace) { news.hasLinks = true }
            }
        }
    }

    private func concerns(_ event: RtnetlinkEvent, _ namespace: Int32?) -> Bool {
        if let namespace, namespaces[namespace] == nil { return false }
        switch event {
        case .deleted(.link(let link)), .changed(.link(let link)):
            return namespace != nil || interfaces.contains(link.name) || link.isOurs
        case .deleted: return true
        case .changed(.rule): return namespace == nil
        case .changed(.address(let address)): return namespace == nil && isOurs(address.link)
        case .changed(.port(let link)): return namespace == nil && isOurs(link)
        // One to what our networks have, that is not theirs.
        case .changed(.route(let route)):
            return namespace == nil && !isOurs(route.link)
                && subnets.contains { $0.contains(route.destination.address) || route.destination.contains($0.address) }
                && !route.isDefault
        case .changed(.filters(let link)): return namespace == nil && isOurs(link)
        case .changed(.qdisc(let qdisc)): return namespace == nil && isOurs(qdisc.link)
        case .changed(.forwardingSwitch(let change)):
            return namespace == nil && (change.link == nil || isOurs(change.link))
        case .changed, .resyncNeeded: return false
        }
    }

    private func isOurs(_ link: UInt32?) -> Bool {
        link.flatMap(HostInterface.name).map(interfaces.contains) ?? false
    }

    private mutating func takeRules(_ news: inout News) throws {
        while true {
            let events = try rules.next()
            if events.isEmpty { return }
            for event in events {
                if case .resyncNeeded = event { news.isLost = true }
                if let interference = batch.take(event) { news.interference.append(interference) }
                if batch.hasChangedOthers { news.hasForeignRules = true }
            }
        }
    }
}

/// What one batch does to our tables, and who made it.
private struct FirewallBatch {
    private var table: Table.Reference?
    private var isDeleted = false
    private var foreignChanges = 0
    /// Whether the batch that is complete was somebody else's, and changed chains or rules that are not ours.
    private(set) var hasChangedOthers = false
    private var deletions = 0
    private var additions = 0

    /// Programs of ours, by the names that the kernel has for them.
    private static let ours: Set<String> = ["swnet", "swbox", "swlab"]

    /// - Returns: What somebody else has done, when the batch is complete.
    mutating func take(_ event: NftablesEvent) -> NetworkEvent? {
        hasChangedOthers = false
        switch event {
        case .deleted(let object) where Self.isOurs(object):
            table = table ?? object.table
            deletions += 1
            if case .table = object { isDeleted = true }
        case .added(let object) where Self.isOurs(object):
            table = table ?? object.table
            additions += 1
        case .deleted(.chain), .deleted(.rule), .added(.chain), .added(.rule): foreignChanges += 1
        case .committed(let generation):
            let isOurs = Self.ours.contains(generation.command ?? "")
            defer {
                let others = foreignChanges > 0 && !isOurs
                self = FirewallBatch()
                hasChangedOthers = others
            }
            guard let table, deletions + additions > 0, !isOurs else { return nil }
            let what =
                isDeleted
                ? "was deleted"
                : deletions > 0 ? "lost \(deletions) of its rules or elements" : "got \(additions) rules or elements"
            var told = NetworkEvent(.interfered, "table \(table)", what)
            told.process = generation.process
            told.command = generation.command
            return told
        default: break
        }
        return nil
    }

    private static func isOurs(_ object: NftablesEvent.Object) -> Bool {
        let table = object.table
        return FirewallTable.allCases.contains { $0.table == table }
    }
}

extension NftablesEvent.Object {
    /// The table that it is, or is in.
    fileprivate var table: Table.Reference {
        switch self {
        case .table(let table): table.reference
        case .chain(let chain): chain.table
        case .rule(let rule): rule.chain.table
        case .set(let table, _): table
        case .elements(let table, _, _): table
        }
    }
}

/// A process that serves for us: a relay, a name server, a DHCP client.
private final class Servant: Sendable {
    let process: ProcessHandle

    private init?(_ number: Int32) {
        guard let process = try? ProcessHandle(processIdentifier: number) else { return nil }
        self.process = process
    }

    /// Each takes a descriptor; the rest is looked at in the interval.
    private static let most = 500

    /// Those that run now.
    static func all(_ snapshot: StoreSnapshot, _ runRoot: String) -> [Servant] {
        var numbers = [false, true].compactMap { NameService(runRoot: runRoot, isInternal: $0).running }
        for sandbox in snapshot.sandboxes.values {
            for endpoint in sandbox.endpoints {
                numbers += DHCPClient.all(of: endpoint, sandbox: sandbox.name).compactMap { $0.running(runRoot) }
            }
        }
        if snapshot.sandboxes.values.contains(where: { $0.ports.contains(where: \.isRelayed) }) {
            numbers += RelayProcess.numbers(runRoot)
        }
        return numbers.prefix(most).compactMap(Servant.init)
    }
}
