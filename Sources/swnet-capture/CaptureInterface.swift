import CLinux
import CPcap
import CommandSupport
import PacketCapture

/// One interface that packets are taken from.
final class CaptureInterface {
    /// What it is called in the recording.
    let name: String
    let description: String
    private let handle: OpaquePointer
    private let program: UnsafeMutablePointer<bpf_program>
    /// `LINKTYPE_*`: for the interfaces of Linux that there are here, the same number as libpcap's `DLT_*`.
    let linkType: Int32

    /// Room for packets that are not read yet, in bytes.
    private static let bufferSize: Int32 = 8 << 20

    /// Opens the interface of the calling thread's network namespace. One of the host's is in promiscuous mode: then a
    /// bridge shows what passes between its ports. One in a sandbox shows what is the sandbox's.
    ///
    /// - Throws: `CommandFailure` in libpcap's words; a filter that is wrong is a wrong command line.
    init(_ interface: CaptureOptions.Interface, _ options: CaptureOptions) throws(CommandFailure) {
        name = interface.label
        description = interface.description
        var errors = [CChar](repeating: 0, count: Int(PCAP_ERRBUF_SIZE))
        guard let handle = pcap_create(interface.name, &errors) else {
            throw CommandFailure("capture on \(name): \(Self.text(errors))")
        }
        self.handle = handle
        program = UnsafeMutablePointer<bpf_program>.allocate(capacity: 1)
        program.initialize(to: bpf_program())
        pcap_set_snaplen(handle, Int32(clamping: options.snapshotLength))
        pcap_set_promisc(handle, interface.namespace == nil ? 1 : 0)
        pcap_set_immediate_mode(handle, 1)
        pcap_set_buffer_size(handle, Self.bufferSize)
        pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO)
        let status = pcap_activate(handle)
        linkType = status < 0 ? 0 : pcap_datalink(handle)
        guard status >= 0 else {
            let detail = Self.words(handle)
            let kind = String(cString: pcap_statustostr(status))
            throw CommandFailure("capture on \(name): \(detail.isEmpty ? kind : detail)")
        }
        guard pcap_setnonblock(handle, 1, &errors) == 0 else {
            throw CommandFailure("capture on \(name): \(Self.text(errors))")
        }
        guard pcap_compile(handle, program, options.filter, 1, PCAP_NETMASK_UNKNOWN) == 0 else {
            throw CommandFailure("filter '\(options.filter)': \(Self.words(handle))", status: .usage)
        }
        guard pcap_setfilter(handle, program) == 0 else {
            throw CommandFailure("filter '\(options.filter)' on \(name): \(Self.words(handle))")
        }
    }

    deinit {
        pcap_freecode(program)
        program.deallocate()
        pcap_close(handle)
    }

    private static func text(_ bytes: [CChar]) -> String {
        String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    private static func words(_ handle: OpaquePointer) -> String { String(cString: pcap_geterr(handle)) }

    var pollDescriptor: Int32 { pcap_get_selectable_fd(handle) }

    /// How many milliseconds after which it wants to be asked again whatever `poll` says; nil for as many as it takes.
    /// libpcap looks in this way whether an interface that went down has gone.
    var pollTimeout: Int32? {
        guard let timeout = pcap_get_required_select_timeout(handle) else { return nil }
        return Int32(clamping: timeout.pointee.tv_sec * 1000 + max(1, timeout.pointee.tv_usec / 1000))
    }

    /// DLT_EN10MB of pcap/dlt.h is 1.
    var layer: PacketSummary.LinkLayer { linkType == 1 ? .ethernet : .raw }

    struct Packet {
        var seconds: Int
        var nanoseconds: Int
        var bytes: [UInt8]
        /// On the wire.
        var length: Int

        /// Nanoseconds since 1970, UTC.
        var moment: Int { seconds * 1_000_000_000 + nanoseconds }
    }

    enum Answer {
        case packet(Packet)
        case nothing
        /// It is gone, or down.
        case end(String)
    }

    /// The next packet. It never waits.
    func next() -> Answer {
        var header: UnsafeMutablePointer<pcap_pkthdr>?
        var data: UnsafePointer<UInt8>?
        switch pcap_next_ex(handle, &header, &data) {
        case 1:
            guard let header = header?.pointee, let data else { return .nothing }
            return .packet(
                Packet(
                    seconds: Int(header.ts.tv_sec), nanoseconds: Int(header.ts.tv_usec),
                    bytes: Array(UnsafeBufferPointer(start: data, count: Int(header.caplen))), length: Int(header.len)))
        case 0: return .nothing
        default: return .end(Self.words(handle))
        }
    }

    /// Packets that passed the filter, and those that there was no room for.
    var statistics: (received: UInt64, dropped: UInt64) {
        var numbers = pcap_stat()
        guard pcap_stats(handle, &numbers) == 0 else { return (0, 0) }
        return (UInt64(numbers.ps_recv), UInt64(numbers.ps_drop))
    }
}
