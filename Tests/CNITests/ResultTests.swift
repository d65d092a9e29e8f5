import Addressing
import CNI
import JSONCoding
import Testing

@Suite("CNI results") struct ResultTests {
    /// The specification's own (Appendix: Examples), as the plugin behind `bridge` and `tuning` gets it.
    static let example = #"""
        {"ips": [{"address": "10.1.0.5/16", "gateway": "10.1.0.1", "interface": 2}], "routes": [{"dst": "0.0.0.0/0"}],
        "interfaces": [{"name": "cni0", "mac": "00:11:22:33:44:55"}, {"name": "veth3243", "mac": "55:44:33:22:11:11"},
            {"name": "eth0", "mac": "00:11:22:33:44:66", "sandbox": "/var/run/netns/blue"}],
        "dns": {"nameservers": ["10.1.0.1"]}}
        """#

    private func previous(
        _ text: String, _ operation: CNIOperation = .add, version: String = "1.1.0"
    ) throws -> CNIResult {
        let request = try Requests.make(
            operation, [:], Requests.document("\"prevResult\": \(text)", version: version))
        return try #require(try request.previousResult())
    }

    private func value(_ text: String) throws -> JSONValue { try JSONValue(parsing: Array(text.utf8)) }

    /// Members in another order are the same object.
    private func sorted(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let members):
            .object(members.map { .init($0.name, sorted($0.value)) }.sorted { $0.name < $1.name })
        case .array(let elements): .array(elements.map(sorted))
        default: value
        }
    }

    @Test func `the specification's example passes through unchanged`() throws {
        let result = try previous(Self.example)
        guard case .object(let members) = try value(Self.example) else { return }
        let expected = JSONValue.object(members + [.init("cniVersion", .string("1.1.0"))])
        #expect(sorted(result.json(.v1_1_0)) == sorted(expected))
        let attachment = try #require(CNIAttachment(container: "example", interface: "eth0"))
        #expect(result.interface(of: attachment)?.place == 2)
    }

    @Test func `members of other plugins and versions pass through`() throws {
        let text = #"""
            {"cniVersion": "1.1.0", "ips": [{"address": "fd00::5/64", "x": {"y": [1.5, null]}}], "vendor": true,
            "routes": [{"dst": "::/0", "gw": "fd00::1", "mtu": 1400, "advmss": 1300, "priority": 7, "table": 5, "scope": 0}],
            "interfaces": [{"name": "net1", "mtu": 9000, "socketPath": "/run/x", "pciID": "0000:00:1f.6"}], "dns": {}}
            """#
        #expect(sorted(try previous(text).json(.v1_1_0)) == sorted(try value(text)))
    }

    @Test func `each version has its own form`() throws {
        var result = CNIResult(
            interfaces: [.init(name: "eth0", macAddress: "02:00:00:00:00:01", mtu: 1500, sandbox: "/run/netns/blue")],
            addresses: [
                .init(try #require(IPPrefix("10.1.0.5/16")), gateway: IPAddress("10.1.0.1"), interface: 0),
                .init(try #require(IPPrefix("fd00::5/64")), interface: 0),
            ], routes: [.init(to: .everything(.v4), via: IPAddress("10.1.0.1"), priority: 7)])
        result.dns.servers = ["10.1.0.1"]
        let route = #""dst":"0.0.0.0/0","gw":"10.1.0.1""#
        let dns = #""dns":{"nameservers":["10.1.0.1"]}}"#
        let rest = #""routes":[{\#(route)}],\#(dns)"#
        let interface = #"{"name":"eth0","mac":"02:00:00:00:00:01","#
        #expect(
            result.json(.v0_4_0).text
                == #"{"cniVersion":"0.4.0","interfaces":[\#(interface)"sandbox":"/run/netns/blue"}],"#
                + #""ips":[{"version":"4","interface":0,"address":"10.1.0.5/16","gateway":"10.1.0.1"},"#
                + #"{"version":"6","interface":0,"address":"fd00::5/64"}],\#(rest)"#)
        let addresses =
            #""ips":[{"interface":0,"address":"10.1.0.5/16","gateway":"10.1.0.1"},{"interface":0,"address":"fd00::5/64"}],"#
        #expect(
            result.json(.v1_0_0).text
                == #"{"cniVersion":"1.0.0","interfaces":[\#(interface)"sandbox":"/run/netns/blue"}],\#(addresses)\#(rest)"#
        )
        #expect(
            result.json(.v1_1_0).text
                == #"{"cniVersion":"1.1.0","interfaces":[\#(interface)"mtu":1500,"sandbox":"/run/netns/blue"}],\#(addresses)"#
                + #""routes":[{\#(route),"priority":7}],\#(dns)"#)
        // And back.
        for version in CNIVersion.allCases {
            var expected = result
            if version < .v1_1_0 {
                expected.interfaces[0].mtu = nil
                expected.routes[0].priority = nil
            }
            #expect(try previous(result.json(version).text, version: version.rawValue) == expected)
        }
    }

    @Test func `what ran before keeps its places`() throws {
        let own = CNIResult(
            interfaces: [.init(name: "sw-dbnet"), .init(name: "eth1", sandbox: "/run/netns/blue")],
            addresses: [.init(try #require(IPPrefix("10.2.0.5/16")), interface: 1)],
            routes: [.init(to: .everything(.v4)), .init(to: .everything(.v6), via: IPAddress("fd00::1"))])
        let both = own.appended(to: try previous(Self.example))
        #expect(both.interfaces.map(\.name) == ["cni0", "veth3243", "eth0", "sw-dbnet", "eth1"])
        #expect(both.addresses.map(\.interface) == [2, 4])
        #expect(both.routes.count == 2)
        // Nothing to say about names: what was said stays.
        #expect(both.dns.servers == ["10.1.0.1"])
        #expect(own.appended(to: CNIResult()) == own)
    }

    @Test(arguments: [
        ("5", 6, "prevResult"), ("[]", 6, "prevResult"), (#"{"ips": {}}"#, 6, "prevResult.ips"),
        (#"{"ips": [{}]}"#, 7, "prevResult.ips[0].address"), (#"{"ips": [{"address": "10.1.0.5"}]}"#, 7, "10.1.0.5"),
        (#"{"ips": [{"address": "10.1.0.5/16", "interface": 0}]}"#, 7, "prevResult.ips[0].interface"),
        (#"{"ips": [{"address": "10.1.0.5/16", "interface": -1}], "interfaces": [{"name": "a"}]}"#, 7, "interface"),
        (#"{"interfaces": [{}]}"#, 7, "prevResult.interfaces[0].name"),
        (#"{"interfaces": ["eth0"]}"#, 6, "interfaces[0]"),
        (#"{"interfaces": [{"name": "a", "mtu": -5}]}"#, 7, "mtu"),
        (#"{"routes": [{"gw": "10.1.0.1"}]}"#, 7, "routes[0].dst"),
        (#"{"routes": [{"dst": "10.1.0.0/16", "gw": "x"}]}"#, 7, "routes[0].gw"), (#"{"dns": 5}"#, 6, "prevResult.dns"),
    ])
    func `what is no result is named`(text: String, code: Int, word: String) {
        expectRefusal(code, word) { _ = try previous(text) }
    }

    @Test func `no result at all`() throws {
        #expect(try Requests.make(.delete, [:], Requests.document()).previousResult() == nil)
        #expect(try Requests.make(.delete, [:], Requests.document("\"prevResult\": null")).previousResult() == nil)
        #expect(try previous("{}") == CNIResult())
    }
}
