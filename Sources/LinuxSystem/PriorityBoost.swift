import CLinux

/// A time in which the calling thread runs before others, because others wait for what it holds.
///
/// Who has a lock and is kept from running by those who are on their way to it makes all of them wait. Processes that are
/// started meanwhile do not inherit it (`SCHED_FLAG_RESET_ON_FORK`). Without CAP_SYS_NICE, and for a thread with another
/// policy than the usual one, nothing is changed. Source: sched(7).
public struct PriorityBoost: ~Copyable, Sendable {
    /// The nice value to return to; nil when nothing was changed.
    private let former: Int32?

    /// Takes the highest of the usual priorities. The corresponding commands are `renice -n -20` and
    /// `chrt --reset-on-fork --other`.
    public init() {
        // It has no errors for the caller itself, so that -1 is a value (getpriority(2)).
        let nice = getpriority(PRIO_PROCESS, 0)
        guard sched_getscheduler(0) == SCHED_OTHER,
            swn_sched_setattr(UInt32(SCHED_OTHER), Self.resetOnFork, -20, 0, 0, 0, 0) == 0
        else {
            former = nil
            return
        }
        former = nice
    }

    deinit {
        if let former { _ = swn_sched_setattr(UInt32(SCHED_OTHER), 0, former, 0, 0, 0, 0) }
    }

    /// `SCHED_FLAG_RESET_ON_FORK` (include/uapi/linux/sched.h).
    private static let resetOnFork: UInt64 = 1
}
