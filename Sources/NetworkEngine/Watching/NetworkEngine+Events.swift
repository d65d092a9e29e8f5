public import NetworkModel

extension NetworkEngine {
    /// Tells what happens to networks, sandboxes and ports from now on, and what others do to what is ours in the kernel,
    /// until somebody sends SIGINT, SIGTERM or SIGHUP, or nobody listens any more. Equivalent to `swnet events`.
    ///
    /// The kernel's state is compared with the records when something has changed, so that damage has the words of `check`.
    /// - Parameter tell: Returns false to end.
    public func events(_ tell: (NetworkEvent) -> Bool) throws {
        // Whoever listens first misses nothing between reading and listening; the directories are there after a look.
        _ = try sandboxes()
        var watch = try HostWatch(self)
        var snapshot = StoreSnapshot(self)
        watch.follow(snapshot)
        var differences = try check().filter(\.isOurs)
        var failure: String?
        var pace = WatchPace()
        while true {
            let news = try watch.wait(until: pace.due)
            if news.isEnd { return }
            var told = news.interference
            if news.isLost { told.append(NetworkEvent(.lost)) }
            if news.hasRecords || news.hasLinks || news.hasForeignRules || news.isLost || !told.isEmpty { pace.look() }
            if pace.isDue {
                pace.begin()
                let now = StoreSnapshot(self)
                told += now.events(since: snapshot)
                snapshot = now
                watch.follow(snapshot)
                var found = differences
                do {
                    found = try check().filter(\.isOurs)
                    failure = nil
                } catch {
                    // What cannot be looked at now may be in a while; what happens meanwhile is told.
                    if failure != "\(error)" { notice("\(error)") }
                    failure = "\(error)"
                }
                told += differences.filter { !found.contains($0) }.map { NetworkEvent(.mended, $0.object, $0.problem) }
                told += found.filter { !differences.contains($0) }.map { NetworkEvent(.damaged, $0.object, $0.problem) }
                differences = found
                pace.end()
            }
            for event in told where !tell(event) { return }
        }
    }
}

/// When to look next: soon after something has happened, but so that looking never takes more than a fifth of the time.
struct WatchPace {
    private let clock = ContinuousClock()
    private(set) var due: ContinuousClock.Instant?
    private var begun: ContinuousClock.Instant?
    /// Not before this.
    private var earliest: ContinuousClock.Instant?

    /// What happens together is looked at together.
    private static let patience: Duration = .milliseconds(100)

    var isDue: Bool { due.map { $0 <= clock.now } ?? false }

    /// Something has happened.
    mutating func look() {
        if due != nil { return }
        due = max(clock.now + Self.patience, earliest ?? clock.now)
    }

    /// Looks again in a while although nothing has happened.
    mutating func look(after duration: Duration) {
        earliest = clock.now + duration
        due = earliest
    }

    /// Looks in a while, or sooner when something happens.
    mutating func look(atLatestAfter duration: Duration) { due = clock.now + duration }

    mutating func look(at instant: ContinuousClock.Instant) { due = instant }
    mutating func cancel() { due = nil }

    mutating func begin() {
        begun = clock.now
        due = nil
    }

    mutating func end() {
        guard let begun else { return }
        earliest = clock.now + (clock.now - begun) * 4
        self.begun = nil
    }
}
