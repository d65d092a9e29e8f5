import Foundation
import JSONCoding
import TestSupport
import Testing

/// Routes and resolvers of a configuration, as the plugins bridge and host-local have them.
@Suite("CNI: routes and resolvers")
struct CNIRouteTests {
    private static let ranges = #""ranges": [[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd00:44::/64"}]]"#

    /// The routes of a sandbox that somebody made, and not the kernel.
    private static func routes(_ host: NetworkHost, _ namespace: String = "web") async throws -> [String] {
        let line = #"""
            for family in -4 -6; do
                ip $family route show | grep -v 'proto kernel' | sed -E 's/ (dev [^ ]+|pref medium)//g; s/ metric 1024//; s/ +$//'
            done
            """#
        return try await host.shell(line, at: .inside(namespace)).lines
    }

    @Test(
        .enabled(if: CNIRuntime.hasPlugins, "containernetworking-plugins and iptables are not installed"),
        arguments: [
            (#""routes": []"#, ""), (#""routes": [{"dst": "192.168.0.0/16"}]"#, ""),
            (#""routes": [{"dst": "0.0.0.0/0"}, {"dst": "192.168.0.0/16", "gw": "10.44.0.9"}]"#, ""),
            (#""routes": [{"dst": "::/0", "gw": "fd00:44::9"}, {"dst": "2001:db8:7::/48"}]"#, ""),
            (#""routes": [{"dst": "192.168.0.0/16"}]"#, #""isDefaultGateway": true, "#),
            (#""routes": [{"dst": "0.0.0.0/0", "gw": "10.44.0.9"}]"#, #""isDefaultGateway": true, "#),
        ])
    func `the sandbox gets what it gets of the plugin bridge`(routes: String, wish: String) async throws {
        try await NetworkHost.with { host in
            let ipam = #"{"type": "host-local", "dataDir": "/run/ipam", \#(routes), \#(Self.ranges)}"#
            let members = #""bridge": "cni0", "isGateway": true, "ipMasq": true, \#(wish)"ipam": \#(ipam)"#
            var runtime = try await CNIRuntime.prepare(host, "web")
            runtime.plugins = [#""type": "bridge", \#(members)"#]
            let (first, output) = try await runtime.add("web")
            let told = try TestSupport.JSONValue(#require(first, "\(output)").text)
            let wanted = try await Self.routes(host)
            #expect(try await runtime.delete("web", first).status == 0)
            try await host.must(["ip", "link", "del", "cni0"])
            runtime.plugins = [CNIRuntime.swnet(members)]
            let (second, ours) = try await runtime.add("web")
            let result = try #require(second, "\(ours)")
            #expect(try await Self.routes(host) == wanted)
            let destinations = { (result: TestSupport.JSONValue) in
                result["routes"].items.map { $0["dst"].text ?? "" }.sorted()
            }
            #expect(try destinations(TestSupport.JSONValue(result.text)) == destinations(told))
            let check = try await runtime.check("web", result)
            #expect(check.status == 0, "\(check)")
            #expect(try await host.net("check") == "")
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }

    @Test func `without masquerading`() async throws {
        try await NetworkHost.with { host in
            let own = CNIRuntime.swnet(#""isGateway": true, "ipMasq": false, "ipam": {"subnet": "10.44.0.0/24"}"#)
            var runtime = try await CNIRuntime.prepare(host, "web", "db") { $0.plugins = [own] }
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            _ = try await host.listen("them", ["tcp"], port: 25, at: .neighbour)
            #expect(try await host.answer("TCP:192.0.2.2:25", at: .inside("web")) == "10.44.0.2 them")
            // A network that is there is not another because the next container would like it so.
            runtime.plugins = [own.replacing("false", with: "true")]
            let (none, refused) = try await runtime.add("db")
            #expect(none == nil && refused.output.contains("exists with ipMasq: false, and not with ipMasq: true"))
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }

    @Test func `priorities, and a default route that another network gives`() async throws {
        try await NetworkHost.with { host in
            let routes =
                #"[{"dst": "0.0.0.0/0", "priority": 7}, {"dst": "10.9.0.0/16", "gw": "10.44.0.9", "priority": 8}]"#
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.version = "1.1.0"
                $0.plugins = [CNIRuntime.swnet(#""ipam": {"subnet": "10.44.0.0/24", "routes": \#(routes)}"#)]
            }
            // The one without a default route first: ports lead to where the answers go by.
            var other = runtime
            other.network = "other"
            other.plugins = [
                CNIRuntime.swnet(
                    #""ipam": {"subnet": "10.45.0.0/24", "routes": [{"dst": "10.8.0.0/16"}]}"#,
                    capabilities: ["portMappings"])
            ]
            other.capabilities = ["portMappings": #"[{"hostPort": 8080, "containerPort": 80}]"#]
            let further = try await other.add("web", interface: "net1")
            #expect(further.output.status == 0, "\(further.output)")
            #expect(try await host.elements("published4").first?.contains("10.45.0.2") == true)
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            #expect(try await host.elements("published4").first?.contains("10.44.0.2") == true)
            #expect(
                try await Self.routes(host).sorted() == [
                    "10.8.0.0/16 via 10.45.0.1", "10.9.0.0/16 via 10.44.0.9 metric 8", "default via 10.44.0.1 metric 7",
                ])
            let told = try TestSupport.JSONValue(result.text)["routes"].items
            #expect(told.map { $0["priority"].integer } == [7, 8] && told[1]["gw"].text == "10.44.0.9", "\(told)")
            for (runtime, result, interface) in [(runtime, added, "eth0"), (other, further.result, "net1")] {
                let check = try await runtime.check("web", #require(result), interface: interface)
                #expect(check.status == 0, "\(check)")
            }
            try await host.must(["ip", "-n", "web", "route", "del", "10.9.0.0/16"])
            let broken = try await runtime.check("web", result)
            #expect(broken.errorCode == 102 && broken.output.contains("10.9.0.0/16"), "\(broken)")
            try await host.net("repair")
            #expect(try await runtime.check("web", result).status == 0)
            // A default route that is somebody's already, two of them, and a route that leads nowhere.
            for (routes, word) in [
                (#"[{"dst": "0.0.0.0/0", "priority": 7}]"#, "metric 7"),
                (#"[{"dst": "0.0.0.0/0"}, {"dst": "0.0.0.0/0", "gw": "10.46.0.9"}]"#, "one default route"),
                (#"[{"dst": "10.46.0.0/24"}]"#, "own subnet"),
            ] {
                var refused = runtime
                refused.network = "refused"
                refused.plugins = [CNIRuntime.swnet(#""ipam": {"subnet": "10.46.0.0/24", "routes": \#(routes)}"#)]
                let output = try await refused.add("web", interface: "net2").output
                #expect([7, 101].contains(output.errorCode) && output.output.contains(word), "\(output)")
            }
            #expect(try await runtime.delete("web", result).status == 0)
            #expect(try await other.delete("web", further.result, interface: "net1").status == 0)
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `resolvers of a file`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.plugins = [CNIRuntime.swnet(#""ipam": {"subnet": "10.44.0.0/24", "resolvConf": "/run/resolv"}"#)]
            }
            let missing = try await runtime.add("web").output
            #expect(missing.errorCode == 5 && missing.output.contains("/run/resolv"), "\(missing)")
            try await host.shell(#"printf 'nameserver 192.0.2.53\nsearch corp.lab\n' >/run/resolv"#)
            let (added, output) = try await runtime.add("web")
            let dns = try TestSupport.JSONValue(#require(added, "\(output)").text)["dns"]
            #expect(dns["nameservers"].items.map { $0.text } == ["192.0.2.53"] && dns["search"][0].text == "corp.lab")
            #expect(try await runtime.check("web", #require(added)).status == 0)
            #expect(try await runtime.delete("web", added).status == 0)
        }
    }
}
