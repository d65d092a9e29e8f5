import Addressing
import Foundation
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("routing policy, with ip -j rule as the oracle")
struct RoutingRuleTests {
    @Test func `rules of every sort are added, listed and deleted`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let source = try #require(IPPrefix("10.1.0.0/16")), destination = try #require(IPPrefix("192.0.2.0/24"))
        let six = try #require(IPPrefix("fd00:1::/64"))
        let rules = [
            RoutingRule(.v4, .table(1000), priority: 100, source: source, destination: destination),
            RoutingRule(.v4, .table(7), priority: 101, inputLink: "eth0", mark: 0x10, markMask: 0xff),
            RoutingRule(.v4, .blackhole, priority: 102, source: source, isInverted: true),
            RoutingRule(.v4, .unreachable, priority: 103, outputLink: "eth9"),
            RoutingRule(.v4, .prohibit, priority: 104, protocol: 17, destinationPorts: 53...53),
            RoutingRule(.v4, .table(254), priority: 105, suppressPrefixLength: 0),
            RoutingRule(.v4, .goto(32766), priority: 106, sourcePorts: 1000...2000),
            RoutingRule(.v6, .table(1000), priority: 107, source: six),
        ]
        try route.apply(rules.map { .addRule($0) })
        #expect(try route.rules().filter { (100...107).contains($0.priority ?? 0) } == rules)
        #expect(try route.rules(family: .v6).filter { $0.priority == 107 } == [rules[7]])

        let seen = try host.ip("rule", "show") + host.ip("-6", "rule", "show")
        func find(_ priority: Int) -> [String: Any] { seen.first { $0["priority"] as? Int == priority } ?? [:] }
        let first = find(100)
        #expect(first["src"] as? String == "10.1.0.0" && first["srclen"] as? Int == 16)
        #expect(first["dst"] as? String == "192.0.2.0" && first["table"] as? String == "1000")
        #expect(find(101)["iif"] as? String == "eth0" && find(101)["fwmark"] as? String == "0x10")
        #expect(find(101)["fwmask"] as? String == "0xff")
        #expect(find(102)["action"] as? String == "blackhole" && find(102).keys.contains("not"))
        #expect(find(103)["oif"] as? String == "eth9" && find(103)["action"] as? String == "unreachable")
        #expect(find(104)["ipproto"] as? String == "udp" && find(104)["dport"] as? Int == 53)
        #expect(find(104)["action"] as? String == "prohibit")
        #expect(find(105)["suppress_prefixlen"] as? Int == 0)
        #expect(find(106)["goto"] as? Int == 32766)
        #expect(find(107)["src"] as? String == "fd00:1::")

        for rule in rules { try route.deleteRule(rule) }
        #expect(try route.rules().allSatisfy { !(100...107).contains($0.priority ?? 0) })
        #expect(try host.ip("rule", "show").count == 3)
    }

    @Test func `a rule decides which table a packet takes`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        try route.set(.index(1), LinkSettings(up: true))
        let target = try #require(IPPrefix("198.51.100.0/24"))
        try route.addRule(RoutingRule(.v4, .table(1000), priority: 10, destination: target))
        try route.addRoute(Route(to: .everything(.v4), kind: .prohibit, table: 1000))
        expectRefusal(Errno(rawValue: EACCES), naming: "198.51.100.9") {
            _ = try route.route(to: try #require(IPAddress("198.51.100.9")))
        }
        expectRefusal(.networkUnreachable, naming: "203.0.113.9") {
            _ = try route.route(to: try #require(IPAddress("203.0.113.9")))
        }
    }

    @Test func `rules that cannot be are refused, before the kernel or in its words`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let six = try #require(IPPrefix("fd00:1::/64"))
        let rule = RoutingRule(.v4, .table(9), priority: 50)
        try route.addRule(rule)
        expectRefusal(.fileExists, naming: "add rule from all table 9") { try route.addRule(rule) }
        expectRefusal(.invalidArgument, naming: "fd00:1::/64 is not IPv4") {
            try route.addRule(RoutingRule(.v4, .table(9), source: six))
        }
        expectRefusal(.invalidArgument, naming: "0 is no routing table") {
            try route.addRule(RoutingRule(.v4, .table(0)))
        }
        expectRefusal(.invalidArgument, naming: "a mask needs a mark") {
            try route.addRule(RoutingRule(.v4, .table(1), markMask: 1))
        }
        let long = expectRefusal(.outOfRange, naming: "add rule from all iif sixteen-letters- table 9") {
            try route.addRule(RoutingRule(.v4, .table(9), inputLink: "sixteen-letters-"))
        }
        #expect(long?.message?.isEmpty == false)
        expectRefusal(.noSuchFileOrDirectory, naming: "delete rule from all table 4711") {
            try route.deleteRule(RoutingRule(.v4, .table(4711)))
        }
        // A jump back would be a loop.
        let back = expectRefusal(.invalidArgument, naming: "goto 10") {
            try route.addRule(RoutingRule(.v4, .goto(10), priority: 20))
        }
        #expect(back != nil)
    }
}
