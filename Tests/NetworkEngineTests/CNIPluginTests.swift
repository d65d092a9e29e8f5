import Foundation
import JSONCoding
import TestSupport
import Testing

/// The real binary as a plugin, by a runtime's protocol; what it did is asked of the kernel.
@Suite("CNI plugin")
struct CNIPluginTests {
    @Test func `macspoofchk and portIsolation, as the bridge plugin has them`() async throws {
        try await NetworkHost.with { host in
            let ipam = #""ipam": {"ranges": [[{"subnet": "10.44.0.0/24"}]]}"#
            let runtime = try await CNIRuntime.prepare(host, "web", "peer") {
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

    @Test func `a set of several ranges, as host-local has them`() async throws {
        try await NetworkHost.with { host in
            let set = #"[{"subnet": "10.44.0.0/30"}, {"subnet": "10.45.0.0/30", "gateway": "10.45.0.2"}]"#
            let runtime = try await CNIRuntime.prepare(host, "web", "peer", "late") {
                $0.plugins = [CNIRuntime.swnet(#""ipam": {"type": "host-local", "ranges": [\#(set)]}"#)]
            }
            for (name, address, gateway) in [
                ("web", "10.44.0.2/30", "10.44.0.1"), ("peer", "10.45.0.1/30", "10.45.0.2"),
            ] {
                let added = try await TestSupport.JSONValue(#require(runtime.add(name).result).text)
                #expect(added["ips"].items.map { $0["address"].text } == [address])
                #expect(added["ips"].items.map { $0["gateway"].text } == [gateway])
                let ping = ["ping", "-c1", "-W1", gateway]
                #expect(try await host.run(ping, at: .inside(name)).status == 0)
            }
            let full = try await runtime.add("late").output
            #expect(full.output.contains("every address of 10.44.0.0/30 and 10.45.0.0/30 is taken"), "\(full)")
        }
    }

    @Test(arguments: ["0.4.0", "1.0.0", "1.1.0"])
    func `ADD, CHECK and DEL, in every version`(version: String) async throws {
        try await NetworkHost.with { host in
            let ranges = #"[[{"subnet": "10.44.0.0/24"}], [{"subnet": "fd00:44::/64", "gateway": "fd00:44::ff"}]]"#
            let runtime = try await CNIRuntime.prepare(host, "web") {
                $0.version = version
                $0.plugins = [
                    CNIRuntime.swnet(
                        #""bridge": "cni0", "isGateway": true, "ipMasq": true, "mtu": 1400, "keyA": [5], "ipam": {"type": "host-local", "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}], "ranges": \#(ranges)}, "dns": {"nameservers": ["10.44.0.1"]}"#
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
            let runtime = try await CNIRuntime.prepare(host, "web")
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
                ("ADD", good, ["CNI_CONTAINERID=web", "CNI_NETNS=/run/netns/web", "CNI_IFNAME=lo"], 4, "lo"),
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

    @Test func `CHECK sees what somebody has changed`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "web") {
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
            // Nor is it the container's when it is asked about another namespace, whatever that one has.
            try await host.must(["ip", "netns", "add", "other"])
            let other = try await runtime.run(
                "CHECK", runtime.plugins[0], "web", "/run/netns/other", "eth0", result)
            #expect(
                other.errorCode == 3 && other.output.contains("another namespace than /run/netns/other"), "\(other)")
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
            let runtime = try await CNIRuntime.prepare(host, "web")
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
            var runtime = try await CNIRuntime.prepare(host, "web") {
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
            let runtime = try await CNIRuntime.prepare(host, "one") {
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
