/// Which relays there are, and which of them are recorded.
struct RelaySurvey {
    /// Every name under which something is recorded.
    let names: [String]
    /// Those of them whose relay is there.
    private(set) var running: Set<String> = []
    /// Relays that no record knows.
    let lost: [RelaySockets.Relay]

    init(_ store: borrowing Store) throws {
        let sockets = try RelaySockets()
        names = try RelayProcess.names(store)
        for name in names where try RelayProcess.recorded(name, store, sockets) != nil { running.insert(name) }
        lost = sockets.relays(besides: running)
    }
}
