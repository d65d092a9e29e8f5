import JSONCoding
import LinuxSystem
import NetworkModel

/// What the records say at one moment, read without the lock: every file is replaced in one step, so that each is whole.
struct StoreSnapshot {
    private(set) var networks: [String: Network] = [:]
    /// By key.
    private(set) var sandboxes: [String: Sandbox] = [:]
    /// What was repaired last, as it is written.
    private(set) var repaired: [UInt8] = []

    init(_ engine: NetworkEngine) {
        for (name, bytes) in Self.files(in: "\(engine.stateRoot)/networks") where name.hasSuffix(".json") {
            if let network: Network = Self.parse(bytes) { networks[network.name] = network }
        }
        for (key, bytes) in Self.files(in: "\(engine.runRoot)/sandboxes") {
            if let sandbox: Sandbox = Self.parse(bytes) { sandboxes[key] = sandbox }
        }
        repaired = (try? Descriptor.openRegular("\(engine.runRoot)/repaired").readAll(limit: 16 << 20)) ?? []
    }

    private static func files(in path: String) -> [(name: String, bytes: [UInt8])] {
        guard let directory = try? Descriptor.openDirectory(path, forListing: true),
            let names = try? directory.entries()
        else { return [] }
        return names.filter { !$0.hasPrefix(".") }.sorted().compactMap { name in
            // One that has gone meanwhile is not there.
            (try? directory.readFile(name)).flatMap(\.self).map { (name, $0) }
        }
    }

    private static func parse<Value: JSONRepresentable>(_ bytes: [UInt8]) -> Value? {
        do throws(JSONCodingError) { return try Value(json: JSONValue(parsing: bytes)) } catch { return nil }
    }

    /// Names of the host's interfaces that are recorded as ours.
    var interfaces: Set<String> {
        Set(
            networks.values.filter(\.driver.ownsBridge).compactMap(\.bridgeName)
                + sandboxes.values.flatMap { $0.endpoints.compactMap(\.link.hostInterface) })
    }

    /// What has happened since an earlier moment.
    func events(since old: StoreSnapshot) -> [NetworkEvent] {
        // One that has another definition by now was removed and made again, after all that was on it had gone.
        let removed = old.networks.keys.filter { networks[$0] != old.networks[$0] }.sorted()
        let created = networks.keys.filter { networks[$0] != old.networks[$0] }.sorted()
        let changes = Set(old.sandboxes.keys).union(sandboxes.keys).sorted().flatMap {
            Self.changes(from: old.sandboxes[$0], to: sandboxes[$0])
        }
        let isEnd = { (event: NetworkEvent) in event.kind == .unpublished || event.kind == .disconnected }
        var events =
            changes.filter(isEnd) + removed.map { Self.event(.networkRemoved, $0) }
            + created.map { Self.event(.networkCreated, $0) } + changes.filter { !isEnd($0) }
        if repaired != old.repaired { events += repairs }
        return events
    }

    private static func event(_ kind: NetworkEvent.Kind, _ network: String) -> NetworkEvent {
        var event = NetworkEvent(kind)
        event.network = network
        return event
    }

    private static func changes(from old: Sandbox?, to new: Sandbox?) -> [NetworkEvent] {
        // A name that another namespace has by now is another sandbox.
        if let old, let new, !old.identity.isSameNamespace(as: new.identity) {
            return changes(from: old, to: nil) + changes(from: nil, to: new)
        }
        guard let name = new?.name ?? old?.name else { return [] }
        let before = old?.endpoints ?? [], after = new?.endpoints ?? []
        let portsBefore = Set(old?.ports ?? []), portsAfter = Set(new?.ports ?? [])
        func isThere(_ endpoint: Endpoint, _ others: [Endpoint]) -> Bool {
            others.contains { $0.isSamePlace(as: endpoint) }
        }
        func port(_ kind: NetworkEvent.Kind, _ mapping: PortMapping) -> NetworkEvent {
            var event = NetworkEvent(kind)
            event.sandbox = name
            event.port = "\(mapping)"
            return event
        }
        func place(_ kind: NetworkEvent.Kind, _ endpoint: Endpoint) -> NetworkEvent {
            var event = event(kind, endpoint.network)
            event.sandbox = name
            event.interface = endpoint.interface
            event.addresses = endpoint.addresses.map { "\($0)" }
            return event
        }
        return (old?.ports ?? []).filter { !portsAfter.contains($0) }.map { port(.unpublished, $0) }
            + before.filter { !isThere($0, after) }.map { place(.disconnected, $0) }
            + after.filter { !isThere($0, before) }.map { place(.connected, $0) }
            + (new?.ports ?? []).filter { !portsBefore.contains($0) }.map { port(.published, $0) }
    }

    private var repairs: [NetworkEvent] {
        guard let record: RepairRecord = Self.parse(repaired) else { return [] }
        return record.repaired.map { NetworkEvent(.repaired, $0.object, $0.problem) }
    }
}

extension Endpoint {
    /// Whether both are one, whose routes and limits may have changed meanwhile, and addresses that others give.
    fileprivate func isSamePlace(as other: Endpoint) -> Bool {
        network == other.network && interface == other.interface && link == other.link
            && macAddress == other.macAddress
            && (isLeased || configuresItself || addresses == other.addresses)
    }
}

/// What the last repair has made right: `/run/swnet/repaired`, for those who watch.
struct RepairRecord: JSONRepresentable {
    var repaired: [(object: String, problem: String)]
    /// So that two repairs of the same damage are two.
    var number: Int

    init(_ differences: [NetworkDifference], number: Int) {
        repaired = differences.map { ($0.object, $0.problem) }
        self.number = number
    }

    init(json: JSONValue) throws(JSONCodingError) {
        number = try json.integer("number")
        repaired = try json.array("repaired").map { item throws(JSONCodingError) in
            (try item.string("object"), try item.string("problem"))
        }
    }

    var json: JSONValue {
        JSONValue([
            "number": .integer(number),
            "repaired": .array(
                repaired.map { JSONValue(["object": .string($0.object), "problem": .string($0.problem)]) }),
        ])
    }
}
