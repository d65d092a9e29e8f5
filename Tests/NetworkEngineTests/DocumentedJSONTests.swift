import Foundation
import TestSupport
import Testing

@Suite("JSON is what the help says, and the help says all of it", .timeLimit(.minutes(10)))
struct DocumentedJSONTests {
    /// A line of a command's help about a member.
    struct Member: Hashable {
        var path: String
        var type: String
    }

    /// The members that a help names, by their heading.
    private func documented(_ host: NetworkHost, _ command: String) async throws -> [String: Set<Member>] {
        var heading = ""
        var members: [String: Set<Member>] = [:]
        let line = try Regex(#"^  ([a-zA-Z0-9.\[\]*]+)\??(\[\])?\?? +(string|number|boolean)  +\S.*$"#)
        for text in try await host.net(command, "--help").split(separator: "\n").map(String.init) {
            if text.hasSuffix(":"), !text.hasPrefix(" ") { heading = text }
            guard let match = text.wholeMatch(of: line), let path = match[1].substring, let type = match[3].substring
            else {
                continue
            }
            members[heading, default: []].insert(Member(path: String(path), type: String(type)))
        }
        return members
    }

    /// The members of a document that are no lists and objects themselves.
    private func leaves(_ value: JSONValue, _ path: String = "") -> Set<Member> {
        switch value {
        case .null: []
        case .bool: [Member(path: path, type: "boolean")]
        case .number: [Member(path: path, type: "number")]
        case .string: [Member(path: path, type: "string")]
        case .array(let items): items.reduce(into: []) { $0.formUnion(leaves($1, path + "[]")) }
        case .object(let members):
            members.reduce(into: []) { found, member in
                let name = ["options", "labels"].contains(path.split(separator: ".").last ?? "") ? "*" : member.key
                found.formUnion(leaves(member.value, path.isEmpty ? name : "\(path).\(name)"))
            }
        }
    }

    private func compare(_ told: Set<Member>?, _ printed: Set<Member>, except hidden: Set<String> = []) {
        let told = told ?? []
        #expect(!told.isEmpty)
        #expect(printed.subtracting(told).map(\.path).sorted() == [], "printed and not documented")
        let missing = told.subtracting(printed).map(\.path).filter { !hidden.contains($0) }
        #expect(missing.sorted() == [], "documented and not printed")
    }

    /// Networks and sandboxes with everything that there is to say.
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net(
            "create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64", "--gateway", "10.44.0.1",
            "--ip-range",
            "10.44.0.64/26", "--exclude", "10.44.0.70", "--mtu", "1400", "--route", "10.99.0.0/16,10.44.0.200",
            "--isolate-ports", "--announce-all", "--source", "192.0.2.1")
        try await host.net("create", "plain", "--source", "none", "--subnet", "10.46.0.0/24,10.47.0.0/24")
        try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
        try await host.net("create", "lan", "-d", "macvlan", "--opt", "parent=eth0", "--subnet", "192.0.2.0/24")
        try await host.must(["ip", "netns", "add", "web"])
        try await host.net(
            "connect", "lab", "web", "--egress", "10mbit", "--ingress", "10mbit", "--gw-priority", "5", "--sysctl",
            "net.ipv4.conf.IFNAME.rp_filter=0", "-p", "8080:80", "-p", "81")
        try await host.net("connect", "closed", "web")
        try await host.net("connect", "lan", "web", "--metric", "7")
        try await host.net("connect", "bridge", "web")
        try await host.net("publish", "web", "127.0.0.1:53:53/udp")
    }

    @Test func `inspect, ls, ports, hosts, graph`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let all = try await host.json([NetworkHost.swnet, "inspect", "lab", "closed", "lan", "plain"])
            let help = try await documented(host, "inspect")
            var printed = Set(all.items.flatMap { leaves($0) })
            compare(help["A network:"], printed, except: ["dhcp", "dhcp6", "slaac"])
            printed = leaves(try await host.json([NetworkHost.swnet, "inspect", "web"])[0])
            // Of namespaces that are named by a process, of other drivers, and of CNI.
            let holder = try host.start(["unshare", "--net", "sleep", "600"])
            let pid = try await host.must(["bash", "-c", "until pidof sleep; do sleep 0.1; done"])
            let isIn = try await eventually { try await host.swnet("connect", "bridge", "pid:\(pid)").status == 0 }
            #expect(isIn)
            printed.formUnion(leaves(try await host.json([NetworkHost.swnet, "inspect", "pid:\(pid)"])[0]))
            compare(
                help["A sandbox:"], printed,
                except: [
                    "endpoints[].link.id", "endpoints[].link.device", "endpoints[].link.mac", "endpoints[].link.mtu",
                    "endpoints[].deviceRoutes[]",
                    "endpoints[].labels.*", "endpoints[].dhcp.server", "endpoints[].dhcp.seconds",
                    "endpoints[].dhcp6.seconds", "endpoints[].slaac", "endpoints[].handedOn",
                    "endpoints[].aliases[]", "endpoints[].nameServers[]",
                ])
            await holder.stop()
            for (command, extra) in [("ls", Set(["dhcp", "dhcp6", "slaac"])), ("ports", []), ("hosts", [])] {
                let json = try await host.json([NetworkHost.swnet, command, "--format", "json"])
                compare(
                    try await documented(host, command)["With json, a list of:"],
                    json.items.reduce(into: []) { $0.formUnion(leaves($1)) }, except: extra)
            }
            compare(
                try await documented(host, "graph")["json:"],
                leaves(try await host.json([NetworkHost.swnet, "graph", "--format", "json"])))
        }
    }

    @Test func `check and events`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let events = try host.start([NetworkHost.swnet, "events", "--format", "json"])
            let hears = try await eventually {
                try await host.net("create", "probe", "-d", "dummy", "--ipam", "none")
                try await host.net("rm", "probe")
                return events.outputSoFar.contains("network-removed")
            }
            #expect(hears)
            try await host.must(["nft", "delete", "table", "inet", "swnet"])
            try await host.must(["nft", "add table inet theirs"])
            try await host.must([
                "nft", "add chain inet theirs f { type filter hook forward priority 0; policy drop; }",
            ])
            let differences = try JSONValue(try await host.swnet("check", "--format", "json").standardOutput)
            compare(
                try await documented(host, "check")["With json, a list of:"],
                differences.items.reduce(into: []) { $0.formUnion(leaves($1)) })
            #expect(try await eventually { events.outputSoFar.contains("damaged") })
            let repairs = try JSONValue(try await host.swnet("repair", "--format", "json").standardOutput)
            compare(
                try await documented(host, "repair")["With json, a list of:"],
                repairs.items.reduce(into: []) { $0.formUnion(leaves($1)) })
            try await host.net("unpublish", "web", "8080:80")
            try await host.net("disconnect", "closed", "web")
            let isTold = try await eventually {
                events.outputSoFar.contains("repaired") && events.outputSoFar.contains("disconnected")
            }
            #expect(isTold)
            await events.stop()
            let lines = try events.outputSoFar.split(separator: "\n").map { try JSONValue(String($0)) }
            compare(
                try await documented(host, "events")["With json, a line is an object:"],
                lines.reduce(into: []) { $0.formUnion(leaves($1)) })
            // And every kind of event has its word there.
            let help = try await host.net("events", "--help")
            for line in lines { #expect(help.contains(line["event"].text ?? "?")) }
        }
    }

    @Test func trace() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            var printed: Set<Member> = []
            for words in [
                ["tcp", "127.0.0.1:8080"], ["udp", "127.0.0.1:53"], ["tcp", "192.0.2.1:1"], ["icmp", "192.0.2.2"],
            ] {
                let result = try await host.run([NetworkHost.swnet, "trace", "--format", "json"] + words)
                printed.formUnion(leaves(try JSONValue(result.standardOutput)))
            }
            // The answer's stations are as the packet's.
            let prefix = "answerStations[]"
            let alike = printed.map { member in
                member.path.hasPrefix(prefix)
                    ? Member(path: "stations[]" + member.path.dropFirst(prefix.count), type: member.type) : member
            }
            compare(
                try await documented(host, "trace")["With json:"], Set(alike),
                except: ["notes[]", "stations[].leftOutput"])
        }
    }

    @Test func `a name that is nobody's, and one that both have`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.must(["ip", "netns", "add", "lab"])
            try await host.net("connect", "lab", "lab")
            #expect(try await host.json([NetworkHost.swnet, "inspect", "lab"])[0]["driver"].text == "bridge")
            #expect(
                try await host.json([NetworkHost.swnet, "inspect", "container:lab"])[0]["namespace"].keys.contains(
                    "inode"))
            let result = try await host.swnet("inspect", "nosuch")
            #expect(
                result.status == 1 && result.errors.contains("neither a network nor a connected sandbox named nosuch"))
            #expect(result.output == "")
        }
    }

    @Test func `listings in short, and of some only`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            #expect(
                try await host.net("ls", "-q").split(separator: "\n") == ["bridge", "closed", "lab", "lan", "plain"])
            #expect(try await host.net("ls", "-q", "--driver", "macvlan") == "lan")
            #expect(try await host.net("ports", "-q").contains("8080:80/tcp"))
            try await host.must(["ip", "netns", "add", "quiet"])
            try await host.net("connect", "lab", "quiet")
            #expect(
                try await host.net("ports", "quiet") == host.net("ports", "-q", "quiet")
                    + "SANDBOX   HOST   PORT   PROTOCOL   LEADS TO")
            let unknown = try await host.swnet("ports", "web", "nobody")
            #expect(
                unknown.status == 1 && unknown.errors.contains("no connected sandbox named nobody"), "\(unknown)")
            #expect(try await host.net("ports", "-q", "web").split(separator: "\n").count == 3)
            try await host.net("check", "-q")
            try await host.must(["nft", "delete", "table", "inet", "swnet"])
            let quiet = try await host.swnet("check", "-q")
            #expect(quiet.status == 1 && quiet.output == "")
            #expect(try await host.swnet("ls", "--driver", "nosuch").status == 64)
        }
    }
}
