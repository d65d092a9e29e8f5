import TestSupport
import Testing

/// What others have broken on a host, all of it at once.
struct HostDamage: Sendable, CustomTestStringConvertible {
    var name: String
    /// Lines of shell that make the host.
    var setup: [String]
    /// Lines of shell that break it, each time anew.
    var lines: [String]
    /// Lines of shell that ask the host's networks, and what they answer.
    var questions: [(line: String, answer: String)] = []
    /// The least that a repair has of steps: with fewer, something is not asked to fail any more.
    var steps: Int
    var testDescription: String { name }

    private static let networks = [
        // First, as it is the first after each flush.
        theirs,
        "$SWNET create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64",
        "$SWNET create two --subnet 10.45.0.0/24 --antispoof --isolate-ports",
        "$SWNET create pair -d ptp --subnet 10.46.0.0/24",
        "$SWNET create lan -d macvlan -o parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26",
        "for name in web guest far; do ip netns add $name; ip -n $name link set lo up; done",
        "$SWNET connect lab web -p 8080:80 -p '[::1]:8081:80' --egress 10mbit --ingress 100mbit",
        "$SWNET connect two guest --mac 02:00:00:00:00:77", "$SWNET connect pair far -p 8090:80",
        "$SWNET connect lan guest", "$SWNET repair --foreign", ends,
    ]

    private static let theirs =
        "nft 'add table inet theirs; add chain inet theirs f { type filter hook forward priority 0; policy drop; }'"

    /// Has the host's ends of those that are broken as variables.
    private static let ends = """
        for name in web far guest; do
            echo $name=$($SWNET inspect $name | jq -r '.[0].endpoints[0].link.host') >>/run/ends
        done
        """

    private static let answers = [
        (
            "ip netns exec neighbour socat -u -T 60 TCP:192.0.2.1:8080 -",
            "[0000:0000:0000:0000:0000:ffff:c000:0202] web"
        ),
        (
            "ip netns exec neighbour socat -u -T 60 TCP:[2001:db8::1]:8080 -",
            "[2001:0db8:0000:0000:0000:0000:0000:0002] web"
        ),
        (
            "ip netns exec neighbour socat -u -T 60 TCP:192.0.2.1:8090 -",
            "[0000:0000:0000:0000:0000:ffff:c000:0202] far"
        ),
        ("socat -u -T 60 TCP:[::1]:8081 -", "[fd00:0044:0000:0000:0000:0000:0000:0001] web"),
        ("ip netns exec guest ping -c1 -w60 -q 10.45.0.1 | grep -c ' 1 received'", "1"),
        ("ip netns exec guest ping -c1 -w60 -q -I eth1 192.0.2.2 | grep -c ' 1 received'", "1"),
    ]

    static let all = [
        HostDamage(
            name: "what the kernel has", setup: networks,
            lines: [
                ". /run/ends", "ip netns add dead; $SWNET connect pair dead -p 8070:80; ip netns del dead",
                "nft flush ruleset; \(theirs)", "ip link del sw-lab; ip link del $far",
                "ip address del 10.45.0.1/24 dev sw-two; ip link set sw-two alias theirs", "ip -n guest link del eth1",
                "ip link add stray type veth peer name yarts netns neighbour; ip link set stray alias 'swnet lab gone'",
                "sysctl -qw net.ipv4.conf.sw-two.route_localnet=0 net.ipv4.ip_forward=0",
                "sysctl -qw net.ipv6.conf.all.forwarding=0",
            ], questions: answers, steps: 20),
        HostDamage(
            name: "what is recorded", setup: networks,
            lines: [
                // A network that is not defined any more, and a folder that is none.
                "$SWNET create gone --subnet 10.48.0.0/24 >/dev/null; rm /var/lib/swnet/networks/gone.json",
                "cd /run/swnet; . /run/ends",
                "rm -r networks/lab networks/two forwarding namespaces networks/pair/leases/*; echo x > networks/two",
                ": > ports", "kill $(cat names/aardvark.pid) $(readlink relays/tcp-8081 | cut -d- -f1)",
                "ip -n web address flush dev eth0; tc qdisc del dev $web root",
                "ip neighbour replace 10.46.0.2 lladdr 02:00:00:00:00:99 dev $far",
                "ip link set $guest nomaster; nft flush map inet swnet published4",
            ], questions: answers, steps: 26),
        HostDamage(
            name: "what is left of the last network",
            setup: ["$SWNET create lan -d macvlan -o parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26"],
            lines: [
                "$SWNET create gone --subnet 10.48.0.0/24 --subnet fd00:48::/64 --antispoof >/dev/null",
                "rm -r /var/lib/swnet/networks/gone.json /run/swnet/networks/gone",
            ], steps: 5),
    ]
}

/// Every step of a repair is made to fail, and every moment of it to be the last of its process: the next repair makes
/// everything right.
@Suite(
    "every step of a repair fails, and every step is the last",
    .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"))
struct RepairFaultTests {
    private static let mostSteps = 200

    /// Everything there is, but for what the kernel numbers, counts and orders by itself.
    private static let state = #"""
        cd /
        {
            for name in "" web guest far; do
                at=(); [ -z "$name" ] || at=(-n $name)
                [ -z "$name" ] || [ -e run/netns/$name ] || continue
                printf 'link show\naddress show scope global\nroute show\n' | ip "${at[@]}" -o -b - | sed "s/^/$name /"
                ip "${at[@]}" -6 route show | grep -v fe80 | sed "s/^/$name /"
            done | sed -E 's/ [0-9]+: / /; s,link/ether \S+,,; s/@if[0-9]+//; s/(linkdown|link-net\S+ \S+)//g'
            sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding
            tc qdisc show | sed -E 's/ [0-9a-f]+: / /'
            nft -s list ruleset
            find run/swnet var/lib/swnet ! -name 'cursor*' ! -name lock ! -name repaired ! -name aardvark.pid \
                ! -name unique-local -printf '%p %l\n' | sed -E '/bridge |relays/s/ [0-9-]+$//'
            for name in run/swnet/networks/*; do
                ip -o link show sw-${name##*/} 2>/dev/null | cut -d: -f1 | cmp - <(readlink $name/bridge)
            done
            grep -h '' run/swnet/{forwarding,ports,sandboxes/*} var/lib/swnet/networks/*
            ps -eo stat,comm | grep -E '^[^Z].*(aardvark|swnet)' | awk '{print $2}'
        } | LC_ALL=C sort
        """#

    private func shell(_ host: NetworkHost, _ lines: [String]) async throws -> CommandResult {
        try await host.shell("SWNET=\(NetworkHost.swnet)\n\(lines.joined(separator: "\n"))")
    }

    private func must(_ host: NetworkHost, _ lines: [String]) async throws -> [String] {
        let result = try await shell(host, ["set -e"] + lines)
        guard result.status == 0 else { throw CommandError("\(result)") }
        return result.lines
    }

    @Test(arguments: HostDamage.all, ["fail", "kill"])
    func `the next one makes it right`(damage: HostDamage, fault: String) async throws {
        try await NetworkHost.with { host in
            _ = try await must(host, ["$SWNET ls"] + damage.setup + ["$SWNET ls"])
            if !damage.questions.isEmpty {
                for name in ["web", "far"] { _ = try await host.listen(name, ["tcp"], port: 80) }
            }
            #expect(try await shell(host, damage.questions.map(\.line)).lines == damage.questions.map(\.answer))
            let before = try await shell(host, [Self.state]).lines
            var number = 0
            var isOver = false
            while !isOver {
                number += 1
                try #require(number < Self.mostSteps)
                let note: Comment = "\(damage.name), \(fault)=\(number)"
                let result = try await shell(
                    host,
                    ["set -e"] + damage.lines + [
                        "set +e; SWNET_FAULT=\(fault)=\(number) $SWNET repair >/run/said 2>&1; status=$?",
                        "grep -q 'made to fail' /run/said && status=137; echo $status",
                        "$SWNET repair >/run/said 2>&1 || cat /run/said; $SWNET check",
                    ] + damage.questions.map(\.line))
                isOver = result.lines.first == "0"
                let answers = [isOver ? "0" : "137"] + damage.questions.map(\.answer)
                #expect(result.lines == answers, "\(note): \(result)")
                // The kernel deletes links in its own time.
                var now: [String] = []
                let same = try await eventually(seconds: 60) {
                    now = try await shell(host, [Self.state]).lines
                    return now == before
                }
                let (gone, new) = (before.filter { !now.contains($0) }, now.filter { !before.contains($0) })
                try #require(same, "\(note): without \(gone), with \(new)")
            }
            #expect(number > (fault == "kill" ? 2 : 1) * damage.steps, "few steps: \(number)")
        }
    }
}
