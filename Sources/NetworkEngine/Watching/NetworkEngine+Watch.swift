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
            if news.hasLinks || news.isLost || !news.interference.isEmpty { pace.lookSooner() }
            guard pace.isDue else { continue }
            pace.begin()
            var messages: [WatchNews] = []
            do {
                let (repaired, left) = try repair()
                messages += repaired.map(WatchNews.repaired) + left.filter { !told.contains($0) }.map(WatchNews.left)
                told = left
                fight.note(repaired.count)
            } catch {
                messages.append(.failed("\(error)"))
                fight.note(1)
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
    private var repairs: [ContinuousClock.Instant] = []

    /// So many repairs in a minute are no accident.
    private static let patience = 5
    private static let minute: Duration = .seconds(60)

    mutating func note(_ count: Int) {
        let now = clock.now
        if count > 0 { repairs.append(now) }
        // A long pause must not make it forget why.
        let span = Self.minute + .seconds(pauseLength * 2)
        repairs.removeAll { now - $0 > span }
        isNew = count > 0
    }

    private var isNew = false
    private var pauseLength: Int {
        repairs.count < Self.patience ? 0 : min(60, 1 << min(repairs.count - Self.patience, 6))
    }

    /// Seconds to stand back; nil when there is no fight, or it rests.
    var pause: Int? { isNew && pauseLength > 0 ? pauseLength : nil }
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
