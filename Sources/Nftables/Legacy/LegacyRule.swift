import Addressing
import CLinux

/// A rule that accepts packets, for a table of the old packet filter.
public struct LegacyRule: Hashable, Sendable {
    /// What the name of the interface begins with that a packet came in by; nil for any.
    public var input: String?
    /// That it leaves by.
    public var output: String?
    /// What it is for; nil for any.
    public var transport: InternetProtocol?
    /// The port that it is for: of UDP or TCP.
    public var port: UInt16?
    /// At most 255 bytes.
    public var comment: String

    public init(
        input: String? = nil, output: String? = nil, transport: InternetProtocol? = nil, port: UInt16? = nil,
        comment: String
    ) {
        self.input = input
        self.output = output
        self.transport = transport
        self.port = port
        self.comment = comment
    }

    /// As `iptables-legacy` takes it: `-i sw-+ -p udp --dport 53 -j ACCEPT`.
    public var arguments: String {
        var words: [String] = []
        if let input { words.append("-i \(input)+") }
        if let output { words.append("-o \(output)+") }
        if let transport { words.append("-p \(transport)") }
        if let port { words.append("--dport \(port)") }
        return (words + ["-j ACCEPT"]).joined(separator: " ")
    }

    /// As the kernel has it, without its comment.
    func plain(_ family: IPFamily) -> LegacyEntry { entry(family, matches: serviceMatch.map { [$0] } ?? []) }

    /// As the kernel takes it.
    func entry(_ family: IPFamily) -> LegacyEntry {
        var data = [UInt8](repeating: 0, count: MemoryLayout<xt_comment_info>.size)
        data.put(comment, in: 0..<data.count)
        return entry(
            family, matches: (serviceMatch.map { [$0] } ?? []) + [Self.extensionBytes(LegacyEntry.comment, data)])
    }

    private var serviceMatch: [UInt8]? {
        guard let port else { return nil }
        // Both kinds begin with the ranges of source and destination ports.
        let isUDP = transport == .udp
        var data = [UInt8](repeating: 0, count: isUDP ? MemoryLayout<xt_udp>.size : MemoryLayout<xt_tcp>.size)
        for (place, bound) in [0, UInt16.max, port, port].enumerated() {
            data.put(bound, at: place * 2)
        }
        return Self.extensionBytes(isUDP ? "udp" : "tcp", data)
    }

    private func entry(_ family: IPFamily, matches: [[UInt8]]) -> LegacyEntry {
        let layout = LegacyLayout(family: family)
        var bytes = [UInt8](repeating: 0, count: layout.entrySize)
        for (name, place, mask) in [
            (input, layout.input, layout.inputMask), (output, layout.output, layout.outputMask),
        ] {
            guard let name = name.map({ Array($0.utf8.prefix(Int(IFNAMSIZ) - 2)) }) else { continue }
            bytes.replaceSubrange(place..<(place + name.count + 1), with: name + [UInt8(ascii: "+")])
            // Without the byte that ends it: whatever else the name goes on with.
            for index in name.indices { bytes[mask + index] = 0xff }
        }
        if let transport {
            bytes.put(UInt16(transport.rawValue), at: layout.transport)
            bytes[layout.flags] |= layout.transportFlag
        }
        for match in matches { bytes += match }
        bytes.put(UInt16(bytes.count), at: layout.targetOffset)
        // The target without a name: a verdict, which is NF_ACCEPT as -NF_ACCEPT - 1.
        var verdict = [UInt8](repeating: 0, count: MemoryLayout<Int32>.size)
        verdict.put(-Int32(NF_ACCEPT) - 1, at: 0)
        bytes += Self.extensionBytes("", verdict)
        bytes.put(UInt16(bytes.count), at: layout.nextOffset)
        return LegacyEntry(layout: layout, bytes: bytes)
    }

    private static func extensionBytes(_ name: String, _ data: [UInt8]) -> [UInt8] {
        let size = LegacyLayout.aligned(LegacyLayout.extensionSize + data.count)
        var bytes = [UInt8](repeating: 0, count: LegacyLayout.extensionSize) + data
        bytes += [UInt8](repeating: 0, count: size - bytes.count)
        bytes.put(UInt16(size), at: 0)
        bytes.put(name, in: LegacyLayout.extensionName)
        return bytes
    }
}
