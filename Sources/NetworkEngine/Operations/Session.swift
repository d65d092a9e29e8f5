import Addressing
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// One operation in progress: the lock, and the sockets that it works with.
///
/// Whoever holds the lock first cleans up after a process that was killed while it held it.
struct Session: ~Copyable {
    let store: Store
    /// Of the host: the network namespace of the calling thread.
    var links: Rtnetlink
    var firewall: Firewall
    private let notices: HeldNotices
    #if DEBUG
    private var faults = InjectedFaults()
    #endif
    /// Whether packets of ours are wanted through the chains of others, besides where that is recorded.
    var opensForeign = false
    /// Gets plans that are not to be carried out.
    var planned: (@Sendable (NetworkPlan) -> Void)?

    /// Where the machine's owner says something about all networks; nil for the usual place.
    let configurationPath: String?
    let runRoot: String
    let stateRoot: String
    let mark: LinkMark

    /// - Parameter waiting: Is told at once who has the lock when that takes long.
    init(
        runRoot: String, stateRoot: String, configurationPath: String? = nil, notices: HeldNotices,
        waiting: (String) -> Void
    ) throws {
        // The lock last: nobody waits for what needs none.
        let links = try Rtnetlink()
        var firewall = try Firewall()
        let store = try Store(runRoot: runRoot, stateRoot: stateRoot, waiting: waiting)
        // Whichever way it was named: the table and the processes that serve names and leases are known by it.
        let runRoot = try store.run.resolvedPath()
        firewall.owner = Firewall.mark(ofRoot: runRoot)
        self.store = store
        self.links = links
        self.firewall = firewall
        self.notices = notices
        self.configurationPath = configurationPath
        self.runRoot = runRoot
        mark = LinkMark(ofRoot: runRoot)
        self.stateRoot = stateRoot
    }

    func names(of network: Network) -> NameService { NameService(runRoot: runRoot, isInternal: network.isInternal) }

    /// Says something that a person should know and that is no error, once the lock is free.
    func notice(_ message: String) { notices.append(message) }
}

// MARK: - Carrying out plans

extension Session {
    /// Carries out a plan: all of it, or nothing when it builds something up; as much as can be when it takes down.
    ///
    /// - Throws: `NetworkError` that begins with what was asked for.
    mutating func carryOut(_ plan: NetworkPlan) throws {
        guard !plan.steps.isEmpty else { return }
        if let planned {
            planned(plan)
            return pretend(plan.steps)
        }
        try store.begin(plan)
        var failures: [String] = []
        var isKept = false
        for (index, step) in plan.steps.enumerated() where !(isKept && step.forgets) {
            do {
                try perform(step)
            } catch {
                failures.append("\(error)")
                // Taking down goes on past errors: what is left over would be worse than one more message.
                if plan.interruption == .complete {
                    if retryWithRoom(step, after: error) {
                        failures.removeLast()
                    } else if case .adjust = step, !(error is NetworkError) {
                        // What was asked for is done. What stays is the sandbox's, and whatever a program in there has made
                        // of its interfaces and routes keeps nobody from leaving.
                        notice(
                            "\(plan.operation): done, but not the default route by what is left: \(failures.removeLast())"
                        )
                    } else {
                        isKept = isKept || Self.isStillThere(step)
                    }
                    continue
                }
                // The failed step too: it may have come halfway. Not when it is all or nothing, because then what its
                // inverse would take away is somebody else's.
                let begun = plan.steps[..<(step.isAtomic ? index : index + 1)]
                for undone in begun.reversed().map(\.inverse) {
                    do { try perform(undone) } catch { failures.append("undo: \(error)") }
                }
                do { try shrinkFirewall(after: plan) } catch { failures.append("undo: \(error)") }
                break
            }
        }
        try store.end()
        if !failures.isEmpty {
            throw NetworkError(.failed, "\(plan.operation): \(failures.joined(separator: "; "))")
        }
    }

    /// Has what follows in a dry run meet things as they would be by then.
    private func pretend(_ steps: [NetworkStep]) {
        for step in steps { store.pretend(step) }
    }

    /// Carries out a step that found no room, in the room of the intent, which says what the step would write and more.
    ///
    /// - Returns: Whether it has been carried out.
    private mutating func retryWithRoom(_ step: NetworkStep, after error: any Error) -> Bool {
        guard let error = error as? SystemError, error.isNoRoom else { return false }
        do {
            try store.end()
            try execute(step)
            return true
        } catch {
            return false
        }
    }

    /// Whether something that could not be taken away is in a living sandbox: then it stays in the record, and can be asked
    /// for again.
    private static func isStillThere(_ step: NetworkStep) -> Bool {
        if case .detach(_, _, let identity) = step { identity.isAlive } else { false }
    }

    /// Sees to it that the records are true.
    ///
    /// - Throws: `SystemError` where something has to be written and cannot be.
    mutating func prepare(isReading: Bool) throws {
        guard store.isReadOnly && planned == nil else { return try recover() }
        let hasIntent = store.run.contains("pending")
        if !isReading || hasIntent {
            throw SystemError("write", store.run.path, errno: .readOnlyFileSystem, hint: "findmnt -T \(store.run.path)")
        }
    }

    /// Cleans up after a process that was killed in the middle of its plan.
    mutating func recover() throws {
        let interrupted: NetworkPlan?
        do {
            interrupted = try store.interruptedPlan()
        } catch {
            // Nothing can be read from it, so nothing of it was begun: a plan is written before its first step.
            notice("\(error)")
            interrupted = nil
        }
        guard let interrupted else { return }
        if let planned {
            planned(
                NetworkPlan(
                    "clean up after an interrupted '\(interrupted.operation)'", steps: interrupted.recovery,
                    interruption: .complete))
            return pretend(interrupted.recovery)
        }
        var isKept = false
        var noRoom: SystemError?
        for step in interrupted.recovery where !(isKept && step.forgets) {
            do {
                if case .firewall(let change) = step {
                    try commitWhatIsThere(change)
                } else {
                    try perform(step)
                }
            } catch {
                isKept = isKept || interrupted.interruption == .complete && Self.isStillThere(step)
                if let error = error as? SystemError, error.isNoRoom { noRoom = error }
                notice("clean up after an interrupted '\(interrupted.operation)': \(error)")
            }
        }
        do {
            try shrinkFirewall(after: interrupted)
        } catch {
            notice("clean up after an interrupted '\(interrupted.operation)': \(error)")
        }
        // Where nothing can be written it is left to whoever comes when there is room.
        if let noRoom { throw noRoom }
        try PortIndex.rebuild(store)
        try store.end()
    }

    mutating func perform(_ step: NetworkStep) throws {
        try expose(isAtomic: step.isAtomic) { session in try session.execute(step) }
    }

    /// Does something, unless a test has it fail or the process die before or after it.
    mutating func expose(isAtomic: Bool = false, _ body: (inout Session) throws -> Void) throws {
        #if DEBUG
        try faults.reachStep()
        try body(&self)
        try faults.leaveStep(isAtomic: isAtomic)
        #else
        try body(&self)
        #endif
    }

    mutating func execute(_ step: NetworkStep) throws {
        switch step {
        case .lease(let network, let address, let owner): try store.lease(address, network: network, owner: owner)
        case .free(let network, let address, let owner): try store.free(address, network: network, owner: owner)
        case .define(let network): try store.define(network)
        case .undefine(let network): try store.undefine(network.name)
        case .raise(let network):
            try store.markRaised(network.name)
            try BridgeDriver(network: network, mark: mark).raise(&links)
            try noteBridge(of: network)
            if network.policy.guardsSources, try !firewall.isBuilt(.sources) {
                try firewall.build([.sources], recorded: try recordedElements(of: try store.sandboxes()))
            }
        case .lower(let network):
            try BridgeDriver(network: network, mark: mark).lower(&links)
            // Of a network that nobody knows any more, nobody knows of which kind it was.
            for isInternal in [false, true] {
                try NameService(runRoot: runRoot, isInternal: isInternal).remove(network)
            }
            try store.markLowered(network.name)
            if network.driver.isRoutedByHost { try dismantleFirewall() }
            if network.policy.guardsSources, try !store.isGuarding() { try firewall.remove(.sources) }
        case .dismantle: try dismantleFirewall()
        case .firewall(let change): try changeFirewall(change)
        case .forward(let forwarding):
            try noteForwarding { $0.merging(forwarding) }
            try Forwarding.enable(forwarding)
        case .unforward(let forwarding):
            try Forwarding.disable(forwarding)
            try noteForwarding { $0.removing(forwarding) }
            try dismantleFirewall()
        case .attach(let endpoint, let sandbox, let identity):
            let namespace = try Namespace(path: identity.path)
            guard namespace.identity.inode == identity.inode else {
                throw NetworkError(.notFound, "the network namespace of \(sandbox) is gone")
            }
            try store.noteStrangeOwner(endpoint)
            // A newcomer that heard the bridge advertise its address would have its kernel complain of it.
            let isTold = endpoint.link.bridge != nil
            if isTold { announce(endpoint, identity: identity) }
            try EndpointDriver(endpoint: endpoint, sandbox: sandbox, mark: mark).attach(&links, namespace: namespace)
            for client in DHCPClient.all(of: endpoint, sandbox: sandbox) {
                try client.start(runRoot, stateRoot, identity: identity)
            }
            if !isTold { announce(endpoint, identity: identity) }
        case .detach(let endpoint, let sandbox, let identity):
            for client in DHCPClient.all(of: endpoint, sandbox: sandbox) { try client.stop(runRoot) }
            try EndpointDriver(endpoint: endpoint, sandbox: sandbox, mark: mark).detach(&links, identity: identity)
            Conntrack.forget(from: endpoint)
        case .startRelay(let relay): try RelayProcess(relay: relay).start(store)
        case .stopRelay(let relay): try RelayProcess(relay: relay).stop(store)
        case .adjust(let before, let after, let sandbox, let identity):
            try EndpointDriver.adjust(from: before, to: after, of: sandbox, identity: identity, mark: mark, &links)
            for (old, new) in zip(before, after) where old.addresses != new.addresses {
                announce(new, identity: identity)
            }
        case .record(let name, let before, let after):
            let key = SandboxReference.key(forName: name)
            try store.record(key: key, before: before, after: after)
            updateNames(key: key, before: before, after: after)
            try PortIndex.update(store, owner: key, before: before?.ports ?? [], after: after?.ports ?? [])
        }
    }

    /// Tells the name server who is where. That it cannot be told is no reason to leave a sandbox without its network.
    private func updateNames(key: String, before: Sandbox?, after: Sandbox?) {
        let endpoints = (before?.endpoints ?? []) + (after?.endpoints ?? [])
        for name in Set(endpoints.map(\.network)) where before?.endpoint(in: name) != after?.endpoint(in: name) {
            do {
                guard let network = try store.network(name), network.hasNames else { continue }
                if let message = try names(of: network).update(network, after, key: key) { notice(message) }
            } catch {
                notice("names of network \(name): \(error)")
            }
        }
    }

    /// Takes away what the last network that the host routes for leaves in the firewall. Where the host goes on forwarding,
    /// because others may have come to rely on it, the table stays and keeps it from being a router by that.
    private mutating func dismantleFirewall() throws {
        guard try !store.isRouting() else { return }
        var forwarding = try self.forwarding()
        // What has been switched off is still in the table.
        for family in forwarding.families where try !Forwarding.isOn(family) { forwarding[family] = nil }
        if forwarding.families.isEmpty {
            try firewall.remove(.networks)
        } else {
            try firewall.build([.networks], recorded: forwarding.elements)
        }
        try closeForeign()
    }

    private mutating func changeFirewall(_ change: FirewallChange) throws {
        var missing = try firewall.missing(for: change) { try store.isRouting() }
        // Who has flushed all rules has flushed the other table, too.
        if missing.contains(.networks), !missing.contains(.sources), try store.isGuarding(),
            try !firewall.isBuilt(.sources)
        {
            missing.append(.sources)
        }
        if missing.isEmpty {
            try firewall.commit(change)
        } else {
            let isNew = try firewall.parts() == nil
            try firewall.build(missing, recorded: try recordedElements(of: try store.sandboxes()), change)
            // An earlier version of this program has made the interfaces without.
            if isNew { setGates() }
        }
        Conntrack.forget(change, &links)
    }

    /// Sets up the gates of all interfaces that lead to sandboxes. What cannot be, `check` says.
    private mutating func setGates() {
        for name in (try? store.routedNetworks()) ?? [] {
            guard let network = try? store.network(name), network.driver.ownsBridge,
                let bridge = try? network.bridgeName.flatMap({ try links.link(named: $0) }),
                (try? isOwnBridge(bridge, of: network)) == true
            else { continue }
            try? FirewallGate.set(bridge.index, &links)
        }
        for endpoint in ((try? store.sandboxes()) ?? []).flatMap(\.endpoints) where !endpoint.isHandedOn {
            guard case .pointToPoint(let end) = endpoint.link, let index = HostInterface.index(of: end) else {
                continue
            }
            try? FirewallGate.set(index, &links)
        }
    }

    /// Makes a change of which a part may have been made already, or undone.
    mutating func commitWhatIsThere(_ change: FirewallChange) throws {
        try firewall.commitWhatIsThere(change)
        // What is added may need a part that the table does not have any more.
        let table = FirewallTable.networks
        let added = FirewallChange(added: change.added.filter(table.concerns))
        guard try firewall.parts() != nil, try firewall.missing(for: added, isRouting: { false }) == [table] else {
            return
        }
        try firewall.build(
            [table], recorded: try recordedElements(of: try store.sandboxes()),
            FirewallChange(removed: change.removed.filter(table.concerns), added: added.added))
    }

    private mutating func shrinkFirewall(after plan: NetworkPlan) throws {
        guard plan.steps.contains(where: { if case .firewall = $0 { true } else { false } }) else { return }
        try shrinkFirewall()
    }

    /// Builds the table anew when it has parts that nothing needs: then it is as it was before what was undone.
    ///
    /// All records are read for it, so what goes as it should leaves a part for the next who needs it.
    mutating func shrinkFirewall() throws {
        // What a network needs that is not defined any more cannot be told.
        guard try store.raisedNetworks().allSatisfy({ try store.network($0) != nil }),
            let parts = try firewall.parts()
        else { return }
        let recorded = try recordedElements(of: try store.sandboxes())
        guard !parts.isSubset(of: Ruleset.parts(of: recorded)) else { return }
        try firewall.build([.networks], recorded: recorded)
    }

    /// Everything that the records say the firewall has to hold.
    mutating func recordedElements(of sandboxes: [Sandbox]) throws -> [FirewallElement] {
        var elements = try forwarding().elements
        var networks: [String: Network] = [:]
        for name in try store.raisedNetworks() + store.forgottenNetworks(sandboxes) where networks[name] == nil {
            networks[name] = try store.network(name)
            elements += networks[name]?.elements ?? []
        }
        for sandbox in sandboxes {
            elements += sandbox.elements(for: sandbox.ports)
            for endpoint in sandbox.endpoints {
                elements += networks[endpoint.network]?.elements(of: endpoint, sandbox.name) ?? []
            }
        }
        return elements
    }
}
