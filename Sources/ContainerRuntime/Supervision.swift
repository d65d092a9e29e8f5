import CLinux
public import LinuxSystem
import SystemPackage

/// The launcher's part while a container runs in the foreground: signals go to the container, its status comes back,
/// and what is typed at the terminal goes to the container's.
///
/// Begin it before the container is launched, so that no signal is lost between; the child starts without the
/// blocked signals. Dropped, it unblocks them.
public struct Supervision: ~Copyable {
    private let signals: SignalDescriptor

    /// The corresponding system call is `signalfd`.
    public init() throws(SystemError) {
        signals = try SignalDescriptor(forwarding: true)
    }

    /// Waits for the end of the container.
    ///
    /// - Returns: Its exit status as a shell reports it: 0 to 255, 128+n when signal n ended it.
    public consuming func run(_ container: consuming StartedContainer) throws(SystemError) -> Int32 {
        try run(container, notify: nil)
    }

    /// - Parameters:
    ///   - notify: Where its program says that it is ready.
    ///   - leavingOpen: Whether what is open from then on is closed by the end of this process, which is near.
    consuming func run(
        _ container: consuming StartedContainer, notify: NotifySocket?, leavingOpen: Bool = false
    ) throws(SystemError) -> Int32 {
        var relay: TerminalRelay?
        if let console = container.console.take() { relay = try TerminalRelay(owning: console) }
        let process = container.release()
        while true {
            var events = [
                pollfd(fd: process.pidfd.rawValue, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0),
            ]
            let relayed = relay?.events ?? []
            events += relayed + (notify.map { [$0.event] } ?? [])
            guard retryingOnInterrupt({ unsafe poll(&events, nfds_t(events.count), -1) }) >= 0 else {
                throw SystemError("poll", errno: .last)
            }
            while events[1].revents != 0, let number = signals.next() {
                // A container that has just ended needs no signal any more.
                if number == SIGWINCH, relay != nil { relay?.copySize() } else { try? process.send(signal: number) }
            }
            relay?.copy(Array(events.dropFirst(2).prefix(relayed.count)))
            if let notify, events.last?.revents != 0 { _ = notify.passOn(process: nil) }
            if events[0].revents != 0 { break }
        }
        let status = try process.wait()
        relay?.drain()
        if leavingOpen { swn_leave_descriptors_open(1) }
        return status
    }
}
