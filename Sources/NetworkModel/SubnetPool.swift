public import Addressing

/// Where subnets come from when nobody names one.
public struct SubnetPool: Hashable, Sendable {
    /// Ranges that are cut into subnets, the first tried first.
    public var ranges: [IPPrefix]
    /// The prefix length of a subnet.
    public var length: Int

    public init(ranges: [IPPrefix], length: Int) {
        self.ranges = ranges
        self.length = length
    }

    /// The first subnet that has no address in common with any of `occupied`; nil when the pool is used up.
    ///
    /// Default routes (`/0`) are no occupation: they overlap everything.
    public func first(avoiding occupied: [IPPrefix]) -> IPPrefix? {
        for range in ranges where range.length <= length {
            let obstacles = occupied.filter { $0.length > 0 && $0.overlaps(range) }
            var candidate = IPPrefix(address: range.network.address, length: length)
            while let subnet = candidate, range.contains(subnet.address) {
                guard let obstacle = obstacles.first(where: { $0.overlaps(subnet) }) else { return subnet }
                // Go on behind whichever of the two ends later.
                let end = max(obstacle.last, subnet.last)
                candidate = end.advanced(by: 1).flatMap { IPPrefix(address: $0, length: length) }
            }
        }
        return nil
    }
}

extension SubnetPool {
    /// 10.144.0.0/16 or the next free /16, for the default network: room for 65,533 endpoints.
    ///
    /// The range is none of those that others take by default: docker 172.17.0.0/16 and up, podman 10.88.0.0/16,
    /// Kubernetes 10.244.0.0/16 and 10.96.0.0/12, k3s 10.42.0.0/15.
    public static let defaultNetwork = SubnetPool(ranges: privateRanges, length: 16)
    /// The /24s behind it, for networks that people make: 3,840 before the other ranges are touched.
    public static let networks = SubnetPool(
        ranges: prefixes(["10.145.0.0/16", "10.146.0.0/15", "10.148.0.0/14", "10.152.0.0/13"])
            + privateRanges.dropFirst(), length: 24)

    private static let privateRanges = prefixes(["10.144.0.0/12", "172.16.0.0/12", "192.168.0.0/16"])

    private static func prefixes(_ texts: [String]) -> [IPPrefix] { texts.compactMap { IPPrefix($0) } }

    /// A unique local /48 (RFC 4193, section 3.2): fd, and a random 40-bit global id.
    ///
    /// - Parameter random: Five random bytes.
    public static func uniqueLocal(random: [UInt8]) -> IPPrefix? {
        guard random.count == 5 else { return nil }
        return IPAddress(bytes: [0xfd] + random + [UInt8](repeating: 0, count: 10))
            .flatMap { IPPrefix(address: $0, length: 48) }
    }
}
