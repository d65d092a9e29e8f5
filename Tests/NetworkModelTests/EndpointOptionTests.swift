import Addressing
import JSONCoding
import NetworkModel
import Testing

@Suite("what is asked of an endpoint")
struct EndpointOptionTests {
    @Test(
        arguments: [
            ("10mbit", 10_000_000, nil), ("1gbit", 1_000_000_000, nil), ("1.5mbit", 1_500_000, nil),
            ("8000", 8000, nil),
            ("1mbps", 8_000_000, nil), ("1kibit", 1024, nil), ("1KIBIT", 1024, nil), ("2mibps", 16_777_216, nil),
            ("64k", 64_000, nil), ("1mi", 1_048_576, nil), ("10mbit,64kb", 10_000_000, 65536),
            ("1mbit,2000", 1_000_000, 2000),
            ("1mbit,1.5kb", 1_000_000, 1536), ("1tbit", 1_000_000_000_000, nil), ("1mbit,8kbit", 1_000_000, 1024),
        ] as [(String, UInt64, UInt32?)])
    func `rates as tc writes them`(text: String, bits: UInt64, burst: UInt32?) throws {
        let limit = try #require(RateLimit(text))
        #expect(limit.bits == bits && limit.burst == burst)
        #expect(RateLimit(limit.description) == limit)
    }

    @Test(arguments: [
        "", "0", "mbit", "-1mbit", "+1mbit", "1 mbit", "999", "2tbit", "1mbit,", "1mbit,0", "1mbit,1,1", "1mbit,5gb",
        "1.mbit", ".5mbit", "1.5.5mbit", "1e6bit", "99999999999999999999", "18446744073709551615tbit", "1mbitt",
        "1.0000000001mbit", "١mbit", "none",
    ])
    func `what is no rate`(text: String) {
        #expect(RateLimit(text) == nil)
    }

    @Test func `a burst lets packets pass, and the queue holds some`() throws {
        for text in ["1000", "64kbit", "1mbit", "100mbit", "1gbit", "1tbit"] {
            let limit = try #require(RateLimit(text))
            #expect(
                limit.burst(packet: 1518) >= 1518 && limit.queue(packet: 1518) > limit.burst(packet: 1518), "\(text)")
        }
        #expect(throws: NetworkError.self) { try EndpointOptions(egress: RateLimit("1mbit,1500b")).validate() }
        #expect(throws: NetworkError.self) { try EndpointOptions(ingress: RateLimit("1mbit,2kb")).validate(mtu: 9000) }
        try EndpointOptions(ingress: RateLimit("1mbit,2kb")).validate(mtu: 1500)
    }

    @Test func `kernel parameters in docker's words`() throws {
        let sysctl = try InterfaceSysctl(parsing: "net.ipv4.conf.IFNAME.forwarding=1")
        #expect(sysctl.path(interface: "eth0.5") == "net/ipv4/conf/eth0.5/forwarding")
        #expect(InterfaceSysctl(sysctl.description) == sysctl)
        #expect(InterfaceSysctl("net.mpls.conf.IFNAME.input=1")?.path(interface: "a") == "net/mpls/conf/a/input")
        for (text, names) in [
            ("net.ipv4.conf.eth0.forwarding=1", "eth0"), ("net.ipv4.ip_forward=1", "net.ipv4.conf"),
            ("net.ipv4.conf.IFNAME.forwarding", "NAME=VALUE"), ("net.ipv4.conf.IFNAME.=1", "parameter"),
            ("net.ipv4.conf.IFNAME...=1", "net.ipv4.conf"), ("net.ipv4.conf.IFNAME.a/../b=1", "net.ipv4.conf"),
            ("net.ipv4.conf.IFNAME.a/b=1", "a/b"), ("kernel.core_pattern.IFNAME.x.y=1", "net.ipv4.conf"),
            ("net.ipv4.conf.all.forwarding=1", "all"), ("net.ipv4.conf.IFNAME.forwarding=", "value"),
            ("net.ipv4.conf.IFNAME.forwarding=1\n2", "value"), ("net.core.conf.IFNAME.x=1", "net.ipv4.conf"),
        ] {
            do throws(NetworkError) {
                _ = try InterfaceSysctl(parsing: text)
                Issue.record("\(text) was taken")
            } catch {
                #expect(error.message.contains(names), "\(error)")
            }
        }
        #expect(throws: NetworkError.self) {
            try EndpointOptions(sysctls: [sysctl, InterfaceSysctl(parsing: "net.ipv4.conf.IFNAME.forwarding=0")])
                .validate()
        }
    }

    @Test func `static routes`() throws {
        for text in [
            "10.8.0.0/16,10.1.0.1", "10.8.0.0/16,10.1.0.1,50", "blackhole:10.9.0.0/16", "prohibit:fd00:9::/64,7",
            "unreachable:10.9.0.0/16", "fd00:8::/64,fd00::1",
        ] { #expect(try #require(StaticRoute(text)).description == text) }
        for text in [
            "", "10.8.0.0/16", "10.8.0.0,10.1.0.1", "10.8.0.0/16,", "10.8.0.0/16,x", "10.8.0.0/16,10.1.0.1,",
            "10.8.0.0/16,10.1.0.1,0", "10.8.0.0/16,10.1.0.1,-1", "10.8.0.0/16,10.1.0.1,4294967296", "blackhole:",
            "blackhole:10.9.0.0/16,10.1.0.1", "throw:10.9.0.0/16", "blackhole:blackhole:10.9.0.0/16",
            "10.8.0.0/16,10.1.0.1,5,5", "10.8.0.0/16,10.1.0.1,+5",
        ] { #expect(StaticRoute(text) == nil, "\(text)") }
    }

    private func network(_ routes: [String], _ driver: NetworkDriver = .bridge(), isInternal: Bool = false) throws
        -> Network
    {
        let subnet = Subnet(prefix: try #require(IPPrefix("10.1.0.0/24")), gateway: IPAddress("10.1.0.1"))
        return Network(
            name: "lab", driver: driver, subnets: [subnet], isInternal: isInternal,
            routes: try routes.map { try #require(StaticRoute($0)) })
    }

    @Test func `routes that a network cannot give`() throws {
        for (routes, names) in [
            (["10.8.0.1/16,10.1.0.1"], "10.8.0.0/16"), (["10.8.0.0/16,10.2.0.1"], "10.1.0.0/24"),
            (["10.8.0.0/16,10.1.0.0"], "10.1.0.0/24"), (["fd00::/64,fd01::1"], "no IPv6 subnet"),
            (["blackhole:fd00::/64"], "no IPv6 subnet"), (["10.8.0.0/16,fd00::1"], "family"),
            (["0.0.0.0/0,10.1.0.9"], "--gateway"), (["blackhole:0.0.0.0/0"], "metric"),
            (["10.1.0.0/24,10.1.0.9"], "own subnet"), (["blackhole:224.0.0.0/8"], "multicast"),
            (["10.8.0.0/16,10.1.0.8", "blackhole:10.8.0.0/16"], "same destination"),
        ] {
            do throws(NetworkError) {
                guard let network = try? network(routes) else { continue }
                try network.validateRoutes()
                Issue.record("\(routes) were taken")
            } catch {
                #expect(error.message.contains(names), "\(error)")
            }
        }
        try network(["10.8.0.0/16,10.1.0.8", "10.8.0.0/16,10.1.0.9,5", "blackhole:0.0.0.0/0,900"]).validateRoutes()
        #expect(throws: NetworkError.self) { try network(["10.8.0.0/16,10.1.0.8"], isInternal: true).validateRoutes() }
        #expect(throws: NetworkError.self) { try network(["10.8.0.0/16,10.1.0.8"], .pointToPoint).validateRoutes() }
        #expect(throws: NetworkError.self) { try network(["10.8.0.0/16,10.1.0.8"], .dummy).validateRoutes() }
        try network(["blackhole:10.8.0.0/16"], isInternal: true).validateRoutes()
        let copy = try network(["10.8.0.0/16,10.1.0.8"])
        #expect(try Network(json: copy.json) == copy)
    }

    private func endpoint(_ network: String, priority: Int = 0, metric: UInt32? = nil, isInternal: Bool = false)
        throws -> Endpoint
    {
        Endpoint(
            network: network, interface: "eth0", link: .port(host: "veth12345678", bridge: "sw-\(network)"),
            addresses: [try #require(IPPrefix("10.1.0.2/24"))], gateways: [try #require(IPAddress("10.1.0.1"))],
            isInternal: isInternal, options: EndpointOptions(gatewayPriority: priority, metric: metric))
    }

    @Test func `the default route by priority and name`() throws {
        let identity = SandboxIdentity(source: .path("/x"), device: 1, inode: 2)
        func metrics(_ endpoints: [Endpoint]) -> [String: UInt32] {
            var sandbox = Sandbox(name: "web", identity: identity, endpoints: endpoints)
            sandbox.orderDefaultRoutes()
            return Dictionary(sandbox.endpoints.map { ($0.network, $0.defaultMetric(.v4) ?? 0) }) { first, _ in first }
        }
        #expect(try metrics([endpoint("b"), endpoint("a"), endpoint("c")]) == ["a": 0, "b": 100, "c": 200])
        #expect(
            try metrics([endpoint("a", priority: -1), endpoint("b"), endpoint("c", priority: 7)])
                == ["c": 0, "b": 100, "a": 200])
        #expect(
            try metrics([endpoint("a"), endpoint("b", metric: 100), endpoint("c")]) == ["a": 0, "b": 100, "c": 200])
        #expect(try metrics([endpoint("a", isInternal: true), endpoint("b")]) == ["b": 0, "a": 100])
        var wire = try endpoint("a")
        wire.takesPorts = false
        #expect(try metrics([wire, endpoint("b")]) == ["b": 0, "a": 100])
        wire.options.gatewayPriority = 1
        #expect(try metrics([wire, endpoint("b")]) == ["a": 0, "b": 100])
        var one = Sandbox(name: "web", identity: identity, endpoints: [try endpoint("b"), try endpoint("a")])
        one.endpoints[0].takesPorts = true
        one.endpoints[1].takesPorts = true
        one.endpoints[1].addresses = [try #require(IPPrefix("10.2.0.2/24"))]
        one.orderDefaultRoutes()
        #expect(one.target(.v4) == IPAddress("10.2.0.2"))
        // What is published is answered by the default route, so it does not lead to an endpoint that has none.
        one.endpoints[1].gateways = []
        one.orderDefaultRoutes()
        #expect(one.target(.v4) == IPAddress("10.1.0.2"))
        one.endpoints.removeFirst()
        #expect(one.target(.v4) == IPAddress("10.2.0.2"))
    }

    @Test func `records keep it, and old ones have nothing of it`() throws {
        var endpoint = try endpoint("lab", priority: -3)
        endpoint.options.egress = RateLimit("10mbit,64kb")
        endpoint.options.ingress = RateLimit("1gbit")
        endpoint.options.sysctls = [try InterfaceSysctl(parsing: "net.ipv4.conf.IFNAME.rp_filter=1")]
        endpoint.routes = [try #require(StaticRoute("blackhole:10.9.0.0/16"))]
        endpoint.isHandedOn = true
        #expect(try Endpoint(json: JSONValue(parsing: endpoint.json.bytes)) == endpoint)
        var fixed = try self.endpoint("lab", metric: 77)
        fixed.metric = 0
        #expect(try Endpoint(json: JSONValue(parsing: fixed.json.bytes)) == fixed)
        let old = #"{"network": "a", "interface": "eth0", "link": {"kind": "dummy"}, "addresses": [], "gateways": []}"#
        let read = try Endpoint(json: JSONValue(parsing: Array(old.utf8)))
        #expect(read.options == EndpointOptions() && read.routes.isEmpty)
    }

    @Test func `the limiting interface has a name of its own`() {
        #expect(EndpointLink.port(host: "veth1f2e3d4c", bridge: "b").limiter == "ifb1f2e3d4c")
        let other = EndpointLink.pointToPoint(host: "web0").limiter ?? ""
        #expect(other.hasPrefix("ifb") && InterfaceName(other) != nil && other.utf8.count == 11)
        #expect(EndpointLink.dummy.limiter == nil)
    }
}
