import Foundation
import JSONCoding
import TestSupport
import Testing

/// The real binary as a plugin, by a runtime's protocol; what it did is asked of the kernel.
@Suite("CNI plugin")
struct CNIPluginTests {
    private func prepare(
        _ host: NetworkHost, _ namespaces: String..., change: (inout CNIRuntime) -> Void = { _ in }
    ) async throws -> CNIRuntime {
        var runtime = CNIRuntime(host: host)
        change(&runtime)
        try await runtime.install()
        for name in namespaces { try await host.must(["ip", "netns", "add", name]) }
        return runtime
    }

    @Test func `macspoofchk and portIsolation, as the bridge plugin has them`() async throws {
        try await NetworkHost.with { host in
            let ipam = #""ipam": {"ranges": [[{"subnet": "10.44.0.0/24"}]]}"#
            let runtime = try await prepare(host, "web", "peer") {
                $0.plugins = [CNIRuntime.swnet(#""macspoofchk": true, "portIsolation": true, \#(ipam)"#)]
            }
            for name in ["web", "peer"] { #expect(try await runtime.add(name).result != nil) }
            let ping = ["ping", "-c1", "-W1"]
            #expect(try await host.run(ping + ["10.44.0.1"], at: .inside("web")).status == 0)
            #expect(try await host.run(ping + ["10.44.0.3"], at: .inside("web")).status != 0)
            try await host.must(["ip", "address", "add", "10.44.0.77/24", "dev", "eth0"], at: .inside("web"))
            #expect(try await host.run(ping + ["-I", "10.44.0.77", "10.44.0.1"], at: .inside("web")).status != 0)
            // A network that is there without it is not what was asked for.
            for name in ["web", "peer"] { #expect(try await runtime.delete(name, nil).status == 0) }
            try await host.net("rm", "lab")
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            let refused = try await runtime.add("web")
            #expect(refused.result == nil && refused.output.output.contains("macspoofchk"), "\(refused.output)")
        }
    }

    @Test(arguments: ["0.4.0", "1.0.0", "1.1.0"])
    func `ADD, CHECK and DEL, in every version`(version: String) async throws {
        try await NetworkHost.with { host in
            let ranges = #"[[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd00:44::/64", "gateway": "fd00:44::ff"}]]"#
            let runtime = try await prepare(host, "web") {
                $0.version = version
                $0.plugins = [
                    CNIRuntime.swnet(
                        #""bridge": "cni0", "isGateway": true, "ipMasq": true, "mtu": 1400, "keyA": [5], "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}], "ranges": \#(ranges)}, "dns": {"nameservers": ["10.44.0.1"]}"#
                    )
                ]
            }
            let (result, output) = try await runtime.add("web")
            let added = try TestSupport.JSONValue(#require(result).text)
            #expect(added["cniVersion"].text == version, "\(output)")
            // What it says is what the kernel has.
            for (place, inside) in [(0, false), (1, false), (2, true)] {
                let told = added["interfaces"][place]
                let link = try await host.json(
                    ["ip", "-j", "link", "show", "dev", try #require(told["name"].text)],
                    at: inside ? .inside("web") : .host)[0]
                #expect(link["address"].text == told["mac"].text, "\(told)")
                #expect(told["sandbox"].text == (inside ? "/run/netns/web" : nil))
                #expect(link["mtu"].integer == 1400)
                #expect(told["mtu"].integer == (version == "1.1.0" ? 1400 : nil))
                #expect(link["operstate"].text == "UP")
                if place == 1 { #expect(link["master"].text == added["interfaces"][0]["name"].text) }
            }
            let addresses = try await host.addresses(of: "web")
            #expect(added["ips"].items.map { $0["address"].text } == ["\(addresses.v4)/24", "\(addresses.v6)/64"])
            #expect(added["ips"].items.map { $0["gateway"].text } == ["10.44.0.1", "fd00:44::ff"])
            #expect(added["ips"].items.map { $0["interface"].integer } == [2, 2])
            #expect(added["ips"].items.map { $0["version"].text } == (version == "0.4.0" ? ["4", "6"] : [nil, nil]))
            #expect(added["routes"].items.map { $0["dst"].text } == ["0.0.0.0/0", "::/0"])
            #expect(added["dns"]["nameservers"][0].text == "10.44.0.1")
            for (family, gateway) in [("-4", "10.44.0.1"), ("-6", "fd00:44::ff")] {
                let routes = try await host.json(["ip", "-j", family, "route", "show", "default"], at: .inside("web"))
                #expect(routes[0]["gateway"].text == gateway)
            }
            let check = try await runtime.check("web", #require(result))
            #expect(check.status == 0 && check.output.isEmpty, "\(check)")
            for _ in 0..<2 {
                let gone = try await runtime.delete("web", result)
                #expect(gone.status == 0 && gone.output.isEmpty, "\(gone)")
                #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            }
            // The network stays for the next, and goes with all there is when a person says so.
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `errors are JSON on standard output, and a status`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await prepare(host, "web")
            let plugin = runtime.plugins[0]
            let good = try runtime.document(plugin).text
            let all = ["CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/web", "CNI_IFNAME=eth0"]
            for (command, input, variables, code, word) in [
                ("REMOVE", good, all, 4, "REMOVE"), ("ADD", good, [all[0], all[2]], 4, "CNI_NETNS"),
                ("ADD", "", all, 6, "JSON"), ("ADD", #"{"cniVersion": "0.3.1", "name": "lab"}"#, all, 1, "0.3.1"),
                ("ADD", #"{"cniVersion": "1.0.0"}"#, all, 7, "name"),
                (
                    "ADD", good, ["CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/none", "CNI_IFNAME=eth0"], 3,
                    "/run/netns/none"
                ),
                (
                    "ADD", good, ["CNI_CONTAINERID=web", "CNI_NETNS=/etc/hostname", "CNI_IFNAME=eth0"], 4,
                    "/etc/hostname"
                ),
                (
                    "ADD", good, ["CNI_CONTAINERID=web", "CNI_NETNS=/proc/self/ns/net", "CNI_IFNAME=eth0"], 4,
                    "host's own"
                ),
                ("ADD", good, ["CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/web", "CNI_IFNAME=lo"], 101, "lo"),
                ("ADD", good, all + ["CNI_ARGS=FOO=1"], 4, "FOO"), ("CHECK", good, all, 7, "prevResult"),
                ("GC", good, [], 1, "1.0.0"), ("STATUS", good, [], 1, "1.0.0"),
            ] as [(String, String, [String], Int, String)] {
                let result = try await runtime.call(command, input, variables)
                #expect(result.errorCode == code, "\(result)")
                #expect(
                    try TestSupport.JSONValue(result.standardOutput)["msg"].text?.contains(word) == true, "\(result)")
                #expect(result.errors.isEmpty || result.errors.contains("warning"), "\(result)")
            }
            let version = try await runtime.call("VERSION", #"{"cniVersion": "0.4.0"}"#)
            #expect(version.status == 0 && version.output.contains(#""supportedVersions":["0.4.0","1.0.0","1.1.0"]"#))
            // A person who types a command means it, whatever a runtime's environment says.
            let typed = try await host.run(["env", "CNI_COMMAND=ADD", NetworkHost.swnet, "--version"])
            #expect(typed.status == 0 && typed.output.contains("swnet"), "\(typed)")
            // Nothing of what was refused is there.
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            #expect(try await host.json(["ip", "-j", "link", "show", "type", "veth"]).items.count == 1)
        }
    }

    @Test(
        .enabled("aardvark-dns is not installed") {
            try await Command.run(["test", "-x", "/usr/lib/podman/aardvark-dns"]).status == 0
        })
    func `who says nothing of resolvers gets the one that knows the aliases`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await prepare(host, "web") {
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
            let runtime = try await prepare(host, "web") {
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
            let runtime = try await prepare(host, "web") {
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
            var runtime = try await prepare(host, "f00d", "beef")
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
            let runtime = try await prepare(host, "web") {
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
            let first = try await prepare(host, "web") {
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

    @Test func `CHECK sees what somebody has changed`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await prepare(host, "web") {
                $0.plugins = [CNIRuntime.swnet(#""subnet": "10.44.0.0/24""#, capabilities: ["portMappings"])]
                $0.capabilities = ["portMappings": #"[{"hostPort": 8080, "containerPort": 80}]"#]
            }
            let unknown = try await runtime.check("web", CNIRuntime.parse(Self.result))
            #expect(unknown.errorCode == 3, "\(unknown)")
            let added = try await runtime.add("web")
            let result = try #require(added.result, "\(added.output)")
            let told = try TestSupport.JSONValue(result.text)
            let veth = try #require(told["interfaces"][1]["name"].text)
            let bridge = try #require(told["interfaces"][0]["name"].text)
            let address = try #require(told["ips"][0]["address"].text)
            for (damage, repair, word) in [
                (
                    "ip link set \(veth) nomaster",
                    "ip link set \(veth) master \(bridge); ip link set \(veth) type bridge_slave hairpin on",
                    "no port of \(bridge)"
                ),
                (
                    "ip -n web address del \(address) dev eth0",
                    "ip -n web address add \(address) dev eth0; ip -n web route add default via 10.44.0.1", address
                ),
                ("ip -n web route del default", "ip -n web route add default via 10.44.0.1", "10.44.0.1"),
                (
                    "ip -n web link set eth0 down",
                    "ip -n web link set eth0 up; ip -n web route add default via 10.44.0.1", "eth0 is down"
                ),
                ("ip address del 10.44.0.1/24 dev \(bridge)", "ip address add 10.44.0.1/24 dev \(bridge)", "10.44.0.1"),
                ("ip link set \(bridge) down", "ip link set \(bridge) up", "\(bridge) is down"),
                (
                    "nft flush map inet swnet published4",
                    "nft add element inet swnet published4 '{ tcp . 8080 : \(address.dropLast(3)) . 80 }'", "8080"
                ),
                (
                    "nft flush set inet swnet networks",
                    #"nft add element inet swnet networks '{ "\#(bridge)" . "\#(bridge)" }'"#, "lacks bridge"
                ),
            ] {
                let change = try await host.shell(damage)
                #expect(change.status == 0, "\(change)")
                let check = try await runtime.check("web", result)
                #expect(check.errorCode == 102 && check.output.contains(word), "\(damage): \(check)")
                try await host.shell(repair)
                let repaired = try await runtime.check("web", result)
                #expect(repaired.status == 0, "\(repair): \(repaired)")
            }
            try await host.must(["nft", "delete", "table", "inet", "swnet"])
            #expect(try await runtime.check("web", result).errorCode == 102)
            // DEL goes on where a CHECK would despair.
            #expect(try await runtime.delete("web", result).status == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
        }
    }

    static let result = #"{"interfaces": [{"name": "eth0", "sandbox": "/run/netns/web"}], "ips": []}"#

    @Test func `a configuration that contradicts the network`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await prepare(host, "web")
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--gateway", "10.44.0.9")
            for members in [
                #""subnet": "10.45.0.0/24""#, #""subnet": "10.44.0.0/24", "gateway": "10.44.0.1""#,
                #""subnet": "10.44.0.0/24", "mtu": 1400"#, #""subnet": "10.44.0.0/24", "isGateway": false"#,
            ] {
                var other = runtime
                other.plugins = [CNIRuntime.swnet(members)]
                let refused = try await other.add("web")
                #expect(refused.output.errorCode == 7 && refused.output.output.contains("lab"), "\(refused.output)")
            }
            // A subnet that the host uses, of a network that is not there yet.
            var foreign = runtime
            foreign.network = "foreign"
            foreign.plugins = [CNIRuntime.swnet(#""subnet": "192.0.2.0/24""#)]
            let overlap = try await foreign.add("web")
            #expect(overlap.output.errorCode == 101 && overlap.output.output.contains("192.0.2.0/24"))
            // The network that swnet would choose subnets for, if it were not for the configuration; no other is made.
            try await host.must(["ip", "netns", "add", "next"])
            var standard = runtime
            standard.network = "bridge"
            standard.plugins = [CNIRuntime.swnet(#""subnet": "10.46.0.0/24""#)]
            let chosen = try await standard.add("next")
            #expect(chosen.output.output.contains("10.46.0.2/24"), "\(chosen.output)")
            #expect(try await host.must(["ls", "/var/lib/swnet/networks"]) == "bridge.json\nlab.json")
            standard.network = "host"
            #expect(try await standard.add("next", interface: "eth1").output.errorCode == 7)
            // What says nothing of it is fine with what is there; so is a person's own network.
            var bare = runtime
            bare.plugins = [CNIRuntime.swnet(#""mtu": 0"#)]
            let added = try await bare.add("web")
            #expect(added.output.status == 0, "\(added.output)")
            #expect(try TestSupport.JSONValue(added.output.standardOutput)["ips"][0]["gateway"].text == "10.44.0.9")
        }
    }

    @Test func `drivers, ranges and several subnets`() async throws {
        try await NetworkHost.with { host in
            var runtime = try await prepare(host, "web") {
                $0.version = "1.1.0"
                $0.plugins = [
                    CNIRuntime.swnet(
                        #""exclude": ["10.44.0.100"], "ipam": {"ranges": [[{"subnet": "10.44.0.0/24", "rangeStart": "10.44.0.100", "rangeEnd": "10.44.0.101"}], [{"subnet": "10.45.0.0/24"}]]}"#
                    )
                ]
            }
            let (result, output) = try await runtime.add("web")
            let added = try TestSupport.JSONValue(#require(result, "\(output)").text)
            let link = try await host.json(["ip", "-j", "-4", "address", "show", "dev", "eth0"], at: .inside("web"))[0]
            let present = link["addr_info"].items.map { "\($0["local"].text ?? "")/\($0["prefixlen"].integer ?? 0)" }
            #expect(present == added["ips"].items.map { $0["address"].text })
            #expect(present[0] == "10.44.0.101/24" && present[1].hasPrefix("10.45.0."))
            #expect(try await runtime.check("web", #require(result)).status == 0)
            let full = try await runtime.call("STATUS", runtime.document(runtime.plugins[0]).text)
            #expect(full.errorCode == 50, "\(full)")

            runtime.network = "wire"
            runtime.plugins = [
                CNIRuntime.swnet(
                    #""driver": "macvlan", "options": {"parent": "eth0"}, "subnet": "192.0.2.0/24", "gateway": "192.0.2.2", "ipam": {"type": ""}"#
                )
            ]
            let wire = try await runtime.add("web", interface: "net1")
            let told = try TestSupport.JSONValue(#require(wire.result, "\(wire.output)").text)
            // There is nothing of it in the host.
            #expect(told["interfaces"].items.map { $0["name"].text } == ["net1"])
            let macvlan = try await host.json(["ip", "-j", "-d", "link", "show", "dev", "net1"], at: .inside("web"))[0]
            #expect(macvlan["linkinfo"]["info_kind"].text == "macvlan")
            #expect(macvlan["address"].text == told["interfaces"][0]["mac"].text)
            #expect(told["ips"][0]["gateway"].text == "192.0.2.2")
            #expect(try await runtime.check("web", #require(wire.result), interface: "net1").status == 0)
            var other = runtime
            other.plugins = [CNIRuntime.swnet(#""driver": "macvlan", "options": {"parent": "eth0", "mode": "vepa"}"#)]
            let contradiction = try await other.add("web", interface: "net2")
            #expect(contradiction.output.errorCode == 7 && contradiction.output.output.contains("vepa"))
            other.network = "none"
            other.plugins = [CNIRuntime.swnet(#""driver": "carrier-pigeon""#)]
            #expect(try await other.add("web", interface: "net2").output.errorCode == 7)
            #expect(try await runtime.delete("web", wire.result, interface: "net1").status == 0)
            let left = try await host.json(["ip", "-j", "link"], at: .inside("web")).items.compactMap {
                $0["ifname"].text
            }
            #expect(left == ["lo", "eth0"])
        }
    }

    @Test func `STATUS says when there is no room`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await prepare(host, "one") {
                $0.version = "1.1.0"
                $0.plugins = [CNIRuntime.swnet(#""subnet": "10.44.0.0/30""#)]
            }
            let status = { (runtime: CNIRuntime) in
                try await runtime.call("STATUS", runtime.document(runtime.plugins[0]).text)
            }
            #expect(try await status(runtime).status == 0)
            #expect(try await runtime.add("one").output.status == 0)
            let full = try await status(runtime)
            #expect(full.errorCode == 50 && full.output.contains("10.44.0.0/30"), "\(full)")
            // Somebody whose namespace is gone makes room.
            try await host.must(["ip", "netns", "del", "one"])
            #expect(try await status(runtime).status == 0)
            var taken = runtime
            taken.network = "other"
            taken.plugins = [CNIRuntime.swnet(#""subnet": "192.0.2.0/24""#)]
            #expect(try await status(taken).errorCode == 50)
            // The next ADD would fail of a parent that is not there; that is not a container that is unknown.
            for (parent, word) in [("nosuch0", "nosuch0"), ("lo", "loopback")] {
                taken.plugins = [
                    CNIRuntime.swnet(
                        #""driver": "macvlan", "options": {"parent": "\#(parent)"}, "subnet": "10.46.0.0/24""#)
                ]
                let missing = try await status(taken)
                #expect(missing.errorCode == 50 && missing.output.contains(word), "\(missing)")
                try await host.must(["ip", "netns", "add", "two-\(parent)"])
                let added = try await taken.add("two-\(parent)").output
                #expect(added.errorCode == 7 && added.output.contains(word), "\(added)")
            }
            taken.plugins = [CNIRuntime.swnet(#""subnet": "192.0.2.7/24""#)]
            #expect(try await status(taken).errorCode == 7)
        }
    }
}
