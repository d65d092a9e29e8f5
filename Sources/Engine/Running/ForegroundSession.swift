import CLinux
import ContainerLog
import LinuxSystem
import SystemPackage

/// Carries bytes and signals between the caller and a process in a container until that process ends.
///
/// One loop over poll(2): the process, the signals, both outputs and, when the container wants it, the input.
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

    /// Runs until the process has ended and all that it wrote has been handed on.
    ///
    /// - Returns: Its exit code as a shell reports it.
    mutating func run() throws(SystemError) -> Int32 {
        let terminal = CallerTerminal(channels.isTerminal && channels.input != nil ? 0 : -1)
        defer { _ = terminal }
        while true {
            var polled = [
                pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: Self.number(channels.output), events: Int16(POLLIN), revents: 0),
                pollfd(fd: Self.number(channels.error), events: Int16(POLLIN), revents: 0),
                pollfd(fd: isCallerOpen && pending.isEmpty ? 0 : -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: pending.isEmpty ? -1 : Self.number(channels.input), events: Int16(POLLOUT), revents: 0),
            ]
            guard poll(&polled, nfds_t(polled.count), -1) >= 0 else { continue }
            let hasEnded = polled[0].revents != 0
            if polled[1].revents != 0 { proxySignals() }
            if hasEnded || polled[2].revents != 0 { pump(.output, untilEmpty: hasEnded) }
            if hasEnded || polled[3].revents != 0 { pump(.error, untilEmpty: hasEnded) }
            if hasEnded { break }
            if polled[4].revents != 0 { readCaller() }
            if polled[4].revents != 0 || polled[5].revents != 0 { feed() }
        }
        log?.finish()
        return try process.wait()
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

    /// Hands the container's output on to the caller and to the log.
    private mutating func pump(_ stream: LogStream, untilEmpty: Bool) {
        repeat {
            let source = number(of: stream)
            guard source >= 0 else { return }
            let count = retryingOnInterrupt { read(source, &buffer, buffer.count) }
            if count < 0 && swn_errno() == EAGAIN { return }
            guard count > 0 else {
                close(stream)
                return
            }
            log?.write(buffer[..<count], from: stream)
            let isTaken = Self.write(buffer[..<count], to: stream == .output ? 1 : 2)
            // The caller's reader has gone: the container gets to know it the way every program does.
            if !isTaken && !channels.isTerminal { close(stream) }
        } while untilEmpty
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

    private static func write(_ bytes: ArraySlice<UInt8>, to descriptor: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let count = retryingOnInterrupt {
                    CLinux.write(descriptor, bytes.baseAddress.map { $0 + offset }, bytes.count - offset)
                }
                if count >= 0 {
                    offset += count
                } else if swn_errno() == EAGAIN {
                    var ready = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    poll(&ready, 1, -1)
                } else {
                    return false
                }
            }
            return true
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
