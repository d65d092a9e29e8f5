import CLinux
import SystemPackage

/// Waits for whichever of many files is ready next (epoll(7)).
public struct EventPoll: ~Copyable, Sendable {
    private let descriptor: Descriptor

    /// Something that happened to a file.
    public struct Event: Hashable, Sendable {
        /// What the file was added under.
        public var token: UInt64
        /// `EPOLL*` bits.
        public var bits: UInt32

        public var hasFailed: Bool { bits & EPOLLERR.rawValue != 0 }
    }

    /// The corresponding system call is `epoll_create1`.
    public init() throws(SystemError) {
        let number = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard number >= 0 else { throw SystemError("make event poll", errno: .last) }
        descriptor = Descriptor(owning: number)
    }

    /// Adds a file; closing it takes it out again.
    ///
    /// - Parameters:
    ///   - token: What its events say. Numbers of descriptors come again, so it is none.
    ///   - bits: `EPOLL*` bits.
    /// - Throws: `SystemError`. The corresponding system call is `epoll_ctl`.
    public borrowing func add(_ file: Int32, token: UInt64, _ bits: UInt32) throws(SystemError) {
        var event = unsafe epoll_event(events: bits, data: epoll_data_t(u64: token))
        guard unsafe epoll_ctl(descriptor.rawValue, EPOLL_CTL_ADD, file, &event) == 0 else {
            throw SystemError("add to event poll", "\(file)", errno: .last)
        }
    }

    /// Takes a file out. The corresponding system call is `epoll_ctl`.
    public borrowing func remove(_ file: Int32) { _ = epoll_ctl(descriptor.rawValue, EPOLL_CTL_DEL, file, nil) }

    /// Waits until something happens.
    ///
    /// - Parameter milliseconds: The longest wait; -1 for as long as it takes.
    /// - Returns: What happened; nothing when the time is over. The corresponding system call is `epoll_wait`.
    public borrowing func wait(milliseconds: Int32 = -1) throws(SystemError) -> [Event] {
        var events = unsafe [epoll_event](repeating: epoll_event(), count: 64)
        let count = retryingOnInterrupt {
            unsafe epoll_wait(descriptor.rawValue, &events, Int32(events.count), milliseconds)
        }
        guard count >= 0 else { throw SystemError("wait for events", errno: .last) }
        return unsafe events[..<Int(count)].map { unsafe Event(token: $0.data.u64, bits: $0.events) }
    }
}
