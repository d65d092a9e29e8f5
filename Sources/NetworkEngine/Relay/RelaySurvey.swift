import LinuxSystem
import NetworkModel

/// Which relays there are, and which of them are recorded.
struct RelaySurvey {
    /// Every name under which something is recorded.
    let names: [String]
    /// Those of them whose relay is there.
    private(set) var running: Set<String> = []
    /// Those of these that somebody has stopped, which keep their ports and carry nothing.
    private(set) var stopped: Set<String> = []
    /// Relays that no record knows.
    let lost: [RelaySockets.Relay]

    init(_ store: borrowing Store) throws {
        let sockets = try RelaySockets()
        names = try RelayProcess.names(store)
        for name in names {
            guard let process = try RelayProcess.recorded(name, store, sockets) else { continue }
            running.insert(name)
            if ProcessHandle.facts(of: process.processIdentifier)?.isStopped == true { stopped.insert(name) }
        }
        lost = sockets.relays(besides: running)
    }

    /// What is wrong with relays that there should be.
    func problems(of wanted: [PortRelay]) -> [(relay: PortRelay, problem: String)] {
        wanted.compactMap { relay in
            if stopped.contains(relay.name) { return (relay, "its relay is stopped") }
            if running.contains(relay.name) { return nil }
            let lost = lost.first { $0.isNamed(relay.name) }
            return (relay, lost.map { "its relay is not recorded (process \($0.process))" } ?? "its relay is gone")
        }
    }
}
