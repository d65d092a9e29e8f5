import Addressing

/// A packet in one line of words: `tcp 10.0.0.2:45000 → 10.0.0.3:80 syn, 0 bytes`.
///
/// Every byte comes from the wire: what is cut off or makes no sense is said, and nothing is read beyond the end.
public struct PacketSummary: Hashable, Sendable, CustomStringConvertible {
    public let description: String

    /// How a frame begins.
    public enum LinkLayer: Hashable, Sendable {
        case ethernet
        /// An IP header at once.
        case raw
    }

    /// - Parameters:
    ///   - bytes: As much of the packet as was kept.
    ///   - length: Of the whole packet.
    public init(_ bytes: [UInt8], _ layer: LinkLayer, length: Int) {
        var reader = Reader(bytes: bytes[...], length: length)
        description = layer == .ethernet ? reader.ethernet() : reader.network()
    }
}

/// The rest of a packet.
private struct Reader {
    var bytes: ArraySlice<UInt8>
    /// Of the rest on the wire.
    var length: Int

    /// The first bytes of the rest; nil when there are fewer.
    mutating func take(_ count: Int) -> [UInt8]? {
        guard bytes.count >= count else { return nil }
        defer {
            bytes = bytes.dropFirst(count)
            length -= count
        }
        return Array(bytes.prefix(count))
    }

    private static func number(_ bytes: some Collection<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }

    // MARK: Link layer

    mutating func ethernet() -> String {
        guard let header = take(14) else { return "ethernet, cut off" }
        var type = Self.number(header[12..<14])
        var tags = ""
        // IEEE 802.1Q and 802.1ad; a frame of nothing but tags comes to its end.
        while type == 0x8100 || type == 0x88a8 {
            guard let tag = take(4) else { return tags + "vlan, cut off" }
            tags += "vlan \(Self.number(tag[0..<2]) & 0xfff) "
            type = Self.number(tag[2..<4])
        }
        switch type {
        case 0x0800, 0x86dd: return tags + network()
        case 0x0806: return tags + arp()
        default:
            let from = MACAddress(bytes: header[6..<12]).map { "\($0)" } ?? "?"
            let to = MACAddress(bytes: header[0..<6]).map { "\($0)" } ?? "?"
            let kind = type < 0x600 ? "llc" : "type 0x" + String(type, radix: 16)
            return tags + "\(kind) \(from) → \(to), \(max(length, 0)) bytes"
        }
    }

    /// RFC 826, for IPv4 on Ethernet.
    private mutating func arp() -> String {
        guard let body = take(28), let sender = IPAddress(bytes: body[14..<18]),
            let target = IPAddress(bytes: body[24..<28])
        else { return "arp, cut off" }
        let mac = MACAddress(bytes: body[8..<14]).map { "\($0)" } ?? "?"
        switch Self.number(body[6..<8]) {
        case 1 where sender == target: return "arp \(sender) announces \(mac)"
        case 1: return "arp who has \(target)? tell \(sender)"
        case 2: return "arp \(sender) is at \(mac)"
        case let other: return "arp operation \(other)"
        }
    }

    // MARK: Network layer

    mutating func network() -> String {
        switch bytes.first.map({ $0 >> 4 }) {
        case 4?: return ipv4()
        case 6?: return ipv6()
        case nil: return "ip, cut off"
        case let version?: return "ip version \(version)"
        }
    }

    private mutating func ipv4() -> String {
        guard let header = take(20), let source = IPAddress(bytes: header[12..<16]),
            let destination = IPAddress(bytes: header[16..<20])
        else { return "ipv4, cut off" }
        let options = Int(header[0] & 0xf) * 4 - 20
        guard options >= 0 else { return "ipv4 \(source) → \(destination), a header too short" }
        // A frame may be longer than the packet: it is filled up to 60 bytes.
        trim(to: Self.number(header[2..<4]) - 20)
        guard take(options) != nil else { return "ipv4 \(source) → \(destination), cut off" }
        if Self.number(header[6..<8]) & 0x1fff != 0 {
            return "fragment \(source) → \(destination), \(max(length, 0)) bytes"
        }
        return transport(Int(header[9]), source, destination)
    }

    private mutating func ipv6() -> String {
        guard let header = take(40), let source = IPAddress(bytes: header[8..<24]),
            let destination = IPAddress(bytes: header[24..<40])
        else { return "ipv6, cut off" }
        trim(to: Self.number(header[4..<6]))
        var next = Int(header[6])
        // Hop-by-hop options, routing and destination options (RFC 8200, section 4).
        while [0, 43, 60].contains(next) {
            guard let start = take(8), take(Int(start[1]) * 8) != nil else {
                return "ipv6 \(source) → \(destination), cut off"
            }
            next = Int(start[0])
        }
        if next == 44 {
            guard let fragment = take(8) else { return "ipv6 \(source) → \(destination), cut off" }
            if Self.number(fragment[2..<4]) & 0xfff8 != 0 {
                return "fragment \(source) → \(destination), \(max(length, 0)) bytes"
            }
            next = Int(fragment[0])
        }
        return transport(next, source, destination)
    }

    private mutating func trim(to size: Int) {
        guard size >= 0, size < length else { return }
        length = size
        bytes = bytes.prefix(size)
    }

    // MARK: Transport

    private mutating func transport(_ number: Int, _ source: IPAddress, _ destination: IPAddress) -> String {
        switch number {
        case 6: return tcp(source, destination)
        case 17: return ports("udp", 8, source, destination)
        case 132: return ports("sctp", 12, source, destination)
        case 1: return icmp(source, destination, Self.icmpNames, "icmp")
        case 58: return icmp(source, destination, Self.icmpv6Names, "icmpv6")
        default: return "protocol \(number) \(source) → \(destination), \(max(length, 0)) bytes"
        }
    }

    private mutating func tcp(_ source: IPAddress, _ destination: IPAddress) -> String {
        guard let header = take(14) else { return "tcp \(source) → \(destination), cut off" }
        let names = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"]
        let flags = names.indices.filter { header[13] & 1 << UInt8($0) != 0 }.map { names[$0] }
        let ends = Self.ends(header, source, destination)
        let data = length + 14 - Int(header[12] >> 4) * 4
        return "tcp \(ends) \(flags.isEmpty ? "no flags" : flags.joined(separator: "+")), \(max(data, 0)) bytes"
    }

    private mutating func ports(
        _ name: String, _ size: Int, _ source: IPAddress, _ destination: IPAddress
    ) -> String {
        guard let header = take(size) else { return "\(name) \(source) → \(destination), cut off" }
        return "\(name) \(Self.ends(header, source, destination)), \(max(length, 0)) bytes"
    }

    private static func ends(_ header: [UInt8], _ source: IPAddress, _ destination: IPAddress) -> String {
        let from = source.endpoint(port: UInt16(number(header[0..<2])))
        return "\(from) → \(destination.endpoint(port: UInt16(number(header[2..<4]))))"
    }

    private mutating func icmp(
        _ source: IPAddress, _ destination: IPAddress, _ names: [UInt8: String], _ kind: String
    ) -> String {
        guard let header = take(4) else { return "\(kind) \(source) → \(destination), cut off" }
        let name = names[header[0]] ?? "type \(header[0])"
        let code = header[1] == 0 ? "" : " code \(header[1])"
        return "\(kind) \(source) → \(destination) \(name)\(code), \(max(length, 0)) bytes"
    }

    private static let icmpNames: [UInt8: String] = [
        0: "echo reply", 3: "unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded",
    ]
    private static let icmpv6Names: [UInt8: String] = [
        1: "unreachable", 2: "packet too big", 3: "time exceeded", 128: "echo request", 129: "echo reply",
        133: "router solicitation", 134: "router advertisement", 135: "neighbour solicitation",
        136: "neighbour advertisement", 143: "multicast listener report",
    ]
}
