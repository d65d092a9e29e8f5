import Addressing
import CLinux
import Foundation
import LinuxSystem
@testable import Netlink
@testable import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("filters, with tc -j as the oracle")
struct TrafficFilterTests {
    private func prepare(_ route: inout Rtnetlink) throws -> (link: UInt32, ifb: UInt32) {
        let index = try route.add(NewLink("eth0", .veth(peer: .init("other")), up: true)).index
        let ifb = try route.add(NewLink("in-eth0", .ifb, up: true)).index
        try route.apply(.add(Qdisc(.clsact, link: index)))
        return (index, ifb)
    }

    @Test func `everything that comes in is redirected, and tc says so`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, ifb) = try prepare(&route)
        let filter = TrafficFilter(
            .u32([]), on: .incoming, link: link, priority: 7, handle: 0x8000_0800, [.redirect(to: ifb)])
        try route.apply(.add(filter))
        let seen = try #require(
            try host.tc("filter", "show", "dev", "eth0", "ingress").first {
                ($0["options"] as? [String: Any])?["match"] != nil
            })
        #expect(seen["protocol"] as? String == "all" && seen["pref"] as? Int == 7 && seen["kind"] as? String == "u32")
        let options = try #require(seen["options"] as? [String: Any])
        let match = options["match"] as? [String: Any]
        #expect(match?["value"] as? String == "0" && match?["mask"] as? String == "0")
        let action = try #require((options["actions"] as? [[String: Any]])?.first)
        #expect(action["kind"] as? String == "mirred" && action["mirred_action"] as? String == "redirect")
        #expect(action["to_dev"] as? String == "in-eth0" && action["direction"] as? String == "egress")
        #expect(try route.filters(link: link, on: .incoming) == [filter])
        #expect(try route.filters(link: link, on: .outgoing).isEmpty)

        // Another action in its place.
        var mirror = filter
        mirror.actions = [.mirror(to: ifb)]
        try route.apply(.replace(mirror))
        #expect(try route.filters(link: link, on: .incoming) == [mirror])
        expectRefusal(.invalidArgument, naming: "a filter is replaced by its handle") {
            mirror.handle = nil
            try route.apply(.replace(mirror))
        }
        try route.apply(.delete(filter))
        #expect(try route.filters(link: link, on: .incoming).isEmpty)
        #expect(try host.tc("filter", "show", "dev", "eth0", "ingress").isEmpty)
    }

    @Test func `words of a packet choose a class`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, _) = try prepare(&route)
        let root = TrafficHandle(1), first = TrafficHandle(1, 0x10)
        // ip dst 10.1.2.0/24, udp.
        let words = [
            TrafficFilter.Word(0x0a01_0200, mask: 0xffff_ff00, at: 16), .init(0x0011_0000, mask: 0x00ff_0000, at: 8),
        ]
        let filter = TrafficFilter(
            .u32(words), on: root, link: link, priority: 3, protocol: UInt16(ETH_P_IP), handle: 0x8000_0801,
            target: first)
        try route.apply([
            .add(Qdisc(.htb(defaultClass: 0), link: link, handle: root)),
            .add(TrafficClass(first, of: root, link: link, rate: 125_000, burst: 15000)), .add(filter),
        ])
        #expect(try route.filters(link: link, on: root) == [filter])
        let text = try host.must("tc", "filter", "show", "dev", "eth0")
        #expect(
            text.contains("match 0a010200/ffffff00 at 16") && text.contains("match 00110000/00ff0000 at 8"), "\(text)")
        #expect(text.contains("flowid 1:10") && text.contains("protocol ip pref 3"), "\(text)")
    }

    @Test func `a program decides, and tc says which`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, _) = try prepare(&route)
        var program = BPFProgram()
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, 0, immediate: Int32(TC_ACT_SHOT))
        program.put(BPF_JMP | BPF_EXIT, 0)
        let loaded = try program.load(BPF_PROG_TYPE_SCHED_CLS, "drop all")
        var filter = TrafficFilter(
            .bpf(.init("drop all", descriptor: loaded.rawValue)), on: .incoming, link: link, priority: 3, handle: 1)
        try route.apply(.add(filter))
        let options = try #require(
            try host.tc("filter", "show", "dev", "eth0", "ingress").compactMap { $0["options"] as? [String: Any] }.first
        )
        #expect(options["bpf_name"] as? String == "drop all" && options["direct-action"] as? Bool == true, "\(options)")
        filter.classifier = .bpf(.init("drop all", descriptor: nil))
        #expect(try route.filters(link: link, on: .incoming) == [filter])
        try route.apply(.delete(filter))
        #expect(try route.filters(link: link, on: .incoming).isEmpty)
        // One that would run for ever is none to the kernel, and a descriptor of something else no program.
        var endless = BPFProgram()
        endless.put(BPF_JMP | BPF_JA, 0, offset: -1)
        #expect(throws: SystemError.self) { _ = try endless.load(BPF_PROG_TYPE_SCHED_CLS, "endless") }
        filter.classifier = .bpf(.init("none", descriptor: 0))
        expectRefusal(.invalidArgument, naming: "add filter bpf pref 3") { try route.apply(.add(filter)) }
    }

    @Test func `what tc makes is read`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, ifb) = try prepare(&route)
        try host.must(
            "tc", "filter", "add", "dev", "eth0", "egress", "pref", "9", "protocol", "ipv6", "u32", "match", "u32", "0",
            "0", "action", "mirred", "egress", "mirror", "dev", "in-eth0")
        let read = try #require(try route.filters(link: link, on: .outgoing).first)
        #expect(read.classifier == .u32([]) && read.priority == 9 && read.protocol == UInt16(ETH_P_IPV6))
        #expect(read.actions == [.mirror(to: ifb)] && read.target == nil)
    }

    @Test func `filters that cannot be are refused, before the kernel or in its words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, ifb) = try prepare(&route)
        func refuse(_ filter: TrafficFilter, _ words: String) {
            expectRefusal(.invalidArgument, naming: words) { try route.apply(.add(filter)) }
        }
        func filter(_ actions: [TrafficAction], _ classifier: TrafficFilter.Classifier = .u32([])) -> TrafficFilter {
            TrafficFilter(classifier, on: .incoming, link: link, priority: 1, actions)
        }
        refuse(filter([.police(.init(rate: 0, burst: 1))]), "a rate of 0 lets nothing pass")
        refuse(filter([.police(.init(rate: 1, burst: 0))]), "a burst of 0")
        refuse(filter([.other("strange")]), "the action strange cannot be sent")
        refuse(filter([], .other("strange")), "the classifier strange cannot be sent")
        refuse(filter([], .u32([.init(1, at: 2)])), "the offset 2 is no multiple of 4")
        refuse(filter([], .u32((0..<129).map { .init(1, at: $0 * 4) })), "129 words")
        refuse(filter(Array(repeating: .mirror(to: ifb), count: 33)), "33 actions")
        expectRefusal(.invalidArgument, naming: "a filter is deleted by its priority") {
            try route.apply(.delete(TrafficFilter(.u32([]), on: .incoming, link: link, priority: 0)))
        }
        let nowhere = expectRefusal(Errno(rawValue: ENODEV), naming: "add filter u32 pref 1 on ffff:fff2") {
            try route.apply(.add(filter([.redirect(to: 4711)])))
        }
        #expect(nowhere != nil)
        let noHook = expectRefusal(.invalidArgument, naming: "of link \(ifb)") {
            try route.apply(.add(TrafficFilter(.u32([]), on: .incoming, link: ifb, priority: 1, [.mirror(to: link)])))
        }
        #expect(noHook?.message?.isEmpty == false)
        if !KernelSupport.matchAll {
            expectRefusal(.noSuchFileOrDirectory, naming: "(this kernel has no classifier matchall)") {
                try route.apply(.add(filter([.redirect(to: ifb)], .matchAll)))
            }
        }
        if !KernelSupport.police {
            expectRefusal(.noSuchFileOrDirectory, naming: "(this kernel has no action police)") {
                try route.apply(.add(filter([.police(.init(rate: 1000, burst: 1000))])))
            }
        }
        #expect(try route.filters(link: link, on: .incoming).isEmpty)
    }

    @Test func `a police action is laid out as the kernel reads it`() throws {
        let filter = TrafficFilter(
            .u32([]), on: .incoming, link: 1, priority: 1, [.police(.init(rate: 1_000_000, burst: 64000))])
        let bytes = try filter.message(RTM_NEWTFILTER).finished(sequence: 1)
        let list = Attributes(bytes[36...]).nested(TCA_OPTIONS).nested(TCA_U32_ACT)
        #expect(TrafficAction.read(list) == filter.actions)
        let options = list.nested(1).nested(TCA_ACT_OPTIONS)
        // 256 cells; the first is 256 bytes at 1 MB/s, which is 256 µs or 4000 ticks.
        let table = try #require(options[TCA_POLICE_RATE]).payload
        #expect(table.count == 1024 && table.header(UInt32.self) == 4000)
        #expect(options[TCA_POLICE_TBF]?.payload.count == MemoryLayout<tc_police>.size)
    }

    @Test(.enabled(if: KernelSupport.matchAll, "this kernel has no classifier matchall"))
    func `matchall redirects as u32 does`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, ifb) = try prepare(&route)
        let filter = TrafficFilter(
            .matchAll, on: .incoming, link: link, priority: 7, handle: 1, [.redirect(to: ifb)])
        try route.apply(.add(filter))
        #expect(try route.filters(link: link, on: .incoming) == [filter])
        #expect(try host.must("tc", "filter", "show", "dev", "eth0", "ingress").contains("matchall"))
    }

    @Test(.enabled(if: KernelSupport.police, "this kernel has no action police"))
    func `a police action is read back as it was meant`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let (link, _) = try prepare(&route)
        let filter = TrafficFilter(
            .u32([]), on: .incoming, link: link, priority: 7, handle: 0x8000_0800,
            [.police(.init(rate: 1_250_000, burst: 125_000))])
        try route.apply(.add(filter))
        let text = try host.must("tc", "filter", "show", "dev", "eth0", "ingress")
        #expect(text.contains("rate 10Mbit burst 125000b") && text.contains("action drop"), "\(text)")
        #expect(try route.filters(link: link, on: .incoming) == [filter])
    }
}
