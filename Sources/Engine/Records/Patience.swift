import CLinux

/// Waits in growing steps for what somebody else does. Success never depends on how long that may take; only giving up
/// does.
struct Patience {
    private let end: Int
    private var pause: UInt32 = 200

    init(seconds: Int) { end = Self.now() + seconds * 1_000 }

    /// Sleeps for a moment; false when the time is over.
    mutating func wait() -> Bool {
        if Self.now() >= end { return false }
        usleep(pause)
        pause = min(pause * 2, 10_000)
        return true
    }

    /// Milliseconds of a clock that nobody sets.
    private static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1_000 + time.tv_nsec / 1_000_000
    }
}
