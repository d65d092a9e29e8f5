import NetworkModel

extension Session {
    /// The steps from the relays that a sandbox has to those that it should have.
    func relaySteps(from before: [PortRelay], to after: [PortRelay]) -> (stop: [NetworkStep], start: [NetworkStep]) {
        (
            before.filter { !after.contains($0) }.map { .stopRelay($0) },
            after.filter { !before.contains($0) }.map { .startRelay($0) }
        )
    }

    func checkRelays(_ check: inout NetworkCheck) throws {
        let wanted = check.sandboxes.flatMap { $0.relays(for: $0.ports) }
        for relay in wanted where !RelayProcess(relay: relay).isRunning(store) {
            check.report("port \(relay.mapping) of \(relay.owner)", "its relay is gone", .relays)
        }
        // What belongs to what cannot be read cannot be told from what belongs to nobody.
        guard check.unknownSandboxes.isEmpty else { return }
        // Those of the dead go with them.
        let alive = Set(check.sandboxes.map(\.key))
        let dead = check.records.filter { !alive.contains($0.key) }
        for name in try RelayProcess.strangers(besides: wanted + dead.flatMap { $0.relays(for: $0.ports) }, store) {
            check.report("relay \(name)", "nobody publishes its port", .relays)
        }
    }

    func restoreRelays() throws {
        let sandboxes = try store.sandboxes()
        let wanted = sandboxes.flatMap { $0.relays(for: $0.ports) }
        for name in try RelayProcess.strangers(besides: wanted, store) { try RelayProcess.stop(name, store) }
        for sandbox in sandboxes where sandbox.identity.isAlive {
            for relay in sandbox.relays(for: sandbox.ports) { try RelayProcess(relay: relay).start(store) }
        }
    }
}
