import CLinux
import CPcap
import CommandSupport
import LinuxSystem
import SystemPackage

/// A recording, from the first packet to the last.
final class Capture {
    private let options: CaptureOptions
    private let interfaces: [CaptureInterface]
    private let output: CaptureOutput
    private var isOpen: [Bool]
    private var count = 0

    init(_ options: CaptureOptions, _ interfaces: [CaptureInterface], _ output: CaptureOutput) {
        self.options = options
        self.interfaces = interfaces
        self.output = output
        isOpen = interfaces.map { _ in true }
    }

    /// Records until as many packets are there as were asked for, a signal comes, every interface has gone, or nobody
    /// reads any more: none of that is a failure.
    func run(until signals: borrowing SignalDescriptor) throws -> ExitStatus {
        do {
            Output.errorLine("capturing on \(interfaces.map(\.name).joined(separator: ", ").printable)")
            while !isDone {
                var waiting = zip(interfaces, isOpen).map { interface, isOpen in
                    pollfd(fd: isOpen ? interface.pollDescriptor : -1, events: Int16(POLLIN), revents: 0)
                }
                waiting.append(pollfd(fd: signals.descriptor.rawValue, events: Int16(POLLIN), revents: 0))
                // Nothing is asked for: only that a pipe has lost its reader.
                waiting.append(pollfd(fd: 1, events: 0, revents: 0))
                guard poll(&waiting, nfds_t(waiting.count), -1) > 0 else { continue }
                if signals.next() != nil || Int32(waiting[interfaces.count + 1].revents) & POLLERR != 0 { break }
                for index in interfaces.indices where waiting[index].revents != 0 { take(from: index) }
                try output.flush()
            }
            try output.finish()
        } catch let error as SystemError where error.errno == .brokenPipe {
            // Whoever reads has seen enough.
        }
        let dropped = interfaces.reduce(0) { $0 + $1.statistics.dropped }
        Output.errorLine("\(count) packet\(count == 1 ? "" : "s")" + (dropped > 0 ? ", \(dropped) were lost" : ""))
        return .success
    }

    private var isDone: Bool { options.count > 0 && count >= options.count || !isOpen.contains(true) }

    /// What is there now, at most as much as makes a good write.
    private func take(from index: Int) {
        for _ in 0..<256 where !isDone {
            switch interfaces[index].next() {
            case .packet(let packet):
                output.add(packet, from: index)
                count += 1
            case .nothing: return
            case .end(let words):
                isOpen[index] = false
                program.warn("\(interfaces[index].name): \(words)")
                return
            }
        }
    }
}
