import Addressing
import NetworkModel
import Testing

@testable import NetworkEngine

@Suite struct PortTableTests {
    @Test func `finds what a look at each mapping finds`() throws {
        for _ in 0..<200 {
            let mappings = try (0..<Int.random(in: 0...40)).map { _ in
                let first = UInt16.random(in: 1...200)
                let last = Bool.random() ? first : first + UInt16.random(in: 0...60)
                let ports = try #require(PortRange(first, last))
                return try #require(PortMapping(hostPorts: ports, sandboxPorts: ports))
            }
            let table = PortTable(mappings)
            for _ in 0..<50 {
                let first = UInt16.random(in: 0...260)
                let last = first + UInt16.random(in: 0...20)
                let there = mappings.indices.filter { mappings[$0].hostPorts.ports.overlaps(first...last) }
                var found: [Int] = []
                let isFound = table.contains(first, last) { place in
                    found.append(place)
                    return false
                }
                #expect(!isFound && found.sorted() == there, "\(mappings) at \(first)-\(last)")
                #expect(table.contains(first, last) == !there.isEmpty)
            }
        }
    }
}
