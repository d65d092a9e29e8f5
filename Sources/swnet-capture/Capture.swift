import CLinux
import CPcap
import CommandSupport
import JSONCoding
import LinuxSystem
import SystemPackage

/// A recording, from the first packet to the last.
final class Capture {
    private let options: CaptureOptions
    private let interfaces: [CaptureInterface]
    private let output: CaptureOutput
    private var isOpen: [Bool]
    private var count = 0
    /// Packets that are not put out yet, since an older one may still come from another interface.
    private var held: [(packet: CaptureInterface.Packet, interface: Int)] = []

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
                let timeouts = interfaces.indices.map { isOpen[$0] ? interfaces[$0].pollTimeout : nil }
                let patience = (timeouts + [held.isEmpty ? nil : Self.patience]).compactMap(\.self).min() ?? -1
                let start = Self.now
                guard poll(&waiting, nfds_t(waiting.count), patience) >= 0 else { continue }
                if signals.next() != nil || Int32(waiting[interfaces.count + 1].revents) & POLLERR != 0 { break }
                for index in interfaces.indices where waiting[index].revents != 0 || timeouts[index] != nil {
                    take(from: index)
                }
                putOut(until: start)
                try output.flush()
            }
            putOut(until: .max)
            try output.finish()
        } catch let error as SystemError where error.errno == .brokenPipe {
            // Whoever reads has seen enough.
        }
        let dropped = interfaces.reduce(0) { $0 + $1.statistics.dropped }
        Output.errorLine("\(count) packet\(count == 1 ? "" : "s")" + (dropped > 0 ? ", \(dropped) were lost" : ""))
        return .success
    }

    /// How many milliseconds a packet is held at least. One that came before has been seen by then on every interface.
    private static let patience: Int32 = 5

    private static var now: Int {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return now.tv_sec * 1_000_000_000 + now.tv_nsec
    }

    /// Puts out what came in time, in the order of time.
    ///
    /// - Parameter moment: When every interface was known to be read; the end of time for all.
    private func putOut(until moment: Int) {
        let limit = moment == .max ? moment : moment - Int(Self.patience) * 1_000_000
        let isDue = { (packet: CaptureInterface.Packet) in packet.moment <= limit }
        for (packet, index) in held.filter({ isDue($0.packet) }).sorted(by: { $0.packet.moment < $1.packet.moment }) {
            output.add(packet, from: index)
        }
        held.removeAll { isDue($0.packet) }
    }

    private var isDone: Bool { options.count > 0 && count >= options.count || !isOpen.contains(true) }

    /// What is there now, at most as much as makes a good write.
    private func take(from index: Int) {
        for _ in 0..<256 where !isDone {
            switch interfaces[index].next() {
            case .packet(let packet):
                if interfaces.count > 1 {
                    held.append((packet, index))
                } else {
                    output.add(packet, from: index)
                }
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
