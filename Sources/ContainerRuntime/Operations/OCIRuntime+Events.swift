import CLinux
import Cgroups
import LinuxSystem
import SystemPackage

/// What happens in a container that somebody watches.
public enum ContainerEvent: Sendable {
    case statistics(ContainerStatistics)
    /// The kernel has killed a process, or stopped one, because the container's memory is used up.
    case outOfMemory
}

extension OCIRuntime {
    /// Tells what a container uses, at once and in intervals, and when its memory is used up, until it ends.
    ///
    /// - Parameter interval: In milliseconds.
    /// - Throws: `ContainerError` for a container that has ended already; what `report` throws.
    public func watch(
        _ identifier: String, interval: Int, report: (ContainerEvent) throws -> Void
    ) throws {
        let container = try store.open(identifier)
        let record = try container.record()
        let process = try container.process(of: record)
        guard let cgroup = try record.cgroup, cgroup.exists else {
            throw ContainerError(.failed, "a container without a cgroup has no statistics")
        }
        let group = ResctrlGroup.of(container)
        var memory = try OutOfMemoryWatch(cgroup)
        var next = Self.now
        while true {
            if Self.now >= next {
                // It may be gone by now.
                if let statistics = try? cgroup.statistics() {
                    try report(.statistics(ContainerStatistics(statistics, group)))
                }
                next = max(next + interval, Self.now)
            }
            var events = [pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0)]
            if let event = memory?.event { events.append(event) }
            let timeout = Int32(clamping: max(0, next - Self.now))
            guard retryingOnInterrupt({ unsafe poll(&events, nfds_t(events.count), timeout) }) >= 0 else {
                throw SystemError("poll", errno: .last)
            }
            if events.count > 1, events[1].revents != 0, try memory?.check() == true { try report(.outOfMemory) }
            if events[0].revents != 0 { return }
        }
    }

    /// Milliseconds of a clock that nobody sets.
    private static var now: Int {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }
}
