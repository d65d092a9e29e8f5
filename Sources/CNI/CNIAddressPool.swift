public import Addressing

/// A subnet that addresses are chosen from (the host-local plugin's range).
public struct CNIAddressPool: Hashable, Sendable {
    public var subnet: IPPrefix
    /// The host's own address in it; nil for the first one.
    public var gateway: IPAddress?
    /// The first and last addresses that may be chosen; none for all of the subnet.
    public var ranges: [ClosedRange<IPAddress>] = []
    /// Whether it is for when the pool before it is full: both are of one set.
    public var isAlternative = false

    /// The gateway, chosen or not.
    public var router: IPAddress? { gateway ?? subnet.address(at: 1) }

    /// Reads `ipam.subnet` and `ipam.ranges`, the same keys without `ipam`, and the capability `ipRanges`.
    ///
    /// An attachment gets an address of every set of ranges, of the first one in it that has room.
    static func read(_ document: Field, _ runtime: Field) throws(CNIError) -> [CNIAddressPool] {
        var pools: [(pool: CNIAddressPool, field: Field)] = []
        for part in [try document["ipam"].object(), document] {
            if let pool = try CNIAddressPool(part) { pools.append((pool, part["subnet"])) }
            pools += try sets(part["ranges"])
        }
        pools = try sets(runtime["ipRanges"]) + pools
        for (index, entry) in pools.enumerated() {
            if let other = pools[..<index].first(where: { $0.pool.subnet.overlaps(entry.pool.subnet) }) {
                throw entry.field.invalid("\(entry.pool.subnet) overlaps \(other.field.path), \(other.pool.subnet)")
            }
        }
        return pools.map(\.pool)
    }

    private static func sets(_ field: Field) throws(CNIError) -> [(pool: CNIAddressPool, field: Field)] {
        var pools: [(pool: CNIAddressPool, field: Field)] = []
        for set in try field.list() ?? [] {
            let ranges = try set.list() ?? []
            guard !ranges.isEmpty else { throw set.invalid("a set of no ranges") }
            let first = pools.count
            for range in ranges {
                guard var pool = try CNIAddressPool(range.object()) else { throw range["subnet"].missing }
                pool.isAlternative = pools.count > first
                if let other = pools[first...].firstIndex(where: { $0.pool.subnet == pool.subnet }) {
                    try pools[other].pool.join(pool, range)
                } else if pools[first...].contains(where: { $0.pool.subnet.family != pool.subnet.family }) {
                    throw range["subnet"].invalid("\(pool.subnet) is of another family than the set's first range")
                } else {
                    pools.append((pool, range["subnet"]))
                }
            }
        }
        return pools
    }

    /// Takes over another range of the same subnet.
    private mutating func join(_ other: CNIAddressPool, _ field: Field) throws(CNIError) {
        if let wanted = other.gateway, let own = gateway, wanted != own {
            throw field["gateway"].invalid("\(subnet) has the gateway \(own) already")
        }
        gateway = gateway ?? other.gateway
        guard !ranges.isEmpty, let range = other.ranges.first, !ranges.contains(where: range.overlaps) else {
            throw field.invalid("it overlaps another range of \(subnet)")
        }
        ranges.append(range)
    }

    /// - Returns: nil when there is no subnet, and nothing that needs one.
    private init?(_ field: Field) throws(CNIError) {
        guard let subnet: IPPrefix = try field["subnet"].parsed("a subnet as ADDRESS/LENGTH") else {
            for key in ["gateway", "rangeStart", "rangeEnd"] where !field[key].isMissing {
                throw field[key].invalid("there is no subnet that it belongs to")
            }
            return nil
        }
        guard subnet.isNetwork else {
            throw field["subnet"].invalid("\(subnet) has host bits set (did you mean \(subnet.network))")
        }
        // The gateway and one attachment need an address each.
        guard subnet.length <= subnet.family.bitWidth - 2 else {
            throw field["subnet"].invalid("\(subnet) is too small to allocate from")
        }
        self.subnet = subnet
        gateway = try Self.address(field["gateway"], in: subnet)
        let first = try Self.address(field["rangeStart"], in: subnet)
        let last = try Self.address(field["rangeEnd"], in: subnet)
        guard first != nil || last != nil else { return }
        guard let lowest = first ?? subnet.address(at: 1), let highest = last ?? Self.lastHost(of: subnet),
            lowest <= highest
        else {
            throw field["rangeEnd"].invalid("\(last?.description ?? "") is before rangeStart")
        }
        ranges = [lowest...highest]
    }

    private static func address(_ field: Field, in subnet: IPPrefix) throws(CNIError) -> IPAddress? {
        guard let address: IPAddress = try field.parsed("an IP address") else { return nil }
        guard subnet.allowsHost(address) else { throw field.invalid("\(address) is no host's address of \(subnet)") }
        return address
    }

    private static func lastHost(of subnet: IPPrefix) -> IPAddress? {
        guard subnet.family == .v4 else { return subnet.last }
        return subnet.address(at: (UInt64(1) << UInt64(32 - subnet.length)) - 2)
    }
}
