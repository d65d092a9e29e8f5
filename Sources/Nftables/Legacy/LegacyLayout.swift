import Addressing
import CLinux

/// Where the parts of a rule stand in a table of the old packet filter: `struct ipt_entry` or `struct ip6t_entry`, then
/// matches, then a target (linux/netfilter_ipv4/ip_tables.h, linux/netfilter_ipv6/ip6_tables.h).
struct LegacyLayout: Hashable, Sendable {
    let family: IPFamily

    private func offset<V4, V6>(_ v4: PartialKeyPath<V4>, _ v6: PartialKeyPath<V6>) -> Int {
        (family == .v4 ? MemoryLayout<V4>.offset(of: v4) : MemoryLayout<V6>.offset(of: v6)) ?? 0
    }

    /// What a packet's header must be; what follows it is kept for the kernel's own use.
    var header: Range<Int> { 0..<(family == .v4 ? MemoryLayout<ipt_ip>.size : MemoryLayout<ip6t_ip6>.size) }
    /// Of a rule without matches and target.
    var entrySize: Int { family == .v4 ? MemoryLayout<ipt_entry>.size : MemoryLayout<ip6t_entry>.size }
    var targetOffset: Int { offset(\ipt_entry.target_offset, \ip6t_entry.target_offset) }
    var nextOffset: Int { offset(\ipt_entry.next_offset, \ip6t_entry.next_offset) }
    var counters: Int { offset(\ipt_entry.counters, \ip6t_entry.counters) }
    var input: Int { offset(\ipt_ip.iniface, \ip6t_ip6.iniface) }
    var output: Int { offset(\ipt_ip.outiface, \ip6t_ip6.outiface) }
    var inputMask: Int { offset(\ipt_ip.iniface_mask, \ip6t_ip6.iniface_mask) }
    var outputMask: Int { offset(\ipt_ip.outiface_mask, \ip6t_ip6.outiface_mask) }
    var transport: Int { offset(\ipt_ip.proto, \ip6t_ip6.proto) }
    var flags: Int { offset(\ipt_ip.flags, \ip6t_ip6.flags) }
    /// In IPv6 a protocol is only looked at when this says so.
    var transportFlag: UInt8 { family == .v4 ? 0 : UInt8(IP6T_F_PROTO) }

    /// Of a match or a target without its data: a length of 16 bits, a name, a revision.
    static let extensionSize = unsafe MemoryLayout<xt_entry_match>.size
    static let extensionName = 2..<(2 + Int(XT_EXTENSION_MAXNAMELEN))
    /// `XT_ALIGN`.
    static func aligned(_ size: Int) -> Int { (size + 7) & ~7 }
}

extension [UInt8] {
    /// A number in the machine's byte order; 0 outside of the bytes.
    func number<Number: FixedWidthInteger>(_ type: Number.Type, at offset: Int) -> Number {
        guard offset >= 0, offset + MemoryLayout<Number>.size <= count else { return 0 }
        var number: Number = 0
        for byte in self[offset..<(offset + MemoryLayout<Number>.size)].reversed() {
            number = number << 8 | Number(truncatingIfNeeded: byte)
        }
        return number.littleEndian == number ? number : number.byteSwapped
    }

    mutating func put(_ number: some FixedWidthInteger, at offset: Int) {
        unsafe Swift.withUnsafeBytes(of: number) { unsafe replaceSubrange(offset..<(offset + $0.count), with: $0) }
    }

    /// A text that ends with a zero byte, or with the room that there is for it.
    func text(_ room: Range<Int>) -> String {
        guard room.upperBound <= count else { return "" }
        return String(decoding: self[room].prefix { $0 != 0 }, as: UTF8.self)
    }

    mutating func put(_ text: String, in room: Range<Int>) {
        let bytes = Array(text.utf8.prefix(room.count - 1))
        replaceSubrange(room.lowerBound..<(room.lowerBound + bytes.count), with: bytes)
    }
}
