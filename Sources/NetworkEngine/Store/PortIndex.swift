import Addressing
import CLinux
import LinuxSystem
import NetworkModel

/// Who has which port of the host: one line for each published range, `tcp 8080 8090 127.0.0.1 web`.
///
/// It repeats what the sandboxes' records say, so that a conflict is found by reading one file however many sandboxes
/// there are. Lines are appended; they are rewritten only to take some out.
struct PortIndex {
    private var bytes: [UInt8]
    /// Ports of relays that are still there, and taken for ended.
    private let ended: [PortMapping]

    private static let path = "ports"
    /// How many mappings are each compared with every line; more than that are sorted first.
    private static let fewMappings = 4
    private static let newline = UInt8(ascii: "\n")
    private static let space = UInt8(ascii: " ")

    init(_ store: borrowing Store) throws {
        bytes = try store.run.readFile(Self.path) ?? []
        ended = store.endedRelays.map(\.mapping)
        guard store.isPretending else { return }
        let kept = Self.lines(bytes).filter { line in
            !store.isPretended(String(decoding: line.dropLast().split(separator: Self.space).last ?? [], as: UTF8.self))
        }
        let pretended = store.pretendedSandboxes.flatMap { sandbox in
            sandbox.ports.map { Self.line($0, sandbox.key) }
        }
        bytes = Array((kept + pretended).joined())
    }

    var isEmpty: Bool { bytes.isEmpty }

    /// The first published range that no packet could tell from `mapping`, and the key of its sandbox.
    ///
    /// - Parameter owner: The key of the sandbox that is going to publish it: of its own it may have the complement.
    func conflict(with mapping: PortMapping, of owner: String) -> (mapping: PortMapping, owner: String)? {
        var first: (mapping: PortMapping, owner: String)?
        scan(mapping) { conflict in
            if conflict.owner == owner && mapping.complements(conflict.mapping) { return true }
            first = conflict
            return false
        }
        return first
    }

    /// The first of several mappings that collides with what is published, and with what it does.
    func conflict(
        of mappings: [PortMapping], by owner: String
    ) -> (port: PortMapping, other: (mapping: PortMapping, owner: String))? {
        var suspects = mappings[...]
        if mappings.count > Self.fewMappings {
            guard let place = firstConflict(of: mappings, by: owner) else { return nil }
            suspects = mappings[place...place]
        }
        for mapping in suspects {
            if let other = conflict(with: mapping, of: owner) { return (mapping, other) }
        }
        return nil
    }

    /// The place of the first of many mappings that collides. Each line is read once and compared with those at its ports.
    private func firstConflict(of mappings: [PortMapping], by owner: String) -> Int? {
        let table = PortTable(mappings)
        var found: Int?
        for transport in TransportProtocol.allCases where mappings.contains(where: { $0.transport == transport }) {
            scan(transport, where: { table.contains(UInt16(clamping: $0), UInt16(clamping: $1)) }) { other in
                let ports = other.mapping.hostPorts
                _ = table.contains(ports.first, ports.last) { place in
                    let mapping = mappings[place]
                    if place < found ?? .max, mapping.conflicts(with: other.mapping),
                        other.owner != owner || !mapping.complements(other.mapping)
                    {
                        found = place
                    }
                    return false
                }
                return true
            }
        }
        return found
    }

    /// Takes what a sandbox has for not published.
    mutating func leaveOut(_ owner: String) {
        bytes = Array(Self.lines(bytes).filter { !Self.isOf(owner, $0) }.joined())
    }

    /// Whether a relay has a port of ::1 that it leaves to `mapping`: to one of other addresses, and to any when it ends
    /// before that is published.
    func hasRelay(at port: UInt16, besides mapping: PortMapping) -> Bool {
        guard let range = PortRange(port),
            let relayed = PortMapping(
                hostAddress: .v6(.loopback), hostPorts: range, sandboxPorts: range, transport: mapping.transport)
        else { return false }
        if ended.contains(where: relayed.conflicts) { return true }
        return !mapping.isRelayed && conflicts(with: relayed).contains(where: \.mapping.isRelayed)
    }

    /// All of them.
    func conflicts(with mapping: PortMapping) -> [(mapping: PortMapping, owner: String)] {
        var all: [(mapping: PortMapping, owner: String)] = []
        scan(mapping) { conflict in
            all.append(conflict)
            return true
        }
        return all
    }

    /// - Parameter found: Whether to go on.
    private func scan(_ mapping: PortMapping, _ found: ((mapping: PortMapping, owner: String)) -> Bool) {
        // Nearly every line ends here, after a few digits.
        scan(mapping.transport, where: { $0 <= Int(mapping.hostPorts.last) && $1 >= Int(mapping.hostPorts.first) }) {
            !mapping.conflicts(with: $0.mapping) || found($0)
        }
    }

    /// Reads the lines of one transport.
    ///
    /// - Parameters:
    ///   - isWanted: Whether to read on in the line of these ports, the first and the last.
    ///   - found: Whether to go on.
    private func scan(
        _ transport: TransportProtocol, where isWanted: (Int, Int) -> Bool,
        _ found: ((mapping: PortMapping, owner: String)) -> Bool
    ) {
        let word = Array(transport.rawValue.utf8)
        var start = bytes.startIndex
        while start < bytes.endIndex {
            let end = Self.end(of: start..<bytes.endIndex, at: Self.newline, bytes)
            defer { start = end + 1 }
            var position = start
            guard bytes[Self.word(bytes, &position, end)].elementsEqual(word) else { continue }
            let first = Self.number(bytes, Self.word(bytes, &position, end))
            let last = Self.number(bytes, Self.word(bytes, &position, end))
            guard isWanted(first, last) else { continue }
            let address = String(decoding: bytes[Self.word(bytes, &position, end)], as: UTF8.self)
            let owner = String(decoding: bytes[min(position, end)..<end], as: UTF8.self)
            guard let ports = PortRange(UInt16(clamping: first), UInt16(clamping: last)),
                let other = PortMapping(
                    hostAddress: IPAddress(address), hostPorts: ports, sandboxPorts: ports, transport: transport)
            else { continue }
            if !found((other, owner)) { return }
        }
    }

    // Ranges and not slices, each of which would count as one more owner of all the bytes.

    private static func word(_ bytes: [UInt8], _ position: inout Int, _ end: Int) -> Range<Int> {
        let word = position..<Self.end(of: position..<end, at: space, bytes)
        position = min(word.upperBound + 1, end)
        return word
    }

    private static func end(of text: Range<Int>, at separator: UInt8, _ bytes: [UInt8]) -> Int {
        for position in text where bytes[position] == separator { return position }
        return text.upperBound
    }

    private static func number(_ bytes: [UInt8], _ digits: Range<Int>) -> Int {
        digits.reduce(0) { ($0 &* 10) &+ Int(bytes[$1] &- UInt8(ascii: "0")) }
    }

    private static func line(_ mapping: PortMapping, _ owner: String) -> [UInt8] {
        let address = mapping.hostAddress.map(\.description) ?? "*"
        let ports = mapping.hostPorts
        return Array("\(mapping.transport.rawValue) \(ports.first) \(ports.last) \(address) \(owner)\n".utf8)
    }

    /// Replaces what a sandbox has published.
    static func update(_ store: borrowing Store, owner: String, before: [PortMapping], after: [PortMapping]) throws {
        let (gone, added) = before.changes(to: after)
        if !gone.isEmpty {
            let lines = Set(gone.map { line($0, owner) })
            let bytes = try store.run.readFile(path) ?? []
            let kept = Array(Self.lines(bytes).filter { !lines.contains($0) }.joined())
            // In its place, which takes no room; who is killed meanwhile has an intent, after which it is written anew.
            if kept != bytes { try store.run.shorten(path, to: kept) }
        }
        if !added.isEmpty { try store.run.append(Array(added.map { line($0, owner) }.joined()), to: path) }
    }

    private static func isOf(_ owner: String, _ line: [UInt8]) -> Bool {
        line.reversed().starts(with: " \(owner)\n".utf8.reversed())
    }

    private static func lines(_ bytes: [UInt8]) -> [[UInt8]] {
        bytes.split(separator: newline).map { Array($0) + [newline] }
    }

    /// Whether the index says what the records say.
    ///
    /// - Parameter unknown: Keys of sandboxes whose records cannot be read: what it says of them may be so.
    static func matches(_ store: borrowing Store, _ sandboxes: [Sandbox], unknown: Set<String> = []) throws -> Bool {
        let bytes: [UInt8]
        do {
            bytes = try store.run.readFile(path) ?? []
        } catch {
            guard error.damage != nil else { throw error }
            return false
        }
        let present = lines(bytes).filter { line in
            !unknown.contains { isOf($0, line) }
        }
        return Set(present) == wanted(sandboxes)
    }

    private static func wanted(_ sandboxes: [Sandbox]) -> Set<[UInt8]> {
        var wanted: Set<[UInt8]> = []
        for sandbox in sandboxes {
            for port in sandbox.ports { wanted.insert(line(port, sandbox.key)) }
        }
        return wanted
    }

    /// Writes the whole index anew from the records, after a process was killed while it wrote.
    static func rebuild(_ store: borrowing Store) throws {
        let sandboxes = try store.sandboxes()
        if try matches(store, sandboxes) { return }
        try store.replace(path, with: Array(wanted(sandboxes).joined()))
    }
}
