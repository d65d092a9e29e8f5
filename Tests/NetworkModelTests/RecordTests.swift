import Addressing
import JSONCoding
import NetworkModel
import Testing

@Suite struct RecordTests {
    func network() throws -> Network {
        Network(
            name: "lab0",
            subnets: [
                Subnet(
                    prefix: try #require(IPPrefix("10.1.0.0/24")), gateway: IPAddress("10.1.0.1"),
                    ranges: ["10.1.0.128/25", "10.1.0.8-10.1.0.9"].compactMap { AddressRange($0) },
                    excluded: [.v4(.loopback)]),
                Subnet(prefix: try #require(IPPrefix("10.2.0.0/24")), isAlternative: true),
                Subnet(prefix: try #require(IPPrefix("fd00::/64")), gateway: IPAddress("fd00::1")),
            ], mtu: 1400)
    }

    func sandbox(internal isInternal: Bool = false) throws -> Sandbox {
        let endpoint = Endpoint(
            network: "lab0", interface: "eth0", link: .port(host: "veth01234567", bridge: "sw-lab0"),
            macAddress: MACAddress("02:53:0a:01:00:02"),
            addresses: [try #require(IPPrefix("10.1.0.2/24")), try #require(IPPrefix("fd00::2/64"))],
            gateways: [try #require(IPAddress("10.1.0.1"))], isInternal: isInternal, takesPorts: !isInternal,
            aliases: ["w"], labels: ["org.example.part": "web"])
        return Sandbox(
            name: "web", identity: SandboxIdentity(source: .process(5, startTime: 77), device: 4, inode: 4_026_532_000),
            endpoints: [endpoint],
            ports: [try PortMapping(parsing: "80:80"), try PortMapping(parsing: "127.0.0.1:53:53/udp")])
    }

    @Test func recordsSurviveTheRoundTrip() throws {
        let network = try network()
        #expect(try Network(json: JSONValue(parsing: network.json.bytes)) == network)
        let sandbox = try sandbox()
        #expect(try Sandbox(json: JSONValue(parsing: sandbox.json.bytes)) == sandbox)
        var chosen = sandbox
        chosen.chosenPorts = [ChosenPort(sandbox.ports[0], for: try PortRequest(parsing: "80-90:80"))]
        #expect(try Sandbox(json: JSONValue(parsing: chosen.json.bytes)) == chosen)
    }

    @Test func plansSurviveTheRoundTripAndInvert() throws {
        let network = try network()
        let sandbox = try sandbox()
        let address = try #require(IPAddress("10.1.0.2"))
        let steps: [NetworkStep] = [
            .define(network), .raise(network), .lease(network: "lab0", address: address, owner: "web"),
            .firewall(
                FirewallChange(
                    added: network.elements + sandbox.elements(for: sandbox.ports) + [
                        .guarded(.v6, "eth0"), .openBridge("sw-x"), .strictBridge("sw-x"), .apart("sw-x"),
                        .routed("veth1", try #require(IPPrefix("10.1.0.0/24"))),
                        .nameServer(address, network: "lab0"),
                        .source(try #require(IPPrefix("10.1.0.0/24")), address, network: "lab0"),
                        .guardedPort("veth1", sandbox: "web"),
                        .ownAddress("veth1", try #require(MACAddress("02:53:0a:01:00:02")), address),
                    ])
            ),
            .forward(HostForwarding(guarded4: ["eth0"], guarded6: ["eth0"], acceptsRouterAdvertisements: ["eth0"])),
            .attach(sandbox.endpoints[0], sandbox: "web", identity: sandbox.identity),
            .startRelay(
                PortRelay(mapping: try PortMapping(parsing: "[::1]:80:80"), target: address, owner: "web")),
            .record(name: "web", before: nil, after: sandbox),
        ]
        let plan = NetworkPlan("connect web to lab0", steps: steps)
        #expect(try NetworkPlan(json: JSONValue(parsing: plan.json.bytes)) == plan)
        for step in steps {
            #expect(step.inverse.inverse == step)
            #expect(step.inverse != step)
            #expect(try NetworkStep(json: step.inverse.json) == step.inverse)
        }
        #expect(plan.recovery == steps.reversed().map(\.inverse))
        let release = NetworkPlan("release web", steps: plan.recovery, interruption: .complete)
        #expect(release.recovery == plan.recovery)
        #expect(plan.description.hasPrefix("connect web to lab0\n  define network lab0\n"))
    }

    @Test func portsLeadToTheFirstEndpointThatIsNotInternal() throws {
        let sandbox = try sandbox()
        #expect(sandbox.elements(for: sandbox.ports).count == 3)
        #expect(try self.sandbox(internal: true).elements(for: sandbox.ports).isEmpty)
    }

    @Test(arguments: [
        "", "{", "[1,]", "{\"a\" 1}", "tru", "\"", "\"\\x\"", "1 2", "01x", "{\"a\":}", "\"\u{1}\"", "+1", "1e",
    ])
    func refusesBrokenJSON(text: String) {
        #expect(throws: JSONCodingError.self) { try JSONValue(parsing: Array(text.utf8)) }
    }

    @Test func readsAnyJSON() throws {
        let value = try JSONValue(
            parsing: Array(#" {"a": [1, -2, 1.5, true, false, null, "\u00e9\n\ud83d\ude00"], "b": {}} "#.utf8))
        #expect(try value.array("a").count == 7)
        #expect(try value.array("a")[6] == .string("é\n😀"))
        #expect(try JSONValue(parsing: value.bytes) == value)
        let deep = Array((String(repeating: "[", count: 200) + String(repeating: "]", count: 200)).utf8)
        #expect(throws: JSONCodingError.self) { try JSONValue(parsing: deep) }
    }

    @Test func aRecordCutShortIsAnErrorAndNotATrap() throws {
        let bytes = try sandbox().json.bytes
        for length in 0..<bytes.count {
            #expect(throws: JSONCodingError.self) { try Sandbox(json: JSONValue(parsing: Array(bytes[..<length]))) }
        }
    }
}
