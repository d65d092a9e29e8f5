import Addressing
import NetworkModel
import Testing

@Suite struct NetworkRequestTests {
    func request(_ subnets: [String], gateways: [String] = [], mtu: Int? = nil) throws -> NetworkRequest {
        NetworkRequest(
            name: "lab0", subnets: try subnets.map { try #require(IPPrefix($0)) },
            gateways: try gateways.map { try #require(IPAddress($0)) }, mtu: mtu)
    }

    @Test(arguments: [
        [], ["10.0.0.0/24"], ["fd00::/64"], ["10.0.0.0/24", "10.1.0.0/24", "fd00::/64", "fd01::/64"],
        ["10.0.0.0/30", "fd00::/126"], ["10.0.0.0/8"],
    ])
    func accepts(subnets: [String]) throws { try request(subnets).validate() }

    @Test(arguments: [
        (["10.0.0.1/24"], "did you mean 10.0.0.0/24"),
        (["10.0.0.0/31"], "too small"),
        (["fd00::/127"], "too small"),
        (["11.0.0.0/7"], "host bits"),
        (["8.0.0.0/7"], "too large"),
        (["127.0.0.0/8"], "not for networks"),
        (["224.0.0.0/24"], "not for networks"),
        (["169.254.0.0/16"], "not for networks"),
        (["fe80::/64"], "not for networks"),
        (["::/96"], "not for networks"),
        (["10.0.0.0/24", "10.0.0.0/16"], "overlap"),
    ])
    func refusesSubnets(subnets: [String], complaint: String) throws {
        let request = try request(subnets)
        let error = #expect(throws: NetworkError.self) { try request.validate() }
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }

    @Test func refusesGatewaysAndMTUs() throws {
        for (gateway, complaint) in [
            ("10.0.0.0", "no host address"), ("10.0.0.255", "no host address"), ("10.0.1.1", "no host address"),
            ("fd00::1", "needs a subnet"),
        ] {
            let request = try request(["10.0.0.0/24"], gateways: [gateway])
            let error = #expect(throws: NetworkError.self) { try request.validate() }
            #expect(error?.message.contains(complaint) == true)
        }
        try request(["10.0.0.0/24"], gateways: ["10.0.0.9"], mtu: 68).validate()
        for mtu in [67, 0, -1, 65536] {
            let request = try request(["10.0.0.0/24"], mtu: mtu)
            #expect(throws: NetworkError.self) { try request.validate() }
        }
        let small = try request(["fd00::/64"], mtu: 1279)
        #expect(throws: NetworkError.self) { try small.validate() }
    }
}
