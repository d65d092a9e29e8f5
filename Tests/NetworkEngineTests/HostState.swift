import TestSupport

extension NetworkHost {
    /// Everything that an operation could leave on the host and in its sandboxes, as text: two moments can be compared.
    ///
    /// Left out is what changes by itself (timers, carriers, addresses of the link alone, routes that follow from
    /// addresses) and what is no state: how far the handing out of addresses has come, whose the lock was, and empty
    /// folders.
    ///
    /// It is asked for at each step of each operation that is made to fail, so it starts few programs, and what they say is
    /// cut and sorted here.
    func state() async throws -> [String] {
        let result = try await shell(Self.question)
        guard result.status == 0, result.errors.isEmpty else { throw CommandError("\(result)") }
        var answer = StateAnswer()
        for line in result.lines { try answer.take(line) }
        return answer.lines
    }

    private static let question = #"""
        cd /
        spaces=("")
        for f in run/netns/*; do
            [ -e "$f" ] && [ "${f##*/}" != neighbour ] && spaces+=("${f##*/}")
        done
        for space in "${spaces[@]}"; do
            at=(); [ -z "$space" ] || at=(-n "$space")
            echo "@interfaces $space"
            printf 'link show\naddress show\n' | ip "${at[@]}" -j -d -b -
            echo "@routes $space"
            ip "${at[@]}" route show table all
            ip "${at[@]}" -6 route show table all
        done
        echo "@qdiscs"; tc qdisc show
        echo "@forwarding"; bridge fdb show
        echo "@sysctl"
        for name in ipv4/ip_forward ipv6/conf/all/forwarding ipv6/conf/eth0/accept_ra; do
            read -r value < /proc/sys/net/$name; echo "$name = $value"
        done
        echo "@ruleset"; nft list ruleset
        echo "@names"; find run/swnet var/lib/swnet -mindepth 1 -printf '%y %p -> %l\n'
        echo "@files"; grep -arsH '' run/swnet var/lib/swnet
        echo "@processes"; ps -eo stat,comm
        true
        """#

    /// Waits until the state is as it was; what is different when it never is. The kernel deletes links in its own time.
    ///
    /// - Parameter plain: What takes away from a line what need not be the same.
    func difference(from before: [String], _ plain: (String) -> String = { $0 }) async throws -> [String] {
        var now: [String] = []
        let same = try await eventually(seconds: 60) {
            now = try await state().map(plain)
            return now == before
        }
        return same
            ? []
            : now.filter { !before.contains($0) }.map { "+ \($0)" }
                + before.filter { !now.contains($0) }.map { "- \($0)" }
    }
}

/// What the programs said, section by section.
private struct StateAnswer {
    private var section = ""
    private var space = ""
    private var network: [String] = []
    private var host: [String] = []
    private var rules: [String] = []
    private var files: [String] = []
    private var processes: [String] = []

    var lines: [String] { network.sorted() + host.sorted() + rules + files.sorted() + processes.sorted() }

    mutating func take(_ line: String) throws {
        if line.hasPrefix("@") {
            let words = line.dropFirst().split(separator: " ", maxSplits: 1).map(String.init)
            section = words[0]
            space = words.count > 1 ? words[1] : ""
            return
        }
        switch section {
        case "interfaces":
            for item in try JSONValue(line).items where item["ifname"].text != nil { takeInterface(item) }
        case "routes":
            if ["fe80", "ff00", "table local"].contains(where: line.contains) { return }
            let words = line.split(separator: " ").filter { $0 != "linkdown" && $0 != "dead" }
            network.append("\(space) route \(words.joined(separator: " "))")
        case "qdiscs":
            guard ["tbf", "ingress", "clsact"].contains(where: line.contains) else { return }
            host.append(line.replacing(#/ [0-9a-f]+: /#, with: " "))
        case "forwarding": if line.contains(" dst ") { host.append(line) }
        case "sysctl": host.append(line)
        case "ruleset": rules.append(line)
        case "names": takeName(line)
        case "files":
            let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            if !Self.isLeftOut(String(parts[0])) { files.append(line) }
        case "processes":
            guard !line.hasPrefix("Z") else { return }
            // Nobody reaps the dead here.
            for name in ["aardvark-dns", "swnet", "busybox", "udhcpc", "dhcpcd"] where line.contains(name) {
                processes.append(name)
            }
        default: throw CommandError("a line of no section: \(line)")
        }
    }

    private mutating func takeInterface(_ item: JSONValue) {
        let name = item["ifname"].text ?? ""
        guard item["addr_info"] == .null else {
            for address in item["addr_info"].items where address["scope"].text == "global" {
                network.append(
                    "\(space) address \(name) \(address["local"].text ?? "")/\(address["prefixlen"].integer ?? 0)")
            }
            return
        }
        let texts = ["link_type", "address", "master", "ifalias"].map { item[$0].text ?? "-" }
        let isUp = item["flags"].items.contains { $0.text == "UP" }
        network.append(
            "\(space) link \(name) \(texts.joined(separator: " ")) \(item["mtu"].integer ?? 0) "
                + "\(item["linkinfo"]["info_kind"].text ?? "-") \(isUp ? "up" : "down")")
    }

    private mutating func takeName(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        guard words.count == 2, let end = words[1].firstRange(of: " -> ") else { return }
        let path = String(words[1][..<end.lowerBound])
        if Self.isLeftOut(path) { return }
        switch words[0] {
        case "l": files.append(words[1])
        case "d": files.append("\(path)/")
        default: break
        }
    }

    private static func isLeftOut(_ path: String) -> Bool {
        let endings = [
            "/lock", "/boot", "/repaired", "/unique-local", ".new", "/aardvark.pid", "/names", "/names-internal",
            "/relays", "/dhcp", "/dhcp6",
        ]
        return endings.contains(where: path.hasSuffix) || path.contains("/cursor")
    }
}
