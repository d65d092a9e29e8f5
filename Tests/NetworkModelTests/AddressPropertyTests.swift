import Addressing
import JSONCoding
import NetworkModel
import TestSupport
import Testing

/// Properties of address and range choice, on thousands of random cases. A failure names its seed: the same seed makes the
/// same case.
@Suite("address pools, random cases")
struct AddressPropertyTests {
    /// A subnet with what a person may say of it: a gateway, a range, excluded addresses.
    private func subnet(_ random: inout SplitMix) throws -> Subnet {
        let family: IPFamily = Bool.random(using: &random) ? .v4 : .v6
        let lengths = family == .v4 ? 25...30 : 121...126
        let drawn = random.prefix(family, lengths)
        let prefix = try #require(drawn)
        let count = UInt64(1) << UInt64(family.bitWidth - prefix.length)
        let any = { (random: inout SplitMix) in prefix.address(at: UInt64.random(in: 0..<count, using: &random)) }
        var subnet = Subnet(prefix: prefix, gateway: Bool.random(using: &random) ? any(&random) : nil)
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            guard let a = any(&random), let b = any(&random), let range = AddressRange(min(a, b), max(a, b)) else {
                continue
            }
            if !subnet.ranges.contains(where: range.overlaps) { subnet.ranges.append(range) }
        }
        subnet.ranges.sort { $0.first < $1.first }
        for _ in 0..<Int.random(in: 0...4, using: &random) { subnet.excluded += [any(&random)].compactMap(\.self) }
        return subnet
    }

    @Test(arguments: SplitMix.seeds(4, for: "address pools"))
    func `every address that may be had is had, once, and no other`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for number in 0..<200 {
            let subnet = try subnet(&random)
            let count = UInt64(1) << UInt64(subnet.prefix.family.bitWidth - subnet.prefix.length)
            let offered = Set((0..<count).compactMap { subnet.prefix.address(at: $0) }.filter(subnet.offers))
            var taken: Set<IPAddress> = []
            // Where the search begins does not matter, wherever that is.
            var cursor = UInt64.random(in: 0...count + 5, using: &random)
            var last: UInt64?
            var turns = 0
            while let (address, offset) = AddressChoice.next(in: subnet, after: cursor, isTaken: taken.contains) {
                guard offered.contains(address), taken.insert(address).inserted,
                    subnet.prefix.address(at: offset) == address
                else {
                    Issue.record("seed \(seed), case \(number): \(address) of \(subnet)")
                    return
                }
                // Next-fit: the offsets go up, and begin anew once.
                if let last, offset < last { turns += 1 }
                last = offset
                cursor = offset
            }
            #expect(taken == offered, "seed \(seed), case \(number): \(subnet)")
            #expect(turns <= 1, "seed \(seed), case \(number): \(subnet)")
            // One that is given back is the next that is had, and there is no other.
            if let back = taken.randomElement(using: &random) {
                taken.remove(back)
                let again = AddressChoice.next(in: subnet, after: cursor, isTaken: taken.contains)?.address
                #expect(again == back, "seed \(seed), case \(number): \(subnet)")
            }
        }
    }

    @Test(arguments: SplitMix.seeds(4, for: "address pools"))
    func `a chosen subnet is the first of its pool that nothing uses`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for number in 0..<200 {
            let family: IPFamily = Bool.random(using: &random) ? .v4 : .v6
            let longest = Int.random(in: family == .v4 ? 8...20 : 32...52, using: &random)
            let ranges = (0..<Int.random(in: 1...3, using: &random)).compactMap { _ in
                random.prefix(family, longest...longest)
            }
            let pool = SubnetPool(ranges: ranges, length: Int.random(in: longest...longest + 7, using: &random))
            // What is in use lies in the pool, mostly: wider and narrower than its subnets.
            var occupied: [IPPrefix] = []
            for _ in 0..<Int.random(in: 0...60, using: &random) {
                let range = ranges[Int.random(in: 0..<ranges.count, using: &random)]
                let length = Int.random(in: range.length...min(pool.length + 3, family.bitWidth), using: &random)
                guard let inside = random.prefix(family, length...length) else { continue }
                let bits = zip(range.address.bytes, inside.address.bytes).enumerated().map { index, bytes in
                    let mask = UInt8(truncatingIfNeeded: 0xff00 >> min(max(range.length - index * 8, 0), 8))
                    return bytes.0 & mask | bytes.1 & ~mask
                }
                occupied += [IPAddress(bytes: bits).flatMap { IPPrefix(address: $0, length: length)?.network }]
                    .compactMap(\.self)
            }
            let choice = pool.first(avoiding: occupied)
            // The same by trying every one.
            var expected: IPPrefix?
            for range in ranges where expected == nil {
                var candidate = IPPrefix(address: range.address, length: pool.length)
                while let subnet = candidate, range.contains(subnet.address) {
                    if !occupied.contains(where: { $0.overlaps(subnet) }) {
                        expected = subnet
                        break
                    }
                    candidate = subnet.last.advanced(by: 1).flatMap { IPPrefix(address: $0, length: pool.length) }
                }
            }
            if choice != expected {
                Issue.record("seed \(seed), case \(number): \(pool) avoiding \(occupied)")
            }
        }
    }

    @Test(arguments: SplitMix.seeds(4, for: "address pools"))
    func `routes and rates are read as they are written`(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        for _ in 0..<1000 {
            let bits = UInt64.random(in: RateLimit.range, using: &random) >> UInt64.random(in: 0...30, using: &random)
            let burst = Bool.random(using: &random) ? UInt32.random(in: 1...UInt32.max, using: &random) : nil
            if let limit = RateLimit(bits: bits, burst: burst) {
                #expect(RateLimit(limit.description) == limit, "seed \(seed): \(limit)")
                #expect(limit.burst(packet: 1518) > 0 && limit.queue(packet: 1518) >= limit.burst(packet: 1518))
            }
            let family: IPFamily = Bool.random(using: &random) ? .v4 : .v6
            guard let target = random.prefix(family, 0...family.bitWidth), let gateway = random.prefix(family, 32...32)
            else { continue }
            let kinds: [StaticRoute.Kind] = [.via(gateway.address), .blackhole, .unreachable, .prohibit]
            let route = StaticRoute(
                to: target, kinds[Int.random(in: 0..<4, using: &random)],
                metric: Bool.random(using: &random) ? UInt32.random(in: 1...UInt32.max, using: &random) : nil)
            #expect(StaticRoute(route.description) == route, "seed \(seed): \(route)")
        }
    }

    @Test func `what configurations may say`() throws {
        func read(_ text: String) throws -> NetworkConfiguration {
            try NetworkConfiguration(JSONValue(parsing: Array(text.utf8)))
        }
        let both = try read(
            #"{"default-address-pools": [{"base": "10.145.0.0/16", "size": 24}, {"base": "fd00:1::/48", "size": 64}]}"#)
        #expect(both.pools(.v4).count == 1 && both.pools(.v6).first?.length == 64)
        #expect(try read("{}").pools.isEmpty)
        for (text, names) in [
            ("[]", "no object"), (#"{"pools": []}"#, "pools"), (#"{"default-address-pools": {}}"#, "no list"),
            (#"{"default-address-pools": [5]}"#, "[0]"), (#"{"default-address-pools": [{"size": 24}]}"#, "[0].base"),
            (#"{"default-address-pools": [{"base": "10.0.0.1/8", "size": 24}]}"#, "10.0.0.0/8"),
            (#"{"default-address-pools": [{"base": "10.0.0.0/8"}]}"#, "[0].size"),
            (#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 31}]}"#, "31"),
            (#"{"default-address-pools": [{"base": "10.0.0.0/24", "size": 16}]}"#, "16"),
            (#"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24, "x": 1}]}"#, "[0].x"),
            (#"{"default-address-pools": [{"base": "127.0.0.0/8", "size": 24}]}"#, "127.0.0.0/8"),
            (#"{"default-address-pools": [{"base": "0.0.0.0/0", "size": 24}]}"#, "0.0.0.0/0"),
            (
                #"{"default-address-pools": [{"base": "10.0.0.0/8", "size": 24}, {"base": "10.1.0.0/16", "size": 24}]}"#,
                "[1].base"
            ),
        ] {
            do {
                _ = try read(text)
                Issue.record("\(text) was taken")
            } catch {
                #expect("\(error)".contains(names), "\(text): \(error)")
            }
        }
    }
}

extension SplitMix {
    fileprivate mutating func prefix(_ family: IPFamily, _ lengths: ClosedRange<Int>) -> IPPrefix? {
        let bytes = (0..<family.bitWidth / 8).map { _ in UInt8.random(in: 0...255, using: &self) }
        let length = Int.random(in: lengths, using: &self)
        return IPAddress(bytes: bytes).flatMap { IPPrefix(address: $0, length: length)?.network }
    }
}
