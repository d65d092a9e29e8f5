import CLinux

/// Stays with a detached container: keeps its log, waits for its end, and then becomes `swbox` again to clean up.
///
/// The arguments are what `swbox run -d` has open and hands on through exec:
/// `swbox-monitor PIDFD OUT ERR LOG PROGRAM ARGUMENT…`, descriptors in decimal; OUT is the terminal's master when there
/// is a terminal, and ERR is -1 then. At the end PROGRAM, a descriptor of swbox's binary, is executed with the
/// arguments and the exit status appended. Nothing is looked up by path or name, so a container outlives upgrades.
@main struct Monitor {
    static func main() {
        var arguments = Arguments()
        guard arguments.count >= 6, let pidfd = arguments.number(1), let output = arguments.number(2),
            let error = arguments.number(3), let log = arguments.number(4), let program = arguments.number(5)
        else {
            write("swbox-monitor: swbox starts this program; it is of no use by itself\n")
            _exit(64)
        }
        var monitor = Monitor(pidfd: pidfd, sources: [output, error], writer: LogWriter(file: log))
        monitor.run()
        arguments.execute(program: program, from: 6, appending: monitor.status)
        write("swbox-monitor: cannot execute swbox again\n")
        _exit(125)
    }

    private let pidfd: Int32
    /// The pipes of the two streams; -1 where there is none any more.
    private var sources: [Int32]
    private var writer: LogWriter
    private var status: Int32 = 0

    /// Copies until the container's first process ends. Its pid namespace ends with it, so that whatever it has
    /// written is in the pipes by then.
    private mutating func run() {
        var buffer = [UInt8](repeating: 0, count: 16384)
        for source in sources where source >= 0 { _ = swn_fcntl(source, F_SETFL, O_NONBLOCK) }
        while true {
            var polled = [pollfd(fd: pidfd, events: Int16(POLLIN), revents: 0)]
            for source in sources { polled.append(pollfd(fd: source, events: Int16(POLLIN), revents: 0)) }
            if poll(&polled, 3, -1) < 0 { continue }
            let hasEnded = polled[0].revents != 0
            for index in 0...1 where sources[index] >= 0 && (hasEnded || polled[index + 1].revents != 0) {
                copy(index, &buffer, untilEmpty: hasEnded)
            }
            if hasEnded { break }
        }
        writer.finish()
        if swn_pidfd_wait(pidfd, 0, &status) != 1 { status = 255 }
    }

    private mutating func copy(_ index: Int, _ buffer: inout [UInt8], untilEmpty: Bool) {
        repeat {
            let count = read(sources[index], &buffer, buffer.count)
            if count < 0 && swn_errno() == EINTR { continue }
            if count < 0 && swn_errno() == EAGAIN { return }
            // EIO is the end of a terminal whose last user has gone.
            if count <= 0 {
                close(sources[index])
                sources[index] = -1
                return
            }
            writer.write(buffer[..<count], from: index == 0 ? .output : .error)
        } while untilEmpty
    }

    private static func write(_ text: StaticString) { _ = CLinux.write(2, text.utf8Start, text.utf8CodeUnitCount) }
}
