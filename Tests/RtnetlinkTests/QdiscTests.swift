import Addressing
import CLinux
import Foundation
@testable import Netlink
@testable import Rtnetlink
import SystemPackage
import Testing
import TestSupport

extension NetworkNamespaceFixture {
    /// What `tc -j -s` prints.
    func tc(_ words: String...) throws -> [[String: Any]] {
        let output = try run(["tc", "-j", "-s"] + words).output
        return try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [[String: Any]] ?? []
    }
}

@Suite("queueing disciplines, with tc -j as the oracle")
struct QdiscTests {
    /// A veth `eth0`, up; returns its index.
    private func prepare(_ route: inout Rtnetlink) throws -> UInt32 {
        let index = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        try route.set(.name("other"), LinkSettings(up: true))
        return index
    }

    private func only(_ route: inout Rtnetlink, _ link: UInt32) throws -> Qdisc {
        let found = try route.qdiscs(link: link).filter { $0.kind != .other("noqueue") }
        #expect(found.count == 1)
        return try #require(found.first)
    }

    @Test func `a token bucket is added, read back, changed while it works, and deleted`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        // 10 Mbit/s.
        let bucket = TokenBucket(rate: 1_250_000, burst: 10240, limit: 30720)
        try route.apply(.add(Qdisc(.tbf(bucket), link: link, handle: TrafficHandle(0x8001))))
        var seen = try #require(try host.tc("qdisc", "show", "dev", "eth0").first)
        var options = try #require(seen["options"] as? [String: Any])
        #expect(seen["kind"] as? String == "tbf" && seen["handle"] as? String == "8001:")
        #expect(seen["root"] as? Bool == true && options["rate"] as? Int == 1_250_000)
        #expect(options["burst"] as? Int == 10240)
        // tc tells the limit as the time in which what waits is sent: (30720 - 10240) / 1250000 s.
        #expect(options["lat"] as? Int == 16384)
        var read = try only(&route, link)
        #expect(read.kind == .tbf(bucket) && read.parent == .root && read.handle == TrafficHandle(0x8001))

        var faster = TokenBucket(rate: 12_500_000, burst: 125_000, latency: .milliseconds(20))
        #expect(faster.limit == 375_000)
        try route.apply(.change(Qdisc(.tbf(faster), link: link)))
        seen = try #require(try host.tc("qdisc", "show", "dev", "eth0").first)
        options = try #require(seen["options"] as? [String: Any])
        #expect(options["rate"] as? Int == 12_500_000 && seen["handle"] as? String == "8001:")
        read = try only(&route, link)
        #expect(read.kind == .tbf(faster))
        // Faster than 32 bits can say: 80 Gbit/s.
        faster.rate = 10_000_000_000
        (faster.burst, faster.limit) = (10_000_000, 20_000_000)
        try route.apply(.replace(Qdisc(.tbf(faster), link: link)))
        options = try #require(try host.tc("qdisc", "show", "dev", "eth0").first?["options"] as? [String: Any])
        #expect(options["rate"] as? Int == 10_000_000_000)
        guard case .tbf(let fast) = try only(&route, link).kind else { return }
        #expect(fast.rate == 10_000_000_000 && fast.limit == 20_000_000)
        // A tick of this rate is 640 bytes.
        #expect(abs(Int(fast.burst) - 10_000_000) <= 640)

        expectRefusal(.fileExists, naming: "add queueing discipline tbf root of link \(link)") {
            try route.apply(.add(Qdisc(.tbf(bucket), link: link)))
        }
        try route.apply(.delete(Qdisc(.tbf(bucket), link: link)))
        #expect(try host.tc("qdisc", "show", "dev", "eth0").allSatisfy { $0["kind"] as? String == "noqueue" })
        #expect(throws: NetlinkError.self) { try route.apply(.delete(Qdisc(.tbf(bucket), link: link))) }
        expectRefusal(.noSuchFileOrDirectory, naming: "change queueing discipline") {
            try route.apply(.change(Qdisc(.tbf(bucket), link: link)))
        }
    }

    @Test func `a peak rate is set and read back`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        let bucket = TokenBucket(rate: 1_250_000, burst: 20000, limit: 60000, peakRate: 2_500_000, peakMTU: 2000)
        try route.apply(.add(Qdisc(.tbf(bucket), link: link)))
        #expect(try only(&route, link).kind == .tbf(bucket))
        let text = try host.must("tc", "qdisc", "show", "dev", "eth0")
        #expect(text.contains("rate 10Mbit burst 20000b") && text.contains("peakrate 20Mbit minburst 2000b"), "\(text)")
    }

    @Test func `classes of htb lend to each other, and change while they work`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        let root = TrafficHandle(1), first = TrafficHandle(1, 0x10)
        try route.apply(.add(Qdisc(.htb(defaultClass: 0x10), link: link, handle: root)))
        let wanted = TrafficClass(
            first, of: root, link: link, rate: 125_000, ceiling: 250_000, burst: 15000, ceilingBurst: 30000,
            priority: 3,
            quantum: 20000)
        try route.apply(.add(wanted))
        #expect(try only(&route, link).kind == .htb(defaultClass: 0x10))
        var text = try host.must("tc", "class", "show", "dev", "eth0")
        #expect(text.contains("class htb 1:10 root prio 3 rate 1Mbit ceil 2Mbit burst 15000b cburst 30000b"), "\(text)")
        var read = try #require(try route.classes(link: link).first)
        // A class without a class above it hangs, to the kernel, at the root.
        #expect(read.handle == first && read.parent == .root && read.rate == 125_000 && read.ceiling == 250_000)
        #expect(read.burst == 15000 && read.ceilingBurst == 30000 && read.priority == 3 && read.quantum == 20000)
        var faster = wanted
        (faster.rate, faster.ceiling) = (5_000_000_000, 5_000_000_000)
        (faster.burst, faster.ceilingBurst) = (50_000_000, 50_000_000)
        try route.apply(.change(faster))
        read = try #require(try route.classes(link: link).first)
        #expect(read.rate == 5_000_000_000 && read.ceiling == 5_000_000_000)
        text = try host.must("tc", "class", "show", "dev", "eth0")
        #expect(text.contains("rate 40Gbit ceil 40Gbit"), "\(text)")
        // A queue below a class.
        try route.apply(.add(Qdisc(.pfifo(limit: 77), link: link, parent: first, handle: TrafficHandle(0x10))))
        let below = try #require(try host.tc("qdisc", "show", "dev", "eth0").first { $0["kind"] as? String == "pfifo" })
        #expect(below["parent"] as? String == "1:10" && (below["options"] as? [String: Any])?["limit"] as? Int == 77)
        #expect(try route.qdiscs(link: link).contains { $0.kind == .pfifo(limit: 77) && $0.parent == first })
        #expect(throws: NetlinkError.self) {
            try route.apply(.add(TrafficClass(first, of: root, link: link, rate: 1, burst: 1)))
        }
        try route.apply(.delete(wanted))
        #expect(try route.classes(link: link).isEmpty)
    }

    @Test func `the hooks for filters come and go`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        for kind: Qdisc.Kind in [.clsact, .ingress] {
            try route.apply(.add(Qdisc(kind, link: link)))
            let seen = try #require(
                try host.tc("qdisc", "show", "dev", "eth0").first { $0["kind"] as? String == kind.name })
            #expect(seen["handle"] as? String == "ffff:")
            #expect(try route.qdiscs(link: link).contains { $0.kind == kind && $0.parent == .ingress })
            try route.apply(.delete(Qdisc(kind, link: link)))
            #expect(try route.qdiscs(link: link).allSatisfy { $0.kind != kind })
        }
    }

    @Test func `settings that let nothing pass are refused before the kernel`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        func refuse(_ kind: Qdisc.Kind, _ words: String) {
            expectRefusal(.invalidArgument, naming: words) { try route.apply(.add(Qdisc(kind, link: link))) }
        }
        refuse(.tbf(.init(rate: 0, burst: 1000, limit: 1000)), "a rate of 0 lets nothing pass")
        refuse(.tbf(.init(rate: 1, burst: 0, limit: 1000)), "a burst of 0")
        refuse(.tbf(.init(rate: 1, burst: 1, limit: 0)), "a limit of 0")
        refuse(.tbf(.init(rate: 9, burst: 9, limit: 9, peakRate: 9, peakMTU: 9)), "a peak rate of 9")
        refuse(.netem(.init(loss: 1.5)), "the loss 1.5 is not in 0-1")
        refuse(.netem(.init(duplicate: -0.1)), "the duplication -0.1")
        refuse(.netem(.init(corrupt: .nan)), "the corruption nan")
        refuse(.netem(.init(delay: .seconds(-1))), "the delay -1.0 seconds is negative")
        refuse(.netem(.init(reorder: 0.5)), "reordering needs a delay")
        refuse(.netem(.init(rate: 0)), "a rate of 0")
        refuse(.netem(.init(limit: 0)), "a limit of 0")
        refuse(.prio(.init(bands: 1)), "1 bands are not 2-16")
        refuse(.prio(.init(bands: 3, map: [9])), "the map [9]")
        refuse(.fqCodel(.init(flows: 0)), "a number of flows of 0")
        refuse(.pfifo(limit: 0), "a limit of 0")
        let root = TrafficHandle(1), first = TrafficHandle(1, 1)
        func refuse(_ class: TrafficClass, _ words: String) {
            expectRefusal(.invalidArgument, naming: words) { try route.apply(.add(`class`)) }
        }
        refuse(TrafficClass(first, of: root, link: link, rate: 0, burst: 1), "a rate of 0")
        refuse(TrafficClass(first, of: root, link: link, rate: 9, ceiling: 8, burst: 1), "the ceiling 8")
        refuse(TrafficClass(root, of: root, link: link, rate: 9, burst: 1), "1: is a discipline's handle")
        refuse(TrafficClass(first, of: root, link: link, rate: 9, burst: 1, priority: 8), "the priority 8")
        // And in the kernel's words.
        let noLink = expectRefusal(Errno(rawValue: ENODEV), naming: "pfifo root of link 4711") {
            try route.apply(.add(Qdisc(.pfifo(limit: 1), link: 4711)))
        }
        #expect(noLink != nil)
        let noParent = expectRefusal(.noSuchFileOrDirectory, naming: "pfifo 9:1 of link \(link)") {
            try route.apply(.add(Qdisc(.pfifo(limit: 1), link: link, parent: TrafficHandle(9, 1))))
        }
        #expect(noParent?.message?.isEmpty == false && noParent?.hint == nil)
    }

    @Test func `the discipline that a kernel lacks is named`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        expectRefusal(.noSuchFileOrDirectory, naming: "(this kernel has no queueing discipline no-such)") {
            try route.apply(.add(Qdisc(.other("no-such"), link: link)))
        }
        if !KernelSupport.netem {
            expectRefusal(.noSuchFileOrDirectory, naming: "(this kernel has no queueing discipline netem)") {
                try route.apply(.add(Qdisc(.netem(.init(delay: .milliseconds(1))), link: link)))
            }
        }
    }

    // MARK: Disciplines that not every kernel has

    /// The options of the message that adds a discipline.
    private func options(_ kind: Qdisc.Kind) throws -> ArraySlice<UInt8> {
        let bytes = try Qdisc(kind, link: 1).message(RTM_NEWQDISC).finished(sequence: 1)
        // The header of netlink and struct tcmsg.
        return try #require(Attributes(bytes[36...])[TCA_OPTIONS]).payload
    }

    @Test func `netem is laid out as the kernel reads it`() throws {
        let bytes = try options(
            .netem(.init(delay: .microseconds(64), jitter: .nanoseconds(640), loss: 1, duplicate: 0.5, limit: 5)))
        #expect(
            Array(bytes.prefix(24)) == [
                0xe8, 3, 0, 0,  // latency: 1000 ticks of 64 ns
                5, 0, 0, 0,  // limit
                255, 255, 255, 255,  // loss: all
                0, 0, 0, 0,  // gap
                0, 0, 0, 0x80,  // duplicate: half
                10, 0, 0, 0,  // jitter: 10 ticks
            ])
        let attributes = Attributes(bytes.dropFirst(24))
        #expect(attributes[TCA_NETEM_LATENCY64]?.i64 == 64000 && attributes[TCA_NETEM_JITTER64]?.i64 == 640)
        #expect(attributes[TCA_NETEM_RATE] == nil)
        let settings = NetworkEmulator(
            delay: .milliseconds(100), jitter: .milliseconds(10), reorder: 1, rate: 5_000_000_000)
        let read = try #require(NetworkEmulator(try options(.netem(settings))))
        #expect(read.delay == settings.delay && read.jitter == settings.jitter && read.rate == settings.rate)
        #expect(read.reorder == 1 && read.gap == 1 && read.limit == 1000)
    }

    @Test func `prio and fq_codel are laid out as the kernel reads them`() throws {
        #expect(
            Array(try options(.prio(.init()))) == [3, 0, 0, 0, 1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
        #expect(PriorityBands(try options(.prio(.init(bands: 5)))) == PriorityBands(bands: 5))
        let queue = FairQueue(
            limit: 1000, flows: 64, quantum: 1500, target: .milliseconds(5), interval: .milliseconds(100), ecn: true,
            memoryLimit: 1 << 20)
        #expect(FairQueue(Attributes(try options(.fqCodel(queue)))) == queue)
        #expect(Attributes(try options(.fqCodel(queue))).u32(TCA_FQ_CODEL_TARGET) == 5000)
    }

    @Test(.enabled(if: KernelSupport.netem, "this kernel has no queueing discipline netem"))
    func `the kernel has the impairments that were meant`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        let settings = NetworkEmulator(
            delay: .milliseconds(100), jitter: .milliseconds(10), delayCorrelation: 0.25, loss: 0.5, duplicate: 0.25,
            corrupt: 0.125, reorder: 0.75, reorderCorrelation: 0.5, gap: 5, rate: 1_250_000, limit: 77)
        try route.apply(.add(Qdisc(.netem(settings), link: link)))
        let text = try host.must("tc", "qdisc", "show", "dev", "eth0")
        for words in [
            "limit 77", "delay 100ms  10ms 25%", "loss 50%", "duplicate 25%", "reorder 75% 50%", "corrupt 12.5%",
            "rate 10Mbit", "gap 5",
        ] { #expect(text.contains(words), "\(words) in \(text)") }
        guard case .netem(let read) = try only(&route, link).kind else {
            Issue.record("not netem")
            return
        }
        #expect(read.delay == settings.delay && read.jitter == settings.jitter && read.rate == settings.rate)
        #expect(read.gap == 5 && read.limit == 77 && abs(read.loss - 0.5) < 1e-9 && abs(read.reorder - 0.75) < 1e-9)
        #expect(abs(read.corrupt - 0.125) < 1e-9 && abs(read.delayCorrelation - 0.25) < 1e-9)
        try route.apply(.change(Qdisc(.netem(.init(loss: 1)), link: link)))
        #expect(try host.must("tc", "qdisc", "show", "dev", "eth0").contains("loss 100%"))
    }

    @Test(.enabled(if: KernelSupport.prio && KernelSupport.fairQueue, "this kernel has no prio and fq_codel"))
    func `the kernel has the bands and the fair queue that were meant`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let link = try prepare(&route)
        let queue = FairQueue(limit: 1000, flows: 64, target: .milliseconds(7), ecn: false)
        try route.apply([
            .add(Qdisc(.prio(.init(bands: 4)), link: link, handle: TrafficHandle(1))),
            .add(Qdisc(.fqCodel(queue), link: link, parent: TrafficHandle(1, 2))),
        ])
        let text = try host.must("tc", "qdisc", "show", "dev", "eth0")
        #expect(
            text.contains("prio 1: root") && text.contains("bands 4 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1"), "\(text)"
        )
        #expect(text.contains("parent 1:2 limit 1000p flows 64") && text.contains("target 7ms"), "\(text)")
        let found = try route.qdiscs(link: link)
        #expect(found.contains { $0.kind == .prio(.init(bands: 4)) })
        #expect(found.contains { if case .fqCodel(let read) = $0.kind { read.flows == 64 } else { false } })
    }
}
