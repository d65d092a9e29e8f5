import Addressing
import NetworkModel
import Testing

@Suite struct AddressPoolTests {
    func prefix(_ text: String) throws -> IPPrefix { try #require(IPPrefix(text)) }

    func subnet(_ text: String, gateway: String) throws -> Subnet {
        let router: IPAddress = try #require(IPAddress(gateway))
        return Subnet(prefix: try prefix(text), gateway: router)
    }

    @Test func takesTheFirstFreeSubnet() throws {
        #expect(SubnetPool.defaultNetwork.first(avoiding: []) == (try prefix("10.144.0.0/16")))
        #expect(SubnetPool.networks.first(avoiding: []) == (try prefix("10.145.0.0/24")))
        let occupied = [try prefix("10.145.0.0/24"), try prefix("10.145.1.128/25"), try prefix("0.0.0.0/0")]
        #expect(SubnetPool.networks.first(avoiding: occupied) == (try prefix("10.145.2.0/24")))
        #expect(SubnetPool.networks.first(avoiding: [try prefix("10.0.0.0/8")]) == (try prefix("172.16.0.0/24")))
        let everything = [try prefix("10.0.0.0/8"), try prefix("172.16.0.0/12"), try prefix("192.168.0.0/16")]
        #expect(SubnetPool.networks.first(avoiding: everything) == nil)
    }

    /// Whatever is occupied, the choice overlaps none of it; and none is found only when none is left.
    @Test func neverOverlaps() throws {
        let range = try prefix("10.0.0.0/20")
        let pool = SubnetPool(ranges: [range], length: 24)
        for _ in 0..<500 {
            let occupied = (0..<Int.random(in: 0...20)).compactMap { _ in
                IPPrefix(
                    address: .v4(IPv4Address(rawValue: 0x0a00_0000 | .random(in: 0...0x1fff))),
                    length: .random(in: 20...32))?.network
            }
            let all = (0..<16).compactMap { range.address(at: $0 * 256).flatMap { IPPrefix(address: $0, length: 24) } }
            #expect(all.count == 16)
            let free = all.filter { candidate in !occupied.contains { $0.overlaps(candidate) } }
            #expect(pool.first(avoiding: occupied) == free.first)
        }
    }

    @Test func makesUniqueLocalPrefixes() throws {
        #expect(SubnetPool.uniqueLocal(random: [1, 2, 3, 4, 5]) == (try prefix("fd01:203:405::/48")))
        #expect(SubnetPool.uniqueLocal(random: [1]) == nil)
    }

    /// Handing out until nothing is left gives every host address once, and never the gateway or the subnet's own.
    @Test(arguments: ["10.0.0.0/30", "10.0.0.0/28", "10.1.2.0/24", "fd00::/126", "fd00::/120"])
    func handsOutEveryAddressOnce(text: String) throws {
        let prefix = try prefix(text)
        let subnet = Subnet(prefix: prefix, gateway: prefix.address(at: 1))
        var taken: Set<IPAddress> = []
        var cursor: UInt64 = .random(in: 0...300)
        while let choice = AddressChoice.next(in: subnet, after: cursor, isTaken: { taken.contains($0) }) {
            #expect(taken.insert(choice.address).inserted)
            #expect(prefix.allowsHost(choice.address) && choice.address != subnet.gateway)
            #expect(prefix.address(at: choice.offset) == choice.address)
            cursor = choice.offset
        }
        let hosts = (0..<(1 << (prefix.family.bitWidth - prefix.length))).compactMap { prefix.address(at: $0) }
            .filter { prefix.allowsHost($0) && $0 != subnet.gateway }
        #expect(taken == Set(hosts))
    }

    @Test func goesOnBehindTheLastAddress() throws {
        let subnet = try subnet("10.0.0.0/24", gateway: "10.0.0.1")
        #expect(AddressChoice.next(in: subnet, after: 0, isTaken: { _ in false })?.address == IPAddress("10.0.0.2"))
        #expect(AddressChoice.next(in: subnet, after: 9, isTaken: { _ in false })?.address == IPAddress("10.0.0.10"))
        #expect(AddressChoice.next(in: subnet, after: 254, isTaken: { _ in false })?.address == IPAddress("10.0.0.2"))
    }

    @Test func derivesEthernetAddresses() throws {
        let address = try #require(IPAddress("10.1.2.3").flatMap { AddressChoice.macAddress(for: $0) })
        #expect(address.description == "02:53:0a:01:02:03")
        #expect(address.isUnicast && address.isLocallyAdministered)
        #expect(
            IPAddress("fd00::1:2").flatMap { AddressChoice.macAddress(for: $0) }?.description == "02:53:00:01:00:02")
    }

    /// Only a subnet's range is chosen from, and of that not what is excluded; wherever the search begins.
    @Test(arguments: [
        ("10.0.0.0/24", "10.0.0.16-10.0.0.20", 5), ("10.0.0.0/24", "10.0.0.240/28", 15),
        ("10.0.0.0/24", "10.0.0.0/30", 2),
        ("fd00::/64", "fd00::10-fd00::1f", 16),
    ])
    func choosesFromTheRange(text: String, range: String, count: Int) throws {
        let range = try #require(AddressRange(range))
        let prefix = try prefix(text)
        let excluded = try #require(range.last == prefix.last ? IPAddress("10.0.0.250") : range.last)
        let subnet = Subnet(prefix: prefix, gateway: prefix.address(at: 1), ranges: [range], excluded: [excluded])
        for start: UInt64 in [0, 1, 18, 255, 100_000] {
            var taken: Set<IPAddress> = []
            var cursor = start
            while let choice = AddressChoice.next(in: subnet, after: cursor, isTaken: { taken.contains($0) }) {
                try #require(taken.insert(choice.address).inserted)
                #expect(range.contains(choice.address) && choice.address != excluded)
                cursor = choice.offset
            }
            #expect(taken.count == count - 1, "from \(start): \(taken.sorted())")
        }
    }
}
