import LinuxSystem
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
        let survey = try RelaySurvey(store)
        let wanted = check.sandboxes.flatMap { $0.relays(for: $0.ports) }
        for (relay, problem) in survey.problems(of: wanted) {
            check.report("port \(relay.mapping) of \(relay.owner)", problem, .relays)
        }
        for relay in survey.lost where !wanted.contains(where: { relay.isNamed($0.name) }) {
            check.report(
                "relay \(relay.name)", "process \(relay.process) carries its port, and no record knows it", .relays)
        }
        // What belongs to what cannot be read cannot be told from what belongs to nobody.
        guard check.unknownSandboxes.isEmpty else { return }
        // Those of the dead go with them.
        let alive = Set(check.sandboxes.map(\.key))
        let dead = check.records.filter { !alive.contains($0.key) }
        let names = Set((wanted + dead.flatMap { $0.relays(for: $0.ports) }).map(\.name))
        for name in survey.names where !names.contains(name) {
            check.report("relay \(name)", "nobody publishes its port", .relays)
        }
    }

    /// Ends relays that nobody knows, which may be in the way of those that are wanted, and starts these.
    func restoreRelays() throws {
        let survey = try RelaySurvey(store)
        for relay in survey.lost { try relay.open()?.end() }
        var isComplete = true
        let sandboxes = try store.sandboxes { _, _ in isComplete = false }
        let wanted = sandboxes.flatMap { $0.relays(for: $0.ports) }
        let names = Set(wanted.map(\.name))
        if isComplete {
            for name in survey.names where !names.contains(name) { try RelayProcess.stop(name, store) }
        }
        let alive = Set(sandboxes.filter(\.identity.isAlive).map(\.name))
        for relay in wanted where alive.contains(relay.owner) {
            do {
                try RelayProcess(relay: relay).start(store)
            } catch {
                notice("repair port \(relay.mapping) of \(relay.owner): \(error)")
            }
        }
    }
}
