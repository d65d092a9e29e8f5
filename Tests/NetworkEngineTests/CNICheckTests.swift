import Foundation
import JSONCoding
import TestSupport
import Testing

/// CHECK: what a container needs and what its runtime was told (specification, section 4, CHECK), and what plugins behind
/// ours may have changed.
@Suite("CNI plugin: CHECK")
struct CNICheckTests {
    private static let hasNames = FileManager.default.isExecutableFile(atPath: "/usr/lib/podman/aardvark-dns")

    private static func prepare(_ host: NetworkHost) async throws -> CNIRuntime {
        try await CNIRuntime.prepare(host, "web") {
            $0.version = "1.1.0"
            $0.plugins = [
                CNIRuntime.swnet(
                    #""ipam": {"ranges": [[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd00:44::/64"}]]}"#,
                    capabilities: ["portMappings", "bandwidth"])
            ]
            let ports = [(8080, 80, #", "hostIP": "::1""#), (8081, 81, ""), (8082, 82, "")].map {
                #"{"hostPort": \#($0), "containerPort": \#($1)\#($2)}"#
            }
            $0.capabilities = [
                "portMappings": "[\(ports.joined(separator: ", "))]",
                "bandwidth": #"{"ingressRate": 8000000, "ingressBurst": 800000}"#,
            ]
        }
    }

    @Test func `what the host has to do for it`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await Self.prepare(host)
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            let first = try await runtime.check("web", result)
            #expect(first.status == 0, "\(first)")
            let relay = "$(ss -Hltnp 'sport = :8080' | grep -o 'pid=[0-9]*' | cut -d= -f2)"
            var damages = [
                ("kill -9 \(relay)", "relay is gone"), ("kill -STOP \(relay)", "relay is stopped"),
                ("sysctl -qw net.ipv4.ip_forward=0", "forward IPv4"),
                ("sysctl -qw net.ipv6.conf.all.forwarding=0", "forward IPv6"),
            ]
            if Self.hasNames { damages.append(("kill -9 $(cat /run/swnet/names/aardvark.pid)", "name server")) }
            for (damage, word) in damages {
                let change = try await host.shell(damage)
                #expect(change.status == 0, "\(change)")
                var check = first
                let isSeen = try await eventually {
                    check = try await runtime.check("web", result)
                    return check.errorCode == 102
                }
                #expect(isSeen && check.output.contains(word), "\(damage): \(check)")
                try await host.net("repair")
                let repaired = try await runtime.check("web", result)
                #expect(repaired.status == 0, "after '\(damage)': \(repaired)")
            }
            // Who was told of other resolvers does not need ours.
            if Self.hasNames {
                try await host.shell("kill -9 $(cat /run/swnet/names/aardvark.pid)")
                let text = result.text.replacing(#"["10.44.0.1","fd00:44::1"]"#, with: #"["192.0.2.53"]"#)
                #expect(text != result.text)
                #expect(try await runtime.check("web", CNIRuntime.parse(text)).status == 0)
            }
        }
    }

    @Test func `what the runtime was told, and asks for`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await Self.prepare(host)
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            for (old, new, word) in [
                (#""gateway":"10.44.0.1""#, #""gateway":"10.44.0.200""#, "10.44.0.200 is not the gateway"),
                (#""gw":"10.44.0.1""#, #""gw":"10.44.0.200""#, "0.0.0.0/0 via 10.44.0.200"),
                (#""gw":"fd00:44::1""#, #""gw":"fd00:44::1","priority":7"#, "::/0 via fd00:44::1 of metric 7"),
                (#"{"dst":"::/0""#, #"{"dst":"10.9.0.0/16"},{"dst":"::/0""#, "10.9.0.0/16"),
                (#""mtu":1500,"sandbox""#, #""mtu":1300,"sandbox""#, "mtu 1500 instead of 1300"),
                (#""mac":"02:53:0a:2c:00:02""#, #""mac":"02:53:0a:2c:00:03""#, "02:53:0a:2c:00:03"),
            ] {
                let text = result.text.replacing(old, with: new)
                #expect(text != result.text, "\(old) is not in \(result.text)")
                let check = try await runtime.check("web", CNIRuntime.parse(text))
                #expect(check.errorCode == 102 && check.output.contains(word), "\(new): \(check)")
            }
            // Plugins behind may have taken a route away, or put one into another table.
            for (old, new) in [
                (#"{"dst":"::/0","gw":"fd00:44::1"}"#, #"{"dst":"::/0","gw":"fd00:44::7","table":100}"#),
                (#",{"dst":"::/0","gw":"fd00:44::1"}"#, ""), (#","gw":"10.44.0.1"}"#, "}"),
            ] {
                let text = result.text.replacing(old, with: new)
                #expect(text != result.text, "\(old) is not in \(result.text)")
                let check = try await runtime.check("web", CNIRuntime.parse(text))
                #expect(check.status == 0, "\(new): \(check)")
            }
            for (capability, value, word) in [
                ("portMappings", #"[{"hostPort": 9999, "containerPort": 80}]"#, "9999:80"),
                ("portMappings", #"[{"hostPort": 8081, "containerPort": 82}]"#, "8081:82"),
                (
                    "portMappings", #"[{"hostPort": 8081, "containerPort": 81, "hostIP": "192.0.2.1"}]"#,
                    "192.0.2.1:8081"
                ),
                ("bandwidth", #"{"ingressRate": 4000000, "ingressBurst": 800000}"#, "at most 4mbit"),
                ("bandwidth", #"{"egressRate": 8000000, "egressBurst": 800000}"#, "sends without limit"),
            ] {
                var other = runtime
                other.capabilities[capability] = value
                let check = try await other.check("web", result)
                #expect(check.errorCode == 102 && check.output.contains(word), "\(value): \(check)")
            }
            // In another order they are the same ports, and who says nothing of them asks for nothing.
            var other = runtime
            other.capabilities["portMappings"] =
                #"[{"hostPort": 8082, "containerPort": 82}, {"hostPort": 8081, "containerPort": 81}]"#
            #expect(try await other.check("web", result).status == 0)
            other.capabilities = [:]
            #expect(try await other.check("web", result).status == 0)
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }

    @Test(.enabled(if: CNIRuntime.hasPlugins, "containernetworking-plugins and iptables are not installed"))
    func `what tuning has changed is left alone`() async throws {
        try await NetworkHost.with { host in
            var runtime = try await CNIRuntime.prepare(host, "web")
            let sysctl = #""sysctl": {"net.ipv4.conf.eth0.arp_notify": "0"}"#
            runtime.plugins.append(#""type": "tuning", "mac": "02:aa:bb:cc:dd:ee", "mtu": 1400, \#(sysctl)"#)
            let watch = try host.start([NetworkHost.swnet, "watch"])
            try await watch.waitForOutput("watching")
            let (added, output) = try await runtime.add("web")
            let result = try #require(added, "\(output)")
            // Something that is to be put back shows that the rest is not.
            try await host.must(["ip", "-n", "web", "route", "del", "default"])
            let leadsOut = {
                try await host.run(["ip", "-n", "web", "route", "get", "192.0.2.2"]).status == 0
            }
            #expect(try await eventually { try await leadsOut() })
            let check = try await runtime.check("web", result)
            #expect(check.status == 0, "\(check)")
            #expect(try await host.net("check") == "")
            let link = try await host.json(["ip", "-j", "link", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(link["address"].text == "02:aa:bb:cc:dd:ee" && link["mtu"].integer == 1400, "\(link)")
            // Where the interface itself is gone, it is made as it was at first.
            try await host.must(["ip", "-n", "web", "link", "del", "eth0"])
            #expect(try await eventually { try await leadsOut() })
            #expect(try await host.must(["cat", "/proc/sys/net/ipv4/conf/eth0/arp_notify"], at: .inside("web")) == "1")
            await watch.stop()
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }
}
