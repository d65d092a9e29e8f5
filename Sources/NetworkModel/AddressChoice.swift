public import Addressing

/// Chooses endpoints' addresses in a subnet.
///
/// Next-fit: the search goes on behind the address handed out last, so that an address that was given back rests as
/// long as possible before it gets a new owner, and caches of the old one (ARP, conntrack) can expire.
public enum AddressChoice {
    /// IPv6 subnets are used up to this offset; what lies behind is for static addresses.
    static let largestOffset: UInt64 = 0xffff_fffe

    /// The next free host address.
    ///
    /// - Parameters:
    ///   - cursor: The offset in the subnet of the address handed out last; 0 at the beginning.
    ///   - isTaken: Whether an address has an owner.
    /// - Returns: The address and its offset, the next cursor; nil when the subnet is full.
    public static func next<Failure: Error>(
        in subnet: Subnet, after cursor: UInt64, isTaken: (IPAddress) throws(Failure) -> Bool
    ) throws(Failure) -> (address: IPAddress, offset: UInt64)? {
        let bits = subnet.prefix.family.bitWidth - subnet.prefix.length
        let end = bits >= 32 ? largestOffset : (UInt64(1) << UInt64(bits)) - 1
        // First what is behind the cursor, then what is not.
        for isBehind in [true, false] {
            for part in 0..<max(subnet.ranges.count, 1) {
                let range = subnet.ranges.isEmpty ? nil : subnet.ranges[part]
                let first = range.flatMap { subnet.prefix.offset(of: $0.first) } ?? 0
                let last = range.flatMap { subnet.prefix.offset(of: $0.last) }.map { min($0, max(end, first)) } ?? end
                var offset = isBehind && cursor >= first ? min(cursor, last) + 1 : first
                let stop = isBehind ? last : min(cursor, last)
                while offset <= stop {
                    if let address = subnet.prefix.address(at: offset), subnet.offers(address), try !isTaken(address) {
                        return (address, offset)
                    }
                    offset += 1
                }
            }
        }
        return nil
    }

    /// An Ethernet address that follows from the first network address, so that a reused address keeps its neighbours'
    /// caches true.
    ///
    /// 02:53 is locally administered and unicast; the other four bytes are the IPv4 address or the end of the IPv6 one.
    public static func macAddress(for address: IPAddress) -> MACAddress? {
        MACAddress(bytes: [0x02, 0x53] + address.bytes.suffix(4))
    }
}

extension IPPrefix {
    /// How far an address of the subnet is from its first; nil when that takes more than 64 bits.
    public func offset(of address: IPAddress) -> UInt64? {
        switch (network.address, address) {
        case (.v4(let base), .v4(let address)) where address.rawValue >= base.rawValue:
            UInt64(address.rawValue - base.rawValue)
        case (.v6(let base), .v6(let address)) where base.high == address.high && address.low >= base.low:
            address.low - base.low
        default: nil
        }
    }
}
