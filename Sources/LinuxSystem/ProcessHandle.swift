import CLinux
import SystemPackage

/// A process that cannot be mistaken for another that got its number later.
public struct ProcessHandle: ~Copyable, Sendable {
    public let pidfd: Descriptor
    public let processIdentifier: Int32

    public init(owning pidfd: consuming Descriptor, processIdentifier: Int32) {
        self.pidfd = pidfd
        self.processIdentifier = processIdentifier
    }

    /// Opens a running process. The corresponding system call is `pidfd_open`.
    public init(processIdentifier: Int32) throws(SystemError) {
        let number = swn_pidfd_open(processIdentifier, 0)
        guard number >= 0 else { throw SystemError("open process", "\(processIdentifier)", errno: .last) }
        self.init(owning: Descriptor(owning: number), processIdentifier: processIdentifier)
    }

    /// Sends a signal; a process that has ended is ESRCH. The corresponding system call is `pidfd_send_signal`.
    public borrowing func send(signal: Int32) throws(SystemError) {
        guard swn_pidfd_send_signal(pidfd.rawValue, signal, 0) == 0 else {
            throw SystemError("send signal \(signal) to process", "\(processIdentifier)", errno: .last)
        }
    }

    /// Ends the process, and returns when it has ended: then it has no descriptors any more. One that has is fine.
    ///
    /// - Throws: `SystemError`; EBUSY when the kernel keeps it for longer than some seconds.
    public borrowing func end() throws(SystemError) {
        do throws(SystemError) {
            try send(signal: SIGKILL)
        } catch {
            guard error.errno == .noSuchProcess else { throw error }
        }
        var events = pollfd(fd: pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        guard retryingOnInterrupt({ unsafe poll(&events, 1, 10_000) }) == 1 else {
            throw SystemError("end process", "\(processIdentifier)", errno: .resourceBusy)
        }
    }

    /// Waits for a child of ours and returns its status as a shell reports it: 0 to 255, 128+n for signal n.
    public borrowing func wait() throws(SystemError) -> Int32 {
        var status: Int32 = 0
        guard unsafe swn_pidfd_wait(pidfd.rawValue, 0, &status) == 1 else {
            throw SystemError("wait for process", "\(processIdentifier)", errno: .last)
        }
        return status
    }

    /// The number of the process that a pidfd is about; nil when it is gone, or cannot be seen from here.
    /// The corresponding file is /proc/self/fdinfo/N (pidfd_open(2)).
    public static func number(of pidfd: borrowing Descriptor) -> Int32? {
        guard let bytes = try? Descriptor.open("/proc/self/fdinfo/\(pidfd.rawValue)").readAll(limit: 4096) else {
            return nil
        }
        let line = bytes.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Pid:".utf8) }
        let text = line.map { String(decoding: $0.dropFirst(4), as: UTF8.self).filter { $0 != "\t" && $0 != " " } }
        return text.flatMap { Int32($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// When a process started, in clock ticks since boot (field 22 of `/proc/PID/stat`, proc(5)); nil when it is gone.
    ///
    /// With the boot id this names a process for ever, although its number is reused.
    public static func startTime(of processIdentifier: Int32) -> UInt64? {
        facts(of: processIdentifier)?.startTime
    }

    /// The same, and whether the process has ended and only waits to be reaped, or was stopped (`T`, and `t` by a
    /// debugger); nil when it is gone.
    public static func facts(
        of processIdentifier: Int32
    ) -> (startTime: UInt64, hasEnded: Bool, isStopped: Bool)? {
        guard let file = try? Descriptor.open("/proc/\(Int(processIdentifier))/stat"),
            let bytes = try? file.readRecord(limit: 4096),
            // The second field is the command's name in parentheses and may hold anything, so count from its end.
            let end = bytes.lastIndex(of: UInt8(ascii: ")"))
        else { return nil }
        let fields = bytes[(end + 1)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 19, let start = UInt64(String(decoding: fields[19], as: UTF8.self)) else { return nil }
        let state = fields[0].first
        return (
            start, state == UInt8(ascii: "Z") || state == UInt8(ascii: "X"),
            state == UInt8(ascii: "T") || state == UInt8(ascii: "t")
        )
    }
}

/// Facts about this boot of this machine.
public enum Boot {
    /// The random id of this boot (`/proc/sys/kernel/random/boot_id`); what carries another died with its boot.
    public static func identifier() throws(SystemError) -> String {
        let bytes = try Descriptor.open("/proc/sys/kernel/random/boot_id").readAll(limit: 64)
        return String(decoding: bytes.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }
}
