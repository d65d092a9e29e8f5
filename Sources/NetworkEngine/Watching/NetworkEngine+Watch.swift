public import NetworkModel

/// What a watch has to say.
public enum WatchNews: Hashable, Sendable {
    /// It listens, and what was wrong before is repaired.
    case started
    case repaired(NetworkDifference)
    /// It could not be repaired, or is somebody else's.
    case left(NetworkDifference)
    /// Somebody else has changed our table.
    case interfered(NetworkEvent)
    /// Somebody undoes what is repaired: the next look is so many seconds away.
    case waits(seconds: Int)
    /// A repair failed altogether.
    case failed(String)
}

extension NetworkEngine {
    /// Repairs what others damage, as soon as the kernel tells of it, until somebody sends SIGINT, SIGTERM or SIGHUP, or
    /// nobody listens any more. Equivalent to `swnet watch`.
    ///
    /// - Parameters:
    ///   - interval: Seconds after which it looks although nothing was told: not everything is.
    ///   - tell: Returns false to end.
    public func watch(every interval: Int = 60, _ tell: (WatchNews) -> Bool) throws {
        _ = try sandboxes()
        var watch = try HostWatch(self)
        var pace = WatchPace()
        var fight = Fight()
        var told: [NetworkDifference] = []
        watch.follow(StoreSnapshot(self))
        pace.look(after: .zero)
        var isStarted = false
        while true {
            let news = try watch.wait(until: pace.due)
            if news.isEnd { return }
            for event in news.interference where !tell(.interfered(event)) { return }
            if news.hasRecords { watch.follow(StoreSnapshot(self)) }
            if news.hasLinks || news.hasForeignRules || news.isLost || !news.interference.isEmpty { pace.lookSooner() }
            guard pace.isDue else { continue }
            pace.begin()
            var messages: [WatchNews] = []
            do {
                let (repaired, left) = try repair()
                messages += repaired.map(WatchNews.repaired) + left.filter { !told.contains($0) }.map(WatchNews.left)
                told = left
                fight.note(repaired.map { "\($0)" })
                // What was started again is followed from now on.
                if !repaired.isEmpty { watch.follow(StoreSnapshot(self)) }
            } catch {
                messages.append(.failed("\(error)"))
                fight.note(["\(error)"])
            }
            pace.end()
            if let seconds = fight.pause {
                messages.append(.waits(seconds: seconds))
                pace.look(after: .seconds(seconds))
            } else {
                pace.look(atLatestAfter: .seconds(interval))
            }
            if !isStarted { messages.append(.started) }
            isStarted = true
            for message in messages where !tell(message) { return }
        }
    }
}

/// Whether somebody undoes what is repaired, again and again.
struct Fight {
    private let clock = ContinuousClock()
    /// When what was repaired.
    private var repairs: [(time: ContinuousClock.Instant, what: String)] = []

    /// So many repairs of the same in a minute are no accident.
    private static let patience = 5
    private static let minute: Duration = .seconds(60)

    /// - Parameter repaired: What it was, in words; each counts for itself.
    mutating func note(_ repaired: [String]) {
        let now = clock.now
        repairs += Set(repaired).map { (now, $0) }
        let last = count(of: Set(repaired))
        // A long pause must not make it forget why.
        let span = Self.minute + .seconds(Self.length(count(of: Set(repairs.map(\.what)))) * 2)
        repairs.removeAll { now - $0.time > span }
        pauseLength = Self.length(last)
    }

    private var pauseLength = 0

    /// How often that has been repaired which has been most often.
    private func count(of repaired: Set<String>) -> Int {
        Dictionary(grouping: repairs.filter { repaired.contains($0.what) }, by: \.what).values.map(\.count).max() ?? 0
    }

    private static func length(_ count: Int) -> Int {
        count < patience ? 0 : min(60, 1 << min(count - patience, 6))
    }

    /// Seconds to stand back; nil when there is no fight, or it rests.
    var pause: Int? { pauseLength > 0 ? pauseLength : nil }
}

extension WatchPace {
    /// Something has happened, although a later look is planned already.
    mutating func lookSooner() {
        let planned = due
        cancel()
        look()
        if let planned, let due, planned < due { look(at: planned) }
    }
}

extension WatchNews: CustomStringConvertible {
    public var description: String {
        switch self {
        case .started: "watching"
        case .repaired(let difference): "repaired \(difference)"
        case .left(let difference): "left as it is: \(difference)"
        case .interfered(let event): "\(event)"
        case .waits(let seconds): "somebody undoes this again and again: waiting \(seconds) s"
        case .failed(let message): "failed: \(message)"
        }
    }
}
