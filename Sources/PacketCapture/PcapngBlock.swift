/// A block of a pcapng file (draft-ietf-opsawg-pcapng), laid out in the machine's byte order, which the first block tells.
public struct PcapngBlock: Hashable, Sendable {
    public private(set) var bytes: [UInt8]

    /// What the first block's magic number is, by which a reader knows the byte order.
    private static let byteOrderMagic: UInt32 = 0x1a2b_3c4d
    /// A reader finds a length of 16 bits for each option.
    private static let longestOption = Int(UInt16.max) & ~3

    private init(type: UInt32, _ fill: (inout [UInt8]) -> Void) {
        bytes = []
        Self.put(type, &bytes)
        Self.put(UInt32(0), &bytes)
        fill(&bytes)
        // The length stands at both ends, so that a file can be read backwards.
        let length = UInt32(bytes.count + 4)
        Self.put(length, &bytes)
        withUnsafeBytes(of: length) { bytes.replaceSubrange(4..<8, with: $0) }
    }

    /// The Section Header Block, with which a file begins (section 4.1).
    public static func sectionHeader(application: String) -> PcapngBlock {
        PcapngBlock(type: 0x0a0d_0d0a) { bytes in
            put(byteOrderMagic, &bytes)
            put(UInt16(1), &bytes)
            put(UInt16(0), &bytes)
            // The section's length is not known before its end.
            put(UInt64.max, &bytes)
            put(option: 4, Array(application.utf8), &bytes)
            endOptions(&bytes)
        }
    }

    /// An Interface Description Block (section 4.2). Packets name an interface by its place among these.
    ///
    /// - Parameters:
    ///   - linkType: `LINKTYPE_*` of tcpdump.org/linktypes.html.
    ///   - snapshotLength: The most bytes that are kept of a packet.
    ///   - filter: As libpcap takes it; empty for none.
    public static func interface(
        name: String, description: String, linkType: UInt16, snapshotLength: UInt32, filter: String
    ) -> PcapngBlock {
        PcapngBlock(type: 1) { bytes in
            put(linkType, &bytes)
            put(UInt16(0), &bytes)
            put(snapshotLength, &bytes)
            put(option: 2, Array(name.utf8), &bytes)
            if !description.isEmpty { put(option: 3, Array(description.utf8), &bytes) }
            // Times are in units of 10 to the -9 seconds.
            put(option: 9, [9], &bytes)
            // 0 says that it is a text.
            if !filter.isEmpty { put(option: 11, [0] + Array(filter.utf8), &bytes) }
            endOptions(&bytes)
        }
    }

    /// An Enhanced Packet Block (section 4.3).
    ///
    /// - Parameters:
    ///   - nanoseconds: Since 1970-01-01T00:00:00Z.
    ///   - length: Of the packet on the wire; `data` may be less.
    public static func packet(
        interface: UInt32, nanoseconds: UInt64, data: some Collection<UInt8>, length: UInt32
    ) -> PcapngBlock {
        PcapngBlock(type: 6) { bytes in
            bytes.reserveCapacity(data.count + 36)
            put(interface, &bytes)
            put(UInt32(truncatingIfNeeded: nanoseconds >> 32), &bytes)
            put(UInt32(truncatingIfNeeded: nanoseconds), &bytes)
            put(UInt32(data.count), &bytes)
            put(length, &bytes)
            bytes.append(contentsOf: data)
            pad(&bytes)
        }
    }

    /// An Interface Statistics Block (section 4.6): at the end of a capture.
    public static func statistics(
        interface: UInt32, nanoseconds: UInt64, received: UInt64, dropped: UInt64
    ) -> PcapngBlock {
        PcapngBlock(type: 5) { bytes in
            put(interface, &bytes)
            put(UInt32(truncatingIfNeeded: nanoseconds >> 32), &bytes)
            put(UInt32(truncatingIfNeeded: nanoseconds), &bytes)
            for (code, number) in [(UInt16(4), received), (5, dropped)] {
                put(option: code, withUnsafeBytes(of: number) { Array($0) }, &bytes)
            }
            endOptions(&bytes)
        }
    }

    private static func put(_ number: some FixedWidthInteger, _ bytes: inout [UInt8]) {
        withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
    }

    private static func put(option code: UInt16, _ value: [UInt8], _ bytes: inout [UInt8]) {
        let value = value.prefix(longestOption)
        put(code, &bytes)
        put(UInt16(value.count), &bytes)
        bytes.append(contentsOf: value)
        pad(&bytes)
    }

    private static func endOptions(_ bytes: inout [UInt8]) { put(UInt32(0), &bytes) }

    private static func pad(_ bytes: inout [UInt8]) {
        while bytes.count % 4 != 0 { bytes.append(0) }
    }
}
