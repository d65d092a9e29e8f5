import Addressing
import NetworkModel

/// Mappings by port, so that those at a port are found among ten thousand without a look at each.
struct PortTable {
    private let mappings: [PortMapping]
    private let singles: Part
    private let ranges: Part

    /// Places in `mappings`, by first port.
    private struct Part {
        let places: [Int]
        let firsts: [UInt16]
        /// Up to which port each and all before it reach.
        let reaches: [UInt16]

        init(_ places: [Int], of mappings: [PortMapping]) {
            self.places = places.sorted { mappings[$0].hostPorts.first < mappings[$1].hostPorts.first }
            firsts = self.places.map { mappings[$0].hostPorts.first }
            var reach: UInt16 = 0
            reaches = self.places.map { place in
                reach = max(reach, mappings[place].hostPorts.last)
                return reach
            }
        }
    }

    init(_ mappings: [PortMapping]) {
        self.mappings = mappings
        // Apart, because a range of all ports would reach to every single one behind it.
        singles = Part(mappings.indices.filter { mappings[$0].hostPorts.count == 1 }, of: mappings)
        ranges = Part(mappings.indices.filter { mappings[$0].hostPorts.count > 1 }, of: mappings)
    }

    /// Whether there is a mapping at one of these ports for which something is so.
    ///
    /// - Parameter isMeant: Is asked of each, by its place in the list.
    func contains(_ first: UInt16, _ last: UInt16, where isMeant: (Int) -> Bool = { _ in true }) -> Bool {
        contains(singles, first, last, isMeant) || contains(ranges, first, last, isMeant)
    }

    private func contains(_ part: Part, _ first: UInt16, _ last: UInt16, _ isMeant: (Int) -> Bool) -> Bool {
        // Behind the last that begins in time.
        var (place, end) = (0, part.places.count)
        while place < end {
            let middle = (place + end) / 2
            if part.firsts[middle] <= last { place = middle + 1 } else { end = middle }
        }
        while place > 0, part.reaches[place - 1] >= first {
            place -= 1
            if mappings[part.places[place]].hostPorts.last >= first && isMeant(part.places[place]) { return true }
        }
        return false
    }
}
