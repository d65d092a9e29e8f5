import CLinux
import CPcap
import CommandSupport
import JSONCoding
import LinuxSystem
import PacketCapture

/// Where packets go: a pcapng file, or lines of words on standard output.
final class CaptureOutput {
    /// nil for lines on standard output.
    private let file: Descriptor?
    private let interfaces: [CaptureInterface]
    /// Blocks that are not written yet.
    private var pending: [UInt8] = []

    /// The number of `file`, or of standard output.
    private let number: Int32
    private let isFile: Bool

    init(_ options: CaptureOptions, _ interfaces: [CaptureInterface]) throws {
        self.interfaces = interfaces
        isFile = options.file != nil
        switch options.file {
        case nil:
            number = 1
            file = nil
        case "-":
            guard !Terminal.isTerminal(1) else {
                throw CommandFailure("packets are not for a terminal (-w FILE, or into a pipe)", status: .usage)
            }
            number = 1
            file = nil
        case let path?:
            let opened = try Descriptor.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, mode: 0o600)
            number = opened.rawValue
            file = consume opened
        }
        guard isFile else { return }
        pending += PcapngBlock.sectionHeader(application: "swnet capture").bytes
        for interface in interfaces {
            pending +=
                PcapngBlock.interface(
                    name: interface.name, description: interface.description,
                    linkType: UInt16(clamping: interface.linkType),
                    snapshotLength: UInt32(clamping: options.snapshotLength), filter: options.filter
                ).bytes
        }
        try flush()
    }

    func add(_ packet: CaptureInterface.Packet, from index: Int) {
        let nanoseconds = UInt64(clamping: packet.seconds) &* 1_000_000_000 &+ UInt64(clamping: packet.nanoseconds)
        if isFile {
            pending +=
                PcapngBlock.packet(
                    interface: UInt32(index), nanoseconds: nanoseconds, data: packet.bytes,
                    length: UInt32(clamping: packet.length)
                ).bytes
            return
        }
        let summary = PacketSummary(packet.bytes, interfaces[index].layer, length: packet.length)
        let name = interfaces.count > 1 ? "\(interfaces[index].name) " : ""
        pending += Array("\(Self.clock(packet)) \(name)\(Terminal.shown("\(summary)".printable))\n".utf8)
    }

    /// What is known of the interfaces at the end.
    func finish() throws {
        if isFile {
            var now = timespec()
            clock_gettime(CLOCK_REALTIME, &now)
            for (index, interface) in interfaces.enumerated() {
                let (received, dropped) = interface.statistics
                pending +=
                    PcapngBlock.statistics(
                        interface: UInt32(index),
                        nanoseconds: UInt64(clamping: now.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: now.tv_nsec),
                        received: received, dropped: dropped
                    ).bytes
            }
        }
        try flush()
    }

    /// Writes everything that came together in one call.
    func flush() throws {
        if pending.isEmpty { return }
        defer { pending = [] }
        var offset = 0
        while offset < pending.count {
            let count = pending.withUnsafeBytes { buffer in
                retryingOnInterrupt { write(number, buffer.baseAddress.map { $0 + offset }, buffer.count - offset) }
            }
            guard count >= 0 else { throw SystemError("write", "packets", errno: .last) }
            offset += count
        }
    }

    /// Local time, as people look for it: `16:04:05.123456`.
    private static func clock(_ packet: CaptureInterface.Packet) -> String {
        var seconds = time_t(packet.seconds)
        var parts = tm()
        localtime_r(&seconds, &parts)
        func digits(_ number: Int, _ width: Int) -> String {
            let text = String(number)
            return String(repeating: "0", count: max(0, width - text.count)) + text
        }
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }.joined(separator: ":")
        return clock + "." + digits(packet.nanoseconds / 1000, 6)
    }
}
