import Addressing
import CLinux
import LinuxSystem
public import NetworkModel
import Rtnetlink

/// Networks, endpoints and published ports of one host: the host is the network namespace of the calling thread.
///
/// Every operation is one transaction under one lock. It is checked completely, planned, noted as an intent, carried
/// out and, when a step fails, taken back; what a killed process leaves is cleaned up by the next operation.
public struct NetworkEngine: Sendable {
    /// Where the state is kept that dies with the boot.
    public var runRoot: String
    /// Where definitions are kept.
    public var stateRoot: String
    /// The file in which the machine's owner says something about all networks; nil for `/etc/swnet/config.json`, which
    /// need not be there.
    public var configurationPath: String?
    /// Gets what a person should know and what is no error.
    public var notice: @Sendable (String) -> Void
    /// When it is set, it gets the plans of operations and nothing is carried out: a dry run. What an operation would clean
    /// up on its way, after dead sandboxes and interrupted operations, are plans of their own and come before its own.
    public var planned: (@Sendable (NetworkPlan) -> Void)?

    public init(
        runRoot: String = "/run/swnet", stateRoot: String = "/var/lib/swnet",
        configurationPath: String? = nil, notice: @escaping @Sendable (String) -> Void = { _ in }
    ) {
        self.runRoot = runRoot
        self.stateRoot = stateRoot
        self.configurationPath = configurationPath
        self.notice = notice
    }

    /// Runs an operation under the lock; an error says what was asked for.
    ///
    /// - Parameters:
    ///   - isReading: Whether it only looks, and so works where nothing can be written.
    ///   - isMending: Whether it is about what may be wrong with the records themselves.
    func operate<Result>(
        _ operation: String? = nil, isReading: Bool = false, isMending: Bool = false,
        _ body: (inout Session) throws -> Result
    ) throws -> Result {
        let notices = HeldNotices()
        // Who reads them slowly, or not at all, keeps nobody else waiting: the lock is free again by then.
        defer { notices.forEach(notice) }
        do {
            if isReading && !isMending { try checkRoots() }
            var session = try Session(
                runRoot: runRoot, stateRoot: stateRoot, configurationPath: configurationPath, notices: notices,
                waiting: notice)
            session.planned = planned
            if let folder = session.store.strangeFolder {
                if isMending { return try body(&session) }
                let difference = session.store.difference(ofFolder: folder)
                throw NetworkError(.failed, "\(difference)\(difference.isOurs ? " (swnet repair)" : "")")
            }
            do {
                try session.prepare(isReading: isReading || planned != nil)
            } catch let error as SystemError where error.isNoRoom && (isReading || planned != nil) {
                session.notice("what others have left is not cleaned up: \(error)")
            }
            return try body(&session)
        } catch let refusal as NetworkError {
            var error = refusal
            if let operation, !error.message.hasPrefix(operation) { error.message = "\(operation): \(error.message)" }
            throw error
        } catch let failure as SystemError {
            guard let operation else { throw failure }
            throw NetworkError(.failed, "\(operation): \(failure)")
        }
    }
}

extension NetworkEngine {
    /// Refuses to list what is kept where nobody has ever kept anything: whoever only reads makes no folders. The usual ones
    /// are there for everybody, whether or not somebody has used them yet.
    private func checkRoots() throws(NetworkError) {
        let usual = NetworkEngine()
        for (root, usual, flag) in [(runRoot, usual.runRoot, "--run-root"), (stateRoot, usual.stateRoot, "--root")]
        where root != usual && access(root, F_OK) != 0 {
            throw NetworkError(.notFound, "there is no folder \(root) (\(flag))")
        }
    }
}

extension NetworkEngine {
    /// Whether the kernel has anything of ours, whose records then are lost.
    ///
    /// - Throws: `NetworkError` where the table is that of another run root.
    private func hasRemains() throws -> Bool {
        var firewall = try Firewall()
        firewall.owner = Firewall.mark(ofRoot: runRoot)
        try firewall.checkOwner()
        var links = try Rtnetlink()
        return try firewall.isBuilt(.networks) || links.links().contains(where: LinkMark(ofRoot: runRoot).isOn)
    }
}

/// What an operation has to say, until it has let go of the lock.
final class HeldNotices {
    private var messages: [String] = []

    func append(_ message: String) { messages.append(message) }

    func forEach(_ body: (String) -> Void) { messages.forEach(body) }
}

// MARK: - Networks

extension NetworkEngine {
    /// Makes a network with its bridge. Equivalent to `swnet create`.
    ///
    /// - Throws: `NetworkError` that names what is wrong with the request, or what it collides with.
    @discardableResult
    public func createNetwork(_ request: NetworkRequest) throws -> Network {
        // Before it is a part of every message.
        try NetworkName.check(request.name)
        return try operate("create \(request.name)") { session in
            try request.validate()
            guard try session.store.network(request.name) == nil else {
                throw NetworkError(.taken, "network \(request.name) exists already")
            }
            let network = try session.design(request)
            let raising = try session.raising(network)
            var plan = NetworkPlan("create \(request.name)", steps: [.define(network)] + raising.steps)
            if network.driver.isRoutedByHost { plan.steps.append(.firewall(FirewallChange(added: raising.elements))) }
            if let forwarding = raising.forwarding { plan.steps.append(.forward(forwarding)) }
            try session.carryOut(plan)
            if let forwarding = raising.forwarding, planned == nil { session.announce(forwarding) }
            if network.driver.isRoutedByHost { session.announceObstacles() }
            try session.announceOwnGateway(of: network)
            // Its links are made when somebody connects, which is late to hear of it.
            if let kind = try session.missingKind(of: network) {
                session.notice(
                    "this kernel has no links of kind \(kind) now; \(network.name) can be connected to when it has")
            }
            return network
        }
    }

    /// Every network, the default one included, by name. One whose definition cannot be read is told and left out.
    public func networks() throws -> [Network] {
        try operate(isReading: true) { session in
            do {
                _ = try session.defineDefaultNetwork()
            } catch {
                // What there is can be listed all the same.
                session.notice("network \(NetworkName.default) is not defined yet: \(error)")
            }
            return try session.networks { session.notice("\($0)") }
        }
    }

    /// One network. - Throws: `NetworkError` when there is none of the name.
    public func network(named name: String) throws -> Network {
        try operate(isReading: true) { session in try session.network(name) }
    }

    /// Removes a network that nobody is connected to; with the last one everything of ours leaves the kernel.
    public func removeNetwork(_ name: String) throws {
        try operate("remove \(name)") { session in try session.remove(name) }
    }
}

// MARK: - Sandboxes

extension NetworkEngine {
    /// Connects a sandbox to networks and publishes its ports: all of it or nothing.
    ///
    /// - Returns: The sandbox with all its endpoints and ports.
    @discardableResult
    public func connect(_ request: ConnectRequest) throws -> Sandbox {
        let sandbox = try operate(request.operation) { session in try session.connect(request) }
        return try awaitLeases(sandbox, request)
    }

    /// Connects a sandbox, as `connect` does, to a network that comes to be with it unless it is there: when the
    /// connection fails, neither stays.
    ///
    /// - Parameters:
    ///   - definition: What the network is, when nobody has made it yet.
    ///   - check: Throws when the network that is there is another than is meant.
    /// - Returns: The sandbox, and whether the network was made.
    public func connect(
        _ request: ConnectRequest, making definition: NetworkRequest, comparing check: (Network) throws -> Void
    ) throws -> (sandbox: Sandbox, isNew: Bool) {
        let (sandbox, isNew) = try operate(request.operation) { session in
            let present = try session.store.network(definition.name)
            if let present { try check(present) }
            return (try session.connect(request, making: present == nil ? definition : nil), present == nil)
        }
        return (try awaitLeases(sandbox, request, making: isNew ? definition.name : nil), isNew)
    }

    /// Takes a sandbox out of a network, with the ports that lead there.
    ///
    /// Returns when the interfaces are out of sight; the kernel finishes their deletion later.
    public func disconnect(_ reference: SandboxReference, from network: String) throws {
        let operation = "disconnect \(reference.name) from \(network)"
        try operate(operation) { session in
            let sandbox = try session.recorded(reference)
            guard let endpoint = sandbox.endpoint(in: network) else {
                let others = sandbox.endpoints.map(\.network).joined(separator: ", ")
                throw NetworkError(
                    .notFound,
                    "\(sandbox.name) is not connected to \(network)"
                        + (others.isEmpty ? "" : " (it is connected to \(others))"))
            }
            try session.carryOut(session.removal(operation, of: [endpoint], and: [], from: sandbox))
        }
    }

    /// Publishes ports of a sandbox that is connected.
    @discardableResult
    public func publish(_ reference: SandboxReference, _ ports: [PortRequest]) throws -> Sandbox {
        try connect(ConnectRequest(sandbox: reference, ports: ports))
    }

    /// Takes ports back that were published with the same specification; one that left the host's port open takes back
    /// what was chosen for it.
    public func unpublish(_ reference: SandboxReference, _ ports: [PortRequest]) throws {
        let operation = "unpublish ports of \(reference.name)"
        try operate(operation) { session in
            let sandbox = try session.recorded(reference)
            let (leaving, unknown) = sandbox.ports(ports)
            if let unknown {
                var others = sandbox.ports.prefix(20).map(\.description).joined(separator: ", ")
                if sandbox.ports.count > 20 { others += ", …: swnet ports \(sandbox.name)" }
                throw NetworkError(
                    .notFound,
                    "port '\(unknown)' is not published by \(sandbox.name)"
                        + (others.isEmpty ? "" : " (it publishes \(others))"))
            }
            try session.carryOut(session.removal(operation, of: [], and: leaving, from: sandbox))
        }
    }

    /// Takes down everything of a sandbox. It may be gone, and so may its namespace: nothing to do is no error.
    ///
    /// Never waits for the deletion of a link whose namespace is going away.
    ///
    /// - Parameter descriptor: Of its network namespace, for who has kept that open past its processes: then what it has of
    ///   the host's interfaces is there for others at once, and not when the kernel comes to it.
    public func release(sandbox name: String, namespace descriptor: Int32? = nil) throws {
        try operate("release \(name)") { session in
            guard let sandbox = try session.store.sandbox(key: SandboxReference.key(forName: name)) else { return }
            let open = try descriptor.map { try SandboxIdentity(path: "/proc/self/fd/\($0)") }
            try session.release(sandbox, open: open)
        }
    }

    /// The record of a sandbox; nil when it has none.
    public func sandbox(named name: String) throws -> Sandbox? {
        try operate(isReading: true) { session in
            try session.store.sandbox(key: SandboxReference.key(forName: name))
        }
    }

    /// Every sandbox that is recorded, by name. One whose record cannot be read is told and left out.
    public func sandboxes() throws -> [Sandbox] {
        try operate(isReading: true) { session in try session.store.sandboxes { session.notice("\($1)") } }
    }

    /// Every published port whose sandbox still lives.
    public func ports() throws -> [PublishedPort] {
        try sandboxes().filter(\.identity.isAlive).flatMap { sandbox in
            sandbox.ports.map { port in
                PublishedPort(mapping: port, sandbox: sandbox.name, targets: sandbox.targets(port))
            }
        }
    }

    /// Compares what is recorded with what the kernel has. Nothing is changed.
    ///
    /// - Parameter foreign: Whether what drops our packets in the chains of others is ours to repair.
    public func check(foreign: Bool = false) throws -> [NetworkDifference] {
        do { try checkRoots() } catch { if try !hasRemains() { throw error } }
        return try operate("check", isReading: true, isMending: true) { session in
            session.opensForeign = foreign
            return try session.check()
        }
    }

    /// Makes right what `check` finds, without disturbing what is right.
    ///
    /// - Parameter foreign: Whether to let packets of our networks through the chains of others that drop them, from now
    ///   on until the last network is removed.
    /// - Returns: What was repaired, and what is still different.
    public func repair(
        foreign: Bool = false
    ) throws -> (repaired: [NetworkDifference], left: [NetworkDifference]) {
        try operate("repair", isMending: true) { session in
            if foreign { try session.store.setOpensForeign(true) }
            return try session.repair()
        }
    }

    /// Cleans up after sandboxes whose namespaces are gone.
    ///
    /// - Returns: Their names.
    @discardableResult
    public func collect() throws -> [String] {
        try operate("gc") { session in try session.collect() }
    }
}
