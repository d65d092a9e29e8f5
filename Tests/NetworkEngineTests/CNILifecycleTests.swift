import Foundation
import JSONCoding
import TestSupport
import Testing

/// Attachments that come in crowds, are killed, lose their namespaces, or are chained with other people's plugins.
@Suite("CNI plugin: lives and deaths")
struct CNILifecycleTests {
    @Test func `DEL without the namespace, without a result, and of what never was`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web")
            #expect(try await runtime.delete("web").status == 0)
            #expect(try await runtime.delete("never", in: "").status == 0)
            let first = try await runtime.add("web")
            #expect(first.output.status == 0)
            try await host.must(["ip", "netns", "del", "web"])
            // The path is still what the runtime says, or it says none.
            #expect(try await runtime.delete("web", first.result).status == 0)
            #expect(try await runtime.delete("web", first.result, in: "").status == 0)
            try await host.must(["ip", "netns", "add", "web"])
            let second = try await runtime.add("web")
            #expect(second.output.status == 0, "\(second.output)")
            // A configuration that ADD would refuse, and a result that makes no sense, are no reason to keep anything.
            var broken = runtime
            broken.plugins = [CNIRuntime.swnet(#""subnet": "nonsense", "mtu": "x", "vlan": 99999"#)]
            broken.arguments = "what=ever"
            let gone = try await broken.delete("web", CNIRuntime.parse(#"{"ips": 5}"#))
            #expect(gone.status == 0, "\(gone)")
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test func `a namespace that swnet knows by another name`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web")
            try await host.net("create", "mine", "--subnet", "10.45.0.0/24")
            try await host.net("connect", "mine", "web", "--ifname", "own0")
            let added = try await runtime.add("f00d", in: "/run/netns/web")
            let result = try #require(added.result, "\(added.output)")
            #expect(try await runtime.check("f00d", result).status == 0)
            // Another container's, or another interface's, DEL is not ours.
            #expect(try await runtime.delete("f00e", in: "/run/netns/web").status == 0)
            #expect(try await runtime.delete("f00d", in: "/run/netns/web", interface: "own0").status == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 3)
            #expect(try await runtime.delete("f00d", in: "").status == 0)
            let left = try await host.json(["ip", "-j", "link"], at: .inside("web")).items.compactMap {
                $0["ifname"].text
            }
            #expect(left == ["lo", "own0"])
        }
    }

    @Test func `GC spares what is valid, and what is nobody's`() async throws {
        try await NetworkHost.with { host in
            var runtime = try await CNIRuntime.prepare(host, "a", "b", "c", "own")
            runtime.version = "1.1.0"
            for name in ["a", "b", "c"] { #expect(try await runtime.add(name).output.status == 0) }
            try await host.net("connect", "lab", "own")
            try await host.must(["ip", "netns", "del", "c"])
            let collect = { (valid: String) in
                try await runtime.run(
                    "GC", runtime.plugins[0], "", "", "", nil,
                    more: ["cni.dev/valid-attachments": try CNIRuntime.parse(valid)])
            }
            let connected = {
                try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]["sandboxes"].items.compactMap {
                    $0["name"].text
                }
                .sorted()
            }
            // Half a list is no list: nobody may lose a network by it.
            #expect(try await collect(#"[{"containerID": "a"}]"#).errorCode == 7)
            #expect(try await connected() == ["a", "b", "c", "own"])
            let result = try await collect(
                #"[{"containerID": "a", "ifname": "eth0"}, {"containerID": "b", "ifname": "eth9"}]"#)
            #expect(result.status == 0 && result.output.isEmpty, "\(result)")
            #expect(try await connected() == ["a", "own"])
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("b")).items.count == 1)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("a")).items.count == 2)
            #expect(try await collect("[]").status == 0)
            #expect(try await connected() == ["own"])
        }
    }

    @Test func `DEL whatever a program inside has done to another attachment`() async throws {
        try await NetworkHost.with { host in
            let first = try await CNIRuntime.prepare(host, "web")
            var second = first
            second.network = "other"
            second.plugins = [CNIRuntime.swnet(#""ipam": {"subnet": "10.45.0.0/24"}"#)]
            let one = try await first.add("web")
            #expect(try await second.add("web", interface: "eth1").output.status == 0)
            try await host.must(["ip", "route", "flush", "dev", "eth1"], at: .inside("web"))
            let gone = try await first.delete("web", one.result)
            #expect(gone.status == 0 && gone.output.isEmpty, "\(gone)")
            #expect(gone.errors.contains("network is unreachable"), "\(gone)")
            #expect(try await host.run(["ip", "link", "show", "eth0"], at: .inside("web")).status != 0)
            #expect(try await second.delete("web", interface: "eth1").status == 0)
            #expect(try await host.net("check") == "")
        }
    }

    /// Two interfaces in one subnet: the kernel keeps a route of each, one behind the other.
    @Test func `twice on one network, each is repaired`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web")
            for interface in ["eth0", "eth1"] {
                let added = try await runtime.add("web", interface: interface)
                #expect(added.output.status == 0, "\(added.output)")
            }
            let routes = "ip -n web route show 10.44.0.0/24 | sort"
            let before = try await host.shell(routes).lines
            #expect(before.count == 2)
            for line in [
                "ip -n web route del 10.44.0.0/24 dev eth1", "ip -n web route del 10.44.0.0/24 dev eth0",
                "ip -n web address flush dev eth1", "ip -n web link set eth0 down",
                "ip -n web link set eth1 down; ip -n web link del eth1",
                "ip -n web route del default via 10.44.0.1 dev eth1",
            ] {
                let broken = try await host.shell(line)
                try #require(broken.status == 0, "\(line): \(broken)")
                let interface = line.contains("eth1") ? "eth1" : "eth0"
                let found = try await host.swnet("check")
                #expect(found.status == 1 && found.output.contains("web on lab by \(interface)"), "\(line): \(found)")
                let repaired = try await host.swnet("repair")
                #expect(repaired.status == 0 && repaired.errors.isEmpty, "\(line): \(repaired)")
                #expect(try await host.net("check") == "", "\(line)")
                #expect(try await host.shell(routes).lines == before, "\(line)")
            }
        }
    }

    @Test func `thirty at once`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host)
            // The network itself is made by whoever comes first.
            let input = try runtime.document(
                CNIRuntime.swnet(#""ipam": {"subnet": "10.44.0.0/26"}"#)
            ).text
            let line = """
                for i in $(seq 30); do ip netns add s$i; done
                plugin() {
                    CNI_COMMAND=$1 CNI_CONTAINERID=s$2 CNI_NETNS=/run/netns/s$2 CNI_IFNAME=eth0 "$0" <<<"$3"
                }
                for i in $(seq 30); do plugin ADD $i "$1" >/run/result.$i 2>/dev/null || echo "ADD $i failed" & done; wait
                cat /run/result.* | jq -r '.ips[0].address' | sort | uniq | wc -l
                for i in $(seq 30); do ip -n s$i -j address show dev eth0 | jq -r '.[0].addr_info[0].local'; done |
                    sort | uniq | wc -l
                for i in $(seq 30); do plugin DEL $i "$1" || echo "DEL $i failed" & done; wait
                ip -o link show master sw-lab | wc -l
                """
            let result = try await host.run(["bash", "-c", line, "\(CNIRuntime.folder)/swnet", input])
            #expect(result.lines == ["30", "30", "0"], "\(result)")
            try await host.net("rm", "lab")
        }
    }

    @Test func `an ADD that fails leaves no network behind`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web", "good") {
                $0.plugins = [CNIRuntime.swnet(#""subnet": "10.44.0.0/24""#, capabilities: ["ips", "portMappings"])]
            }
            try await host.must(["ip", "-n", "web", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"])
            let failures: [(interface: String, capabilities: [String: String], code: Int)] = [
                ("eth0", [:], 101), ("net0", ["ips": #"["10.44.0.1"]"#], 7),
                ("net0", ["portMappings": #"[{"hostPort": 81, "containerPort": 80, "hostIP": "198.51.100.9"}]"#], 7),
            ]
            for failure in failures {
                var failing = runtime
                failing.capabilities = failure.capabilities
                let added = try await failing.add("web", interface: failure.interface)
                #expect(added.output.errorCode == failure.code, "\(added.output)")
                #expect(try await host.nothingLeft() == [])
                #expect(try await host.shell("ls /var/lib/swnet/networks").standardOutput == "")
                #expect(try await host.must(["cat", "/proc/sys/net/ipv4/ip_forward"]) == "0")
            }
            // Nor does one take a network away that another ADD makes meanwhile.
            let input = try runtime.document(runtime.plugins[0]).text
            let line = """
                plugin() { CNI_COMMAND=ADD CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$2 CNI_IFNAME=eth0 "$0" <<<"$1"; }
                for i in 1 2 3 4 5 6; do plugin "$1" web >/dev/null & done
                plugin "$1" good >/dev/null & good=$!
                for i in 7 8 9; do plugin "$1" web >/dev/null & done
                wait $good; echo $?; wait
                """
            let result = try await host.run(["bash", "-c", line, "\(CNIRuntime.folder)/swnet", input])
            #expect(result.lines.last == "0", "\(result)")
            let ping = ["ping", "-c1", "-W2", "10.44.0.1"]
            #expect(try await host.run(ping, at: .inside("good")).status == 0)
            // And one that is there stays, with somebody on it and without.
            for isUsed in [true, false] {
                if !isUsed { #expect(try await runtime.delete("good").status == 0) }
                #expect(try await runtime.add("web").output.errorCode == 101)
                #expect(try await host.must(["ls", "/var/lib/swnet/networks"]) == "lab.json")
                #expect(try await host.net("check") == "")
            }
        }
    }

    @Test func `killed at any moment, DEL and the next ADD work`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web")
            let input = try runtime.document(
                CNIRuntime.swnet(
                    #""subnet": "10.44.0.0/24", "runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80}]}"#
                )
            ).text
            let killed = { (command: String, seconds: Double) in
                try await host.run([
                    "env", "CNI_COMMAND=\(command)", "CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/web",
                    "CNI_IFNAME=eth0",
                    "bash", "-c", #"exec 2>/dev/null; "$0" <<<"$1" >/dev/null & sleep $2; kill -9 $!; wait $!; true"#,
                    "\(CNIRuntime.folder)/swnet", input, "\(seconds)",
                ])
            }
            let variables = ["CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/web", "CNI_IFNAME=eth0"]
            for round in 0..<24 {
                let moment = Double.random(in: 0...0.03)
                let note = Comment(rawValue: "round \(round), killed after \(moment) s")
                _ = try await killed("ADD", moment)
                if round % 2 == 1 {
                    // Tried again at once, it works, unless the first was as good as done: then it is there, whole.
                    let again = try await runtime.call("ADD", input, variables)
                    #expect(again.status == 0 || again.errorCode == 101, "\(note): \(again)")
                    let link = try await host.json(["ip", "-j", "address", "show", "dev", "eth0"], at: .inside("web"))[
                        0]
                    #expect(link["operstate"].text == "UP" && link["addr_info"][0]["prefixlen"].integer == 24, note)
                    #expect(try await host.elements("published4").count == 1, note)
                }
                // A runtime has to say DEL before it tries again (section 3, Lifecycle).
                let cleaned = try await runtime.call("DEL", input, variables)
                #expect(cleaned.status == 0, "\(note): \(cleaned)")
                #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1, note)
                let added = try await runtime.call("ADD", input, variables)
                #expect(added.status == 0, "\(note): \(added)")
                _ = try await killed("DEL", moment)
                #expect(try await runtime.call("DEL", input, variables).status == 0, note)
                #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1, note)
                #expect(try await host.elements("published4").isEmpty, note)
                if round % 4 == 3 {
                    try await host.net("rm", "lab")
                    #expect(try await host.nothingLeft() == [], note)
                }
            }
        }
    }

    /// Debian's plugins speak up to 1.0.0.
    @Test(
        .enabled(if: CNIRuntime.hasPlugins, "containernetworking-plugins and iptables are not installed"),
        arguments: ["0.4.0", "1.0.0"], [false, true])
    func `before tuning, bandwidth and portmap, or behind loopback`(version: String, isBehind: Bool) async throws {
        try await NetworkHost.with { host in
            var runtime = try await CNIRuntime.prepare(host, "web")
            runtime.version = version
            runtime.plugins = [
                CNIRuntime.swnet(#""ranges": [[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd00:44::/64"}]]"#),
                #""type": "tuning", "capabilities": {"mac": true}, "sysctl": {"net.ipv4.conf.eth0.log_martians": "1"}"#,
                #""type": "bandwidth", "capabilities": {"bandwidth": true}"#,
                #""type": "portmap", "capabilities": {"portMappings": true}, "snat": true"#,
            ]
            if isBehind { runtime.plugins.insert(#""type": "loopback""#, at: 0) }
            let first = isBehind ? 1 : 0
            runtime.capabilities = [
                "mac": #""02:00:00:00:00:66""#,
                "portMappings": #"[{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}]"#,
                "bandwidth":
                    #"{"ingressRate": 8000000, "ingressBurst": 8000000, "egressRate": 8000000, "egressBurst": 8000000}"#,
            ]
            let (document, output) = try await runtime.add("web")
            let result = try #require(document, "\(output)")
            let told = try TestSupport.JSONValue(result.text)
            let names = told["interfaces"].items.compactMap { $0["name"].text }
            #expect(names.count >= first + 3 && names[first] == "sw-lab" && names[first + 2] == "eth0", "\(told)")
            if isBehind { #expect(names[0] == "lo") }
            #expect(told["interfaces"][first + 2]["mac"].text == "02:00:00:00:00:66")
            #expect(told["ips"].items.last?["interface"].integer == first + 2)
            let link = try await host.json(["ip", "-j", "address", "show", "dev", "eth0"], at: .inside("web"))[0]
            #expect(link["address"].text == "02:00:00:00:00:66")
            let present = try await host.addresses(of: "web")
            #expect(
                told["ips"].items.suffix(2).map { $0["address"].text } == ["\(present.v4)/24", "\(present.v6)/64"])
            let martians = try await host.must(
                ["cat", "/proc/sys/net/ipv4/conf/eth0/log_martians"], at: .inside("web"))
            #expect(martians == "1")
            let limits = try await host.json(["tc", "-j", "qdisc", "show", "dev", names[first + 1]]).items
            #expect(limits.contains { $0["kind"].text == "tbf" }, "\(limits)")
            // The CHECK of Debian's portmap looks for the IPv4 address's rules among those of IPv6, and never succeeds.
            var checked = runtime
            checked.plugins.removeLast()
            let check = try await checked.check("web", result)
            #expect(check.status == 0, "\(check)")
            let servers = try await host.listen("web", ["tcp"], port: 80)
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour)?.hasSuffix("web") == true)
            for server in servers { await server.stop() }
            for _ in 0..<2 {
                let gone = try await runtime.delete("web", result)
                #expect(gone.status == 0, "\(gone)")
            }
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
            try await host.net("rm", "lab")
        }
    }

    @Test(.enabled(if: CNIRuntime.hasPlugins, "containernetworking-plugins and iptables are not installed"))
    func `behind another plugin's interface`() async throws {
        try await NetworkHost.with { host in
            var runtime = try await CNIRuntime.prepare(host, "web")
            runtime.plugins = [
                #""type": "ptp", "ipam": {"type": "host-local", "subnet": "10.50.0.0/24", "dataDir": "/run/ipam"}"#,
                CNIRuntime.swnet(#""subnet": "10.44.0.0/24""#),
            ]
            // The interface is there already, and it is not ours to change.
            let taken = try await runtime.add("web")
            #expect(taken.output.errorCode == 101 && taken.output.output.contains("eth0"), "\(taken.output)")
            #expect(try await runtime.delete("web").status == 0)
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("web")).items.count == 1)
        }
    }
}
