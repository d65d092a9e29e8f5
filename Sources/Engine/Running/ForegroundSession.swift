import CLinux
import ContainerLog
import LinuxSystem
import SystemPackage

/// Carries bytes and signals between the caller and a process in a container until that process ends.
///
/// One loop over poll(2): the process, the signals, both outputs, their readers and, when the container wants it, the
/// input. Nothing in it waits for anything else.
struct ForegroundSession: ~Copyable {
    /// What a process reads and writes, seen from outside: pipes, or the controlling side of its terminal.
    struct Channels: ~Copyable {
        var input: Descriptor?
        var output: Descriptor?
        var error: Descriptor?
        var isTerminal: Bool

        init(input: consuming Descriptor?, output: consuming Descriptor, error: consuming Descriptor) {
            self.input = input
            self.output = .some(output)
            self.error = .some(error)
            isTerminal = false
        }

        init(console: consuming Descriptor, isInteractive: Bool) throws(SystemError) {
            input = isInteractive ? try console.duplicate() : nil
            output = .some(console)
            error = nil
            isTerminal = true
        }
    }

    private let process: ProcessHandle
    private let signals: SignalQueue
    private var channels: Channels
    private var log: LogFile?
    private var callerOutput = CallerOutput(1)
    private var callerError = CallerOutput(2)
    /// Read from the caller and not yet taken by the container.
    private var pending: ArraySlice<UInt8> = []
    private var isCallerOpen: Bool
    private var interrupts = 0
    private var buffer = [UInt8](repeating: 0, count: 65536)

    init(
        _ process: consuming ProcessHandle, signals: consuming SignalQueue, channels: consuming Channels,
        log: consuming LogFile?
    ) {
        self.process = process
        self.signals = signals
        isCallerOpen = channels.input != nil
        self.channels = channels
        self.log = log
        // No end of this process may make it wait for the container: it has a signal to hand on, perhaps.
        Self.makeNonblocking(self.channels.input)
        Self.makeNonblocking(self.channels.output)
        Self.makeNonblocking(self.channels.error)
    }

    /// Runs until the process has ended and all that it wrote has been read and logged. What the caller's readers have
    /// not taken by then is kept for `deliver`.
    ///
    /// - Returns: Its exit code as a shell reports it.
    mutating func run() throws(SystemError) -> Int32 {
        let terminal = CallerTerminal(channels.isTerminal && channels.input != nil ? 0 : -1)
        defer { _ = terminal }
        while true {
            // A stream is read when what was read before has been taken: the container waits for a slow reader, as
            // every program does, and only the container.
            let (readsOutput, readsError) = (callerOutput.isIdle, callerError.isIdle)
            var polled = [
                pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsOutput ? Self.number(channels.output) : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: readsError ? Self.number(channels.error) : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: isCallerOpen && pending.isEmpty ? 0 : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pending.isEmpty ? -1 : Self.number(channels.input), events: Int16(POLLOUT), revents: 0),
                pollfd(fd: readsOutput ? -1 : callerOutput.descriptor, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: readsError ? -1 : callerError.descriptor, events: Int16(POLLOUT), revents: 0),
            ]
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { continue }
            if polled[0].revents != 0 { break }
            if polled[1].revents != 0 { proxySignals() }
            if polled[2].revents != 0 { pump(.output) }
            if polled[3].revents != 0 { pump(.error) }
            if polled[4].revents != 0 { readCaller() }
            if polled[4].revents != 0 || polled[5].revents != 0 { feed() }
            if polled[6].revents != 0 { flush(.output) }
            if polled[7].revents != 0 { flush(.error) }
        }
        drain(.output)
        drain(.error)
        log?.finish()
        return try process.wait()
    }

    /// Waits until the caller's readers have taken everything, or until a signal says that nobody will.
    mutating func deliver() {
        while !callerOutput.isIdle || !callerError.isIdle {
            var polled = [
                pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: callerOutput.isIdle ? -1 : callerOutput.descriptor, events: Int16(POLLOUT), revents: 0),
                pollfd(fd: callerError.isIdle ? -1 : callerError.descriptor, events: Int16(POLLOUT), revents: 0),
            ]
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { continue }
            while let signal = signals.next() { if signal != SIGWINCH && signal != SIGCONT { return } }
            callerOutput.flush()
            callerError.flush()
        }
    }

    private mutating func proxySignals() {
        while let signal = signals.next() {
            if signal == SIGWINCH {
                if channels.isTerminal { CallerTerminal.copySize(from: 0, to: Self.number(channels.output)) }
                continue
            }
            if signal == SIGINT || signal == SIGTERM { interrupts += 1 }
            // The first process of a pid namespace ignores what it has no handler for, so a person who insists is
            // given what docker's client gives: the third time ends it.
            try? process.send(signal: interrupts >= 3 ? SIGKILL : signal)
        }
    }

    /// Hands what the container has written on to the caller and to the log.
    ///
    /// - Returns: How many bytes there were; 0 when there are none now, or none any more.
    @discardableResult
    private mutating func pump(_ stream: LogStream) -> Int {
        let source = number(of: stream)
        guard source >= 0 else { return 0 }
        let count = retryingOnInterrupt { read(source, &buffer, buffer.count) }
        if count < 0 && swn_errno() == EAGAIN { return 0 }
        guard count > 0 else {
            close(stream)
            return 0
        }
        log?.write(buffer[..<count], from: stream)
        if stream == .output { callerOutput.write(buffer[..<count]) } else { callerError.write(buffer[..<count]) }
        closeIfGone(stream)
        return count
    }

    private mutating func flush(_ stream: LogStream) {
        if stream == .output { callerOutput.flush() } else { callerError.flush() }
        closeIfGone(stream)
    }

    /// The caller's reader has gone: the container gets to know it the way every program does. A terminal stays.
    private mutating func closeIfGone(_ stream: LogStream) {
        let isGone = stream == .output ? callerOutput.isGone : callerError.isGone
        if isGone && !channels.isTerminal { close(stream) }
    }

    /// Takes what the process has written before its end, and no more: others may still hold the other end of a pipe
    /// and write on, such as what a command of `exec` left behind.
    private mutating func drain(_ stream: LogStream) {
        var rest: Int32 = 0
        let source = number(of: stream)
        guard source >= 0 else { return }
        // A terminal does not say how much there is; its buffers are far smaller than this.
        if channels.isTerminal || swn_ioctl_pointer(source, UInt(FIONREAD), &rest) != 0 { rest = 1 << 20 }
        while rest > 0 {
            let count = pump(stream)
            if count == 0 { return }
            rest -= Int32(count)
        }
    }

    private mutating func close(_ stream: LogStream) {
        if stream == .output { channels.output = nil } else { channels.error = nil }
    }

    private mutating func readCaller() {
        let count = retryingOnInterrupt { read(0, &buffer, buffer.count) }
        if count > 0 {
            pending = ArraySlice(Array(buffer[..<count]))
        } else if count == 0 || swn_errno() != EAGAIN {
            isCallerOpen = false
            if !channels.isTerminal { channels.input = nil }
        }
    }

    private mutating func feed() {
        let target = Self.number(channels.input)
        guard target >= 0, !pending.isEmpty else { return }
        let count = pending.withUnsafeBytes { bytes in
            retryingOnInterrupt { CLinux.write(target, bytes.baseAddress, bytes.count) }
        }
        if count >= 0 {
            pending = pending.dropFirst(count)
        } else if swn_errno() != EAGAIN {
            pending = []
            isCallerOpen = false
            channels.input = nil
        }
    }

    private func number(of stream: LogStream) -> Int32 {
        if stream == .output { return Self.number(channels.output) }
        return Self.number(channels.error)
    }

    private static func number(_ descriptor: borrowing Descriptor?) -> Int32 {
        switch descriptor {
        case .some(let descriptor): descriptor.rawValue
        case .none: -1
        }
    }

    private static func makeNonblocking(_ descriptor: borrowing Descriptor?) {
        let number = number(descriptor)
        if number >= 0 { _ = swn_fcntl(number, F_SETFL, O_RDWR | O_NONBLOCK) }
    }
}
