import Addressing
import CLinux
import Foundation
import Nftables
import TestSupport
import Testing

@Suite("events, with nft monitor as the oracle")
struct MonitorTests {
    private func drain(_ monitor: borrowing NftablesMonitor) throws -> [NftablesEvent] {
        var events: [NftablesEvent] = []
        while true {
            let more = try monitor.next()
            if more.isEmpty { return events }
            events += more
        }
    }

    @Test func `what nft changes is told, with who did it`() throws {
        let host = try NetworkNamespaceFixture()
        let monitor = try NftablesMonitor(.changes, in: host.namespace)
        var socket = try NftablesSocket(in: host.namespace)
        try host.nftLoad(
            """
            table inet t {
                comment "mine"
                set s { type ipv4_addr; elements = { 10.0.0.1, 10.0.0.2 } }
                chain c {
                    type filter hook input priority 0; policy drop;
                    ip saddr @s accept comment "friends"
                }
            }
            """)
        let table = try #require(try socket.table(.inet, "t"))
        let chain = try #require(try socket.chains(of: table).first)
        let rule = try #require(try socket.rules(of: chain).first)
        var events = try drain(monitor)
        #expect(events.contains(.added(.table(table))))
        #expect(events.contains(.added(.chain(chain))))
        #expect(events.contains(.added(.rule(rule))), "\(events)")
        #expect(events.contains(.added(.set(table.reference, name: "s"))))
        let keys = events.flatMap { event -> [[UInt8]] in
            if case .added(.elements(table.reference, set: "s", let keys)) = event { keys } else { [] }
        }
        #expect(Set(keys) == [[10, 0, 0, 1], [10, 0, 0, 2]])
        guard case .committed(let first) = events.last else {
            Issue.record("no end of a batch: \(events)")
            return
        }
        #expect(first.command == "nft" && first.process != nil)

        try host.must("nft", "delete", "element", "inet", "t", "s", "{ 10.0.0.1 }")
        events = try drain(monitor)
        #expect(events.contains(.deleted(.elements(table.reference, set: "s", keys: [[10, 0, 0, 1]]))))
        guard case .committed(let second) = events.last else { return }
        #expect(second.number == first.number + 1)

        // What a service that reloads its own rules does to everybody's.
        try host.must("nft", "flush", "ruleset")
        events = try drain(monitor)
        #expect(
            events.contains {
                if case .deleted(.table(let gone)) = $0 { gone.reference == table.reference } else { false }
            })
        #expect(
            events.contains {
                if case .deleted(.chain(let gone)) = $0 { gone.reference == chain.reference } else { false }
            })
        #expect(
            events.contains { if case .deleted(.rule(let gone)) = $0 { gone.handle == rule.handle } else { false } })

        // Our own changes are told too; by the command one tells them from others.
        var batch = Batch()
        batch.add(Table(.inet, "ours"))
        try socket.commit(batch)
        guard case .committed(let own) = try drain(monitor).last else { return }
        #expect(own.process == gettid() && own.command != "nft")
    }

    @Test func `lost events are told, and what comes later is heard`() throws {
        let host = try NetworkNamespaceFixture()
        let monitor = try NftablesMonitor(.changes, in: host.namespace, receiveBuffer: 4096)
        var socket = try NftablesSocket(in: host.namespace)
        var batch = Batch()
        for number in 0..<500 { batch.add(Table(.inet, "t\(number)")) }
        try socket.commit(batch)
        #expect(try drain(monitor).filter { $0 == .resyncNeeded }.count == 1)
        batch = Batch()
        batch.add(Table(.ip, "after"))
        try socket.commit(batch)
        #expect(
            try drain(monitor).contains {
                if case .added(.table(let table)) = $0 { table.name == "after" } else { false }
            })
    }

    /// UDP to port 4711 is traced, goes through `helper`, and is dropped.
    private static func ruleset(_ table: Table, _ raw: Chain, _ input: Chain, _ helper: Chain) -> Batch {
        var batch = Batch()
        batch.add(table)
        for chain in [raw, input, helper] { batch.add(chain) }
        batch.add(Rule(in: raw, .match(.udp(.dport), is: .service(4711)), .trace()))
        batch.add(Rule(in: input, .match(.l4proto, is: .proto(.tcp)), .accept))
        batch.add(Rule(in: input, .match(.udp(.dport), is: .service(4711)), .jump(helper)))
        batch.add(Rule(in: input, .counter, .drop, comment: "the end"))
        batch.add(Rule(in: helper, .counter))
        return batch
    }

    @Test(arguments: [IPFamily.v4, .v6])
    func `the way of a packet is told step by step, as nft monitor trace tells it`(family: IPFamily) async throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "set", "lo", "up")
        let table = Table(.inet, "t")
        let raw = Chain("raw", in: table, type: .filter, hook: .prerouting, priority: .raw)
        let input = Chain("input", in: table, type: .filter, hook: .input, priority: .filter)
        let helper = Chain("helper", in: table)
        var socket = try NftablesSocket(in: host.namespace)
        try socket.commit(Self.ruleset(table, raw, input, helper))

        let monitor = try NftablesMonitor(.traces, in: host.namespace)
        let oracle = try Command(["nsenter", "--net=\(host.path)", "nft", "-nn", "monitor", "trace"])
        let (address, own) = family == .v4 ? ("127.0.0.2", "127.0.0.1") : ("::1", "::1")
        let listening = try await eventually {
            try host.must("bash", "-c", "echo hello > /dev/udp/\(address)/4711")
            return oracle.outputSoFar.contains("verdict drop")
        }
        #expect(listening)
        await oracle.stop()
        // A packet that nft has told to its end: those that came later it may have told in part.
        let lines = oracle.outputSoFar.split(separator: "\n").map(String.init)
            .filter { $0.hasPrefix("trace id") && ($0.contains(" rule ") || $0.contains(" policy ")) }
        let end = try #require(lines.firstIndex { $0.contains("verdict drop") })
        let identifier = lines[end].split(separator: " ")[2]
        let told = lines[...end].filter { $0.hasPrefix("trace id \(identifier) ") }
        let verdicts = told.suffix(5).map { $0.contains("accept") ? "accept" : $0.contains("drop") ? "drop" : "go on" }
        #expect(verdicts == ["go on", "accept", "go on", "go on", "drop"], "\(told)")

        func handles(_ chain: Chain) throws -> [UInt64] { try socket.rules(of: chain).compactMap(\.handle) }
        let rawRules = try handles(raw), inputRules = try handles(input), helperRules = try handles(helper)
        var steps = try drain(monitor).compactMap { if case .traced(let step) = $0 { step } else { nil } }
        steps = steps.filter { $0.identifier == UInt32(identifier, radix: 16) }
        // One packet may follow another in the same memory.
        let start = try #require(steps.firstIndex { $0.step == .rule(handle: rawRules[0]) })
        // Not every kernel tells of the end of a chain that was jumped to.
        steps = Array(steps[start...].filter { $0.step != .return }.prefix(5))
        #expect(
            steps.map(\.step) == [
                .rule(handle: rawRules[0]), .policy, .rule(handle: inputRules[1]), .rule(handle: helperRules[0]),
                .rule(handle: inputRules[2]),
            ])
        #expect(
            steps.map(\.verdict) == [.continue, .accept, .jump("helper"), .continue, .drop], "\(steps)")
        #expect(steps.map(\.chain) == ["raw", "raw", "input", "helper", "input"])
        #expect(steps.allSatisfy { $0.table == table.reference })
        try #require(steps.count == 5)
        for first in [steps[0], steps[2]] {
            #expect(first.inputLink == 1 && first.outputLink == nil)
            #expect(first.network == (family == .v4 ? .ip : .ip6))
            #expect(first.packet?.destinationPort == 4711)
        }
        let packet = try #require(steps[0].packet)
        #expect(packet.source == IPAddress(own) && packet.destination == IPAddress(address))
        #expect(packet.transport == .udp && packet.destinationPort == 4711 && packet.sourcePort != nil)
        #expect(packet.ttl == 64)
    }

    @Test func `nothing is told of a packet that nobody traces`() throws {
        let host = try NetworkNamespaceFixture()
        try host.must("ip", "link", "set", "lo", "up")
        try host.nftLoad(
            """
            table inet t {
                chain c {
                    type filter hook input priority 0;
                    udp dport 1 meta nftrace set 1
                    udp dport 2 drop
                }
            }
            """)
        let monitor = try NftablesMonitor(.traces, in: host.namespace)
        try host.must("bash", "-c", "echo hello > /dev/udp/127.0.0.1/2")
        #expect(try drain(monitor).isEmpty)
    }
}
