import Foundation
import JSONCoding
import TestSupport
import Testing

/// What a runtime asks for beside the configuration: `runtimeConfig` (CONVENTIONS.md) and `CNI_ARGS`.
@Suite("CNI: what a runtime asks for")
struct CNIRuntimeConfigTests {
    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `who says nothing of resolvers gets the one that knows the aliases`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.plugins = [
                    CNIRuntime.swnet(#""ipam": {"subnet": "10.44.0.0/24"}"#, capabilities: ["aliases"])
                ]
                $0.capabilities = ["aliases": #"{"lab": ["db"]}"#]
            }
            let (result, output) = try await runtime.add("web")
            let added = try TestSupport.JSONValue(#require(result, "\(output)").text)
            #expect(added["dns"]["nameservers"].items.map { $0.text ?? "" } == ["10.44.0.1"])
            #expect(try await host.must(["cat", "/run/swnet/names/lab"]).contains("web,db"))
            #expect(try await runtime.check("web", #require(result)).status == 0)
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }

    /// As the plugins bridge and dnsname have it.
    @Test func `aliases of a network that has no names are passed over`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.network = "bridge"
                $0.plugins = [CNIRuntime.swnet(#""ipam": {"subnet": "10.44.0.0/24"}"#, capabilities: ["aliases"])]
                $0.capabilities = ["aliases": #"{"bridge": ["db"]}"#]
            }
            let (result, output) = try await runtime.add("web")
            #expect(result != nil, "\(output)")
            let record = try await host.must(["bash", "-c", "cat /run/swnet/sandboxes/*"])
            #expect(record.contains("10.44.0.2") && !record.contains("aliases"), "\(record)")
            #expect(try await runtime.check("web", #require(result)).status == 0)
            #expect(try await runtime.delete("web", result).status == 0)
        }
    }

    @Test func `ports, addresses and names of the runtime`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.plugins = [
                    CNIRuntime.swnet(
                        #""ipam": {"subnet": "10.44.0.0/24"}"#,
                        capabilities: ["portMappings", "ips", "mac", "aliases", "dns", "bandwidth"])
                ]
                $0.capabilities = [
                    "portMappings":
                        #"[{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}, {"hostPort": 8081, "containerPort": 81, "protocol": "tcp", "hostIP": "127.0.0.1"}]"#,
                    "ips": #"["10.44.0.77/24"]"#, "mac": #""02:00:00:00:00:77""#, "aliases": #"{"lab": ["db"]}"#,
                    "dns": #"{"servers": ["10.44.0.1"], "searches": ["lab"]}"#,
                    "bandwidth": #"{"ingressRate": 0, "ingressBurst": 0}"#,
                ]
                $0.arguments = "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.44.0.5"
            }
            let (result, output) = try await runtime.add("web")
            let added = try TestSupport.JSONValue(#require(result, "\(output)").text)
            #expect(added["dns"]["nameservers"][0].text == "10.44.0.1" && added["dns"]["search"][0].text == "lab")
            let link = try await host.json(["ip", "-j", "address", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(link["address"].text == "02:00:00:00:00:77")
            #expect(link["addr_info"][0]["local"].text == "10.44.0.77")
            let servers = try await host.listen("web", ["tcp"], port: 80)
            let more = try await host.listen("web", ["tcp"], port: 81)
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("web") == true)
            #expect(try await host.answer("TCP:127.0.0.1:8081")?.hasSuffix("web") == true)
            #expect(try await host.ask("TCP:192.0.2.1:8081", at: .neighbour) == nil)
            #expect(try await runtime.check("web", #require(result)).status == 0)

            // A port that somebody has, and a limit that lets nothing pass.
            try await host.must(["ip", "netns", "add", "next"])
            var other = runtime
            other.capabilities = ["portMappings": #"[{"hostPort": 8080, "containerPort": 80}]"#]
            let taken = try await other.add("next")
            #expect(taken.output.errorCode == 101 && taken.output.output.contains("8080"), "\(taken.output)")
            other.capabilities = ["bandwidth": #"{"egressRate": 8, "egressBurst": 8}"#]
            let limited = try await other.add("next")
            #expect(limited.output.errorCode == 7 && limited.output.output.contains("egressRate"), "\(limited.output)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("next")).items.count == 1)

            // DEL takes the ports along, whatever its configuration says by then.
            var bare = runtime
            bare.capabilities = [:]
            #expect(try await bare.delete("web", in: "").status == 0)
            #expect(try await host.elements("published4").isEmpty)
            #expect(try await host.elements("published4_at").isEmpty)
            #expect(try await host.ask("TCP:127.0.0.1:8080") == nil)
            for server in servers + more { await server.stop() }
        }
    }

    /// CONVENTIONS.md: rates and bursts in bits; ingress is what the container receives.
    @Test func `a pod's name is a name of the container`() async throws {
        try await NetworkHost.with { host in
            var runtime = try await CNIRuntime.prepare(host, "f00d", "beef")
            // As podman says what it calls a container.
            runtime.arguments = "IgnoreUnknown=1;K8S_POD_NAMESPACE=web;K8S_POD_NAME=web;K8S_POD_INFRA_CONTAINER_ID=1"
            #expect(try await runtime.add("f00d").output.status == 0)
            #expect(try await host.net("hosts").contains("10.44.0.2\tf00d f00d.lab web"))
            // Pods of different namespaces may have one name, and one that nobody can ask for is none.
            runtime.arguments = "K8S_POD_NAME=a/b"
            #expect(try await runtime.add("beef").output.status == 0)
            #expect(try await runtime.delete("beef").status == 0)
            runtime.arguments = "K8S_POD_NAME=web"
            #expect(try await runtime.add("beef").output.status == 0)
        }
    }

    @Test func `bandwidth of the runtime`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.plugins = [CNIRuntime.swnet(#""subnet": "10.44.0.0/24""#, capabilities: ["bandwidth"])]
                $0.capabilities = [
                    "bandwidth":
                        #"{"ingressRate": 8000000, "ingressBurst": 800000, "egressRate": 4000000, "egressBurst": 1000}"#
                ]
            }
            let (document, output) = try await runtime.add("web")
            let result = try #require(document, "\(output)")
            let end = try #require(try TestSupport.JSONValue(result.text)["interfaces"][1]["name"].text)
            let ingress = try await host.json(["tc", "-j", "qdisc", "show", "dev", end, "root"])[0]
            #expect(ingress["kind"].text == "tbf" && ingress["options"]["rate"].integer == 1_000_000, "\(ingress)")
            #expect(abs((ingress["options"]["burst"].integer ?? 0) - 100_000) < 100, "\(ingress)")
            let limiter = "ifb" + end.dropFirst(4)
            let egress = try await host.json(["tc", "-j", "qdisc", "show", "dev", limiter])[0]
            // A burst of 125 bytes would let nothing pass.
            #expect(egress["options"]["rate"].integer == 500_000 && egress["options"]["burst"].integer ?? 0 >= 1514)
            #expect(
                try await host.run(["ping", "-c", "1", "-s", "1400", "-w", "15", "10.44.0.1"], at: .inside("web"))
                    .status == 0)
            #expect(try await runtime.check("web", result).status == 0)
            try await host.must(["tc", "qdisc", "del", "dev", end, "root"])
            let broken = try await runtime.check("web", result)
            #expect(broken.status != 0 && broken.output.contains("8mbit"), "\(broken)")
            #expect(try await runtime.delete("web", result).status == 0)
            let gone = try await eventually { try await host.run(["ip", "link", "show", "dev", limiter]).status != 0 }
            #expect(gone)
        }
    }

    @Test func `a container on two networks keeps its ports until the last`() async throws {
        try await NetworkHost.with { host in
            let first = try await CNIRuntime.prepare(host, "web") {
                $0.plugins = [CNIRuntime.swnet(#""subnet": "10.44.0.0/24""#, capabilities: ["portMappings"])]
                $0.capabilities = ["portMappings": #"[{"hostPort": 8080, "containerPort": 80}]"#]
            }
            var second = first
            second.network = "other"
            second.plugins = [CNIRuntime.swnet(#""subnet": "10.45.0.0/24""#, capabilities: ["portMappings"])]
            let one = try await first.add("web")
            let two = try await second.add("web", interface: "eth1")
            #expect(one.output.status == 0 && two.output.status == 0, "\(two.output)")
            // The same attachment twice is an error; the same network by another interface is not (section 2, ADD).
            let twice = try await first.add("web")
            #expect(twice.output.errorCode == 101 && twice.output.output.contains("eth0"), "\(twice.output)")
            let again = try await first.add("web", interface: "eth2")
            #expect(again.output.output.contains("10.44.0.3/24"), "\(again.output)")
            #expect(try await first.check("web", #require(again.result), interface: "eth2").status == 0)
            #expect(try await first.delete("web", again.result, interface: "eth2").status == 0)
            let names = try await host.json(["ip", "-j", "link"], at: .inside("web")).items.map { $0["ifname"].text }
            #expect(names == ["lo", "eth0", "eth1"])
            let servers = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await first.delete("web", one.result).status == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 2)
            #expect(try await host.answer("TCP:127.0.0.1:8080")?.hasSuffix("web") == true)
            #expect(try await second.check("web", #require(two.result), interface: "eth1").status == 0)
            #expect(try await second.delete("web", two.result, interface: "eth1").status == 0)
            #expect(try await host.elements("published4").isEmpty)
            for server in servers { await server.stop() }
        }
    }
}
