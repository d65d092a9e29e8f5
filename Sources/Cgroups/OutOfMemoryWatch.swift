public import CLinux
import LinuxSystem
import SystemPackage

/// Waits for the kernel to kill a process of a cgroup because its memory is used up.
public struct OutOfMemoryWatch: ~Copyable {
    private let cgroup: Cgroup
    /// v1's eventfd, or v2's `memory.events`.
    private let file: Descriptor
    private let isVersion1: Bool
    private var kills: UInt64

    /// Nil for a cgroup whose memory nobody accounts for.
    ///
    /// - Throws: `CgroupError`. Equivalent to a poll of `memory.events`, or on v1 to writing an eventfd's and
    ///   `memory.oom_control`'s number into `cgroup.event_control`.
    public init?(_ cgroup: Cgroup) throws(CgroupError) {
        guard let directory = cgroup.directory(of: .memory), directory.exists else { return nil }
        let isVersion1 = cgroup.root.hierarchy(of: .memory) != nil
        let kills = try cgroup.outOfMemoryKills()
        file = try Self.open(directory, isVersion1)
        self.cgroup = cgroup
        self.isVersion1 = isVersion1
        self.kills = kills
    }

    private static func open(_ directory: CgroupDirectory, _ isVersion1: Bool) throws(CgroupError) -> Descriptor {
        let name = isVersion1 ? "memory.oom_control" : "memory.events"
        do throws(SystemError) {
            let control = try Descriptor.open("\(directory.path)/\(name)")
            guard isVersion1 else { return control }
            let number = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
            guard number >= 0 else { throw SystemError("make event descriptor", errno: .last) }
            let event = Descriptor(owning: number)
            try Descriptor.open("\(directory.path)/cgroup.event_control", O_WRONLY)
                .write(text: "\(number) \(control.rawValue)")
            return event
        } catch {
            throw CgroupError("watch \(name)", directory.name, error)
        }
    }

    /// What to poll for.
    public var event: pollfd {
        pollfd(fd: file.rawValue, events: Int16(isVersion1 ? POLLIN : POLLPRI), revents: 0)
    }

    /// Whether memory was used up since the last time, to be asked when `poll` has found something.
    public mutating func check() throws(CgroupError) -> Bool {
        if isVersion1 {
            var count: UInt64 = 0
            guard read(file.rawValue, &count, 8) == 8 else { return false }
            // The end of the cgroup is an event too.
            return cgroup.directory(of: .memory)?.exists ?? false
        }
        let now = try cgroup.outOfMemoryKills()
        defer { kills = now }
        return now > kills
    }
}
