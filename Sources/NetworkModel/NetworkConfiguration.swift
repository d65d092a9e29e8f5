public import Addressing
public import JSONCoding

/// What a machine's owner says about all networks, in the shape of docker's `daemon.json`:
///
///     {"default-address-pools": [{"base": "10.145.0.0/16", "size": 24}, {"base": "fd00:1::/48", "size": 64}]}
public struct NetworkConfiguration: Hashable, Sendable {
    /// Where subnets come from when nobody names one; those of a family that is not there come from the built-in pools.
    public var pools: [SubnetPool]

    public init(pools: [SubnetPool] = []) { self.pools = pools }

    /// The pools of a family, the first tried first; empty for the built-in ones.
    public func pools(_ family: IPFamily) -> [SubnetPool] {
        pools.filter { $0.ranges.contains { $0.family == family } }
    }

    private static let key = "default-address-pools"
}

extension NetworkConfiguration {
    /// Reads the file's document.
    ///
    /// - Throws: `NetworkError` that names the field and the value.
    public init(_ document: JSONValue) throws(NetworkError) {
        guard case .object(let members) = document else { throw Self.wrong("", "it is \(document.kind) and no object") }
        if let stranger = members.first(where: { $0.name != Self.key }) {
            throw Self.wrong(stranger.name, "there is no such setting (\(Self.key))")
        }
        guard let value = document[Self.key] else {
            self.init()
            return
        }
        guard case .array(let elements) = value else { throw Self.wrong(Self.key, "it is \(value.kind) and no list") }
        var pools: [SubnetPool] = []
        for (index, element) in elements.enumerated() {
            let field = "\(Self.key)[\(index)]"
            let pool = try Self.pool(element, field)
            if let other = pools.firstIndex(where: { $0.ranges[0].overlaps(pool.ranges[0]) }) {
                throw Self.wrong("\(field).base", "\(pool.ranges[0]) overlaps \(Self.key)[\(other)]")
            }
            pools.append(pool)
        }
        self.init(pools: pools)
    }

    private static func pool(_ value: JSONValue, _ field: String) throws(NetworkError) -> SubnetPool {
        guard case .object(let members) = value else { throw wrong(field, "it is \(value.kind) and no object") }
        if let stranger = members.first(where: { !["base", "size"].contains($0.name) }) {
            throw wrong("\(field).\(stranger.name)", "there is no such setting (base, size)")
        }
        guard case .string(let text)? = value["base"] else { throw wrong("\(field).base", "it is missing or no text") }
        guard let base = IPPrefix(text) else { throw wrong("\(field).base", "'\(text)' is no ADDRESS/LENGTH") }
        guard base.isNetwork else {
            throw wrong("\(field).base", "\(base) has host bits set (did you mean \(base.network))")
        }
        let address = base.address
        guard !address.isLoopback, !address.isMulticast, !address.isLinkLocal, !address.isReserved, base.length > 3
        else {
            throw wrong("\(field).base", "\(base) is not for networks")
        }
        guard case .integer(let size)? = value["size"] else {
            throw wrong("\(field).size", "it is missing or no whole number")
        }
        let longest = base.family == .v4 ? 30 : 126
        let shortest = max(base.length, base.family == .v4 ? 8 : 16)
        guard size >= shortest && size <= longest else {
            throw wrong("\(field).size", "\(size) is out of range (\(shortest) to \(longest))")
        }
        return SubnetPool(ranges: [base], length: size)
    }

    private static func wrong(_ field: String, _ what: String) -> NetworkError {
        NetworkError(.invalid, field.isEmpty ? what : "\(field): \(what)")
    }
}
