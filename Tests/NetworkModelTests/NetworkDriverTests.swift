import Addressing
import JSONCoding
import NetworkModel
import Testing

@Suite struct NetworkDriverTests {
    @Test(
        arguments: [
            ("bridge", [:]), ("bridge", ["bridge": "br0"]), ("macvlan", ["parent": "eth0", "mode": "vepa"]),
            ("ipvlan", ["parent": "eth0", "mode": "l3s"]), ("vlan", ["parent": "eth0", "id": "4094"]),
            ("vxlan", ["vni": "16777215", "peers": "192.0.2.2,192.0.2.3", "port": "8472", "local": "192.0.2.1"]),
            ("vxlan", ["vni": "1", "group": "239.1.1.1", "parent": "eth0"]), ("ptp", [:]), ("dummy", [:]),
            ("host-device", ["device": "eth1"]),
        ] as [(String, [String: String])])
    func optionsSurviveTheRoundTrip(name: String, options: [String: String]) throws {
        let driver = try NetworkDriver(name: name, options: options)
        #expect(driver.name == name)
        #expect(Dictionary(uniqueKeysWithValues: driver.options.map { ($0.key, $0.value) }) == options)
        let network = Network(name: "lab0", driver: driver, subnets: [])
        #expect(try Network(json: JSONValue(parsing: network.json.bytes)) == network)
    }

    @Test(
        arguments: [
            ("overlay", [:], "overlay"), ("bridge", ["parent": "eth0"], "parent"), ("bridge", ["bridge": "a/b"], "a/b"),
            ("macvlan", [:], "parent"), ("macvlan", ["parent": "eth0", "mode": "l2"], "l2"),
            ("ipvlan", ["parent": "eth0", "mode": "bridge"], "bridge"), ("vlan", ["parent": "eth0"], "id"),
            ("vlan", ["parent": "eth0", "id": "0"], "0"), ("vlan", ["parent": "eth0", "id": "4095"], "4095"),
            ("vlan", ["parent": "sixteencharacter", "id": "1"], "sixteencharacter"),
            ("vxlan", [:], "vni"), ("vxlan", ["vni": "16777216"], "16777216"), ("vxlan", ["vni": "-1"], "-1"),
            ("vxlan", ["vni": "1", "port": "0"], "port"), ("vxlan", ["vni": "1", "peers": "192.0.2.2,"], "''"),
            ("vxlan", ["vni": "1", "peers": "239.0.0.1"], "239.0.0.1"),
            ("vxlan", ["vni": "1", "group": "192.0.2.1"], "group"),
            ("vxlan", ["vni": "1", "group": "239.0.0.1"], "parent"),
            ("vxlan", ["vni": "1", "group": "239.0.0.1", "parent": "eth0", "peers": "192.0.2.2"], "contradict"),
            ("vxlan", ["vni": "1", "peers": "192.0.2.2,2001:db8::2"], "one family"), ("host-device", [:], "device"),
            ("dummy", ["mtu": "1"], "mtu"), ("ptp", ["x": "", "a": ""], "'a'"),
        ] as [(String, [String: String], String)])
    func refuses(name: String, options: [String: String], complaint: String) {
        let error = #expect(throws: NetworkError.self) { try NetworkDriver(name: name, options: options) }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }

    @Test(
        arguments: [
            ("macvlan", ["parent": "eth0"], [] as [String], "--subnet"), ("dummy", [:], ["gw"], "needs none"),
            ("ipvlan", ["parent": "eth0", "mode": "l3"], ["gw"], "needs none"),
            ("bridge", ["bridge": "sw-lab"], [], "ours"),
        ] as [(String, [String: String], [String], String)])
    func contradictions(name: String, options: [String: String], flags: [String], complaint: String) throws {
        var request = NetworkRequest(name: "lab0", driver: try NetworkDriver(name: name, options: options))
        if flags.contains("gw") || complaint == "ours" { request.subnets = [try #require(IPPrefix("10.1.0.0/24"))] }
        if flags.contains("gw") { request.gateways = [try #require(IPAddress("10.1.0.1"))] }
        let error = #expect(throws: NetworkError.self) { try request.validate() }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }

    @Test func addressesContradictNone() throws {
        var request = NetworkRequest(name: "lab0", subnets: [try #require(IPPrefix("10.1.0.0/24"))])
        request.hasAddresses = false
        #expect(throws: NetworkError.self) { try request.validate() }
        request.subnets = []
        try request.validate()
        request.driver = .pointToPoint
        #expect(throws: NetworkError.self) { try request.validate() }
    }

    @Test(arguments: [
        "10.1.0.9-10.1.0.2", "10.1.0.1-fd00::1", "10.1.0.1-", "10.1.0.1", "x-y", "10.1.0.1-10.1.0.2-10.1.0.3",
    ])
    func refusesRanges(text: String) { #expect(AddressRange(text) == nil) }
}
