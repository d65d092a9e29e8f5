import TestSupport
import Testing

/// What cannot be done is refused in one line that names the object and the value, and nothing of it is left.
@Suite("bad input")
struct BadInputTests {
    /// 64 is a line that makes no sense (EX_USAGE), 1 what makes sense and cannot be done.
    private static let refusals: [(words: String, status: Int32, message: String)] = [
        // Contradictions.
        ("create a --ipam none --subnet 10.1.0.0/24", 1, "10.1.0.0/24 contradicts a network without addresses"),
        (
            "create a -d macvlan --opt parent=slave1 --ipam dhcp --subnet 10.1.0.0/24", 1,
            "10.1.0.0/24 contradicts a network whose addresses others give"
        ),
        ("create a --subnet 10.1.0.0/24 --gateway 10.2.0.1", 1, "gateway 10.2.0.1 is no host address of 10.1.0.0/24"),
        ("create a --subnet 10.1.0.0/24 --subnet 10.1.0.0/25", 1, "10.1.0.0/24 and 10.1.0.0/25 overlap"),
        ("create a --subnet 10.1.0.0/24 --ip-range 10.2.0.0/25", 1, "range 10.2.0.0-10.2.0.127 is in none"),
        ("create a --subnet 10.1.0.0/24 --ip-range 10.1.0.0/31", 1, "has no address that a sandbox could get"),
        (
            "create a --subnet 10.1.0.0/24 --ip-range 10.1.0.255-10.1.0.255", 1,
            "has no address that a sandbox could get"
        ),
        ("create a --subnet 10.1.0.0/30 --exclude 10.1.0.2", 1, "subnet 10.1.0.0/30 has no address"),
        ("create a --subnet 10.1.0.0/24 --exclude 10.2.0.9", 1, "excluded address 10.2.0.9 is in none"),
        (
            "create a -d vxlan --opt vni=5 --opt peers=192.0.2.2 --opt group=239.0.0.1", 64,
            "peers and a group contradict"
        ),
        (
            "create a -d vxlan --opt vni=5 --opt group=239.0.0.1", 64,
            "driver vxlan needs the option parent for a group (--opt parent=eth0)"
        ),
        ("create a --ipam who", 64, "'who' for --ipam is none of swnet"),
        ("create a --ipam none,dhcp", 64, "none goes together with no other (--ipam)"),
        (
            "create a --mtu 1500 --mtu 1400", 64,
            "'1500' and '1400' for --mtu contradict each other (swnet create --help)"
        ),
        ("create a --isolation on --isolation off", 64, "'on' and 'off' for --isolation contradict each other"),
        ("create a --driver bridge -d ptp", 64, "'bridge' and 'ptp' for --driver contradict each other"),
        ("create a --internal --internal=false", 64, "'true' and 'false' for --internal contradict each other"),
        (
            "connect lab db --mac 02:00:00:00:00:01 --mac 02:00:00:00:00:02", 64,
            "'02:00:00:00:00:01' and '02:00:00:00:00:02' for --mac contradict each other"
        ),
        (
            "create a --source 192.0.2.1 --source none", 64,
            "--source 192.0.2.1 and --source none contradict each other"
        ),
        ("publish web 61053:80", 1, "61053/tcp is that of networks' name servers"),
        ("publish web 61050-61059:80-89/udp", 1, "61053/udp is that of networks' name servers"),
        ("create a --mtu +1500", 64, "'+1500' for --mtu is not a number"),
        ("create a -d vlan --opt parent=eth0 --opt id=012", 64, "'012' is no number from 1 to 4094"),
        (
            "create a -d vxlan --opt vni=5 --opt peers=192.0.2.2 --opt local=2001:db8::1", 64,
            "all addresses have to be of one family, as local=2001:db8::1 is"
        ),
        (
            "connect six db --sysctl net.ipv6.conf.IFNAME.disable_ipv6=1", 1,
            "disable_ipv6=1': network six gives an address of IPv6"
        ),
        // Out of range, malformed, unknown.
        ("create a --format yaml", 64, "'yaml'"), ("gc --format yaml", 64, "'yaml'"),
        ("connect lab db --format yaml", 64, "'yaml'"), ("rm lab --format yaml", 64, "'yaml'"),
        ("connect lab \(String(repeating: "d", count: 129))", 64, "has 129 bytes (at most 128)"),
        ("create a --subnet 10.1.0.5/24", 1, "did you mean 10.1.0.0/24"),
        ("create a --subnet 10.1.0.0/31", 1, "10.1.0.0/31 is too small"),
        ("create a --mtu 10", 1, "mtu 10 is out of range"), ("create a --mtu 99999", 1, "mtu 99999 is out of range"),
        ("create a -d nosuch", 64, "driver 'nosuch' is not known"),
        ("create a --opt color=red", 64, "driver bridge has no option 'color'"),
        ("create a -d macvlan", 64, "driver macvlan needs the option parent"),
        ("create a -d macvlan --opt parent=eth0 --opt mode=x", 64, "'x' is none of bridge, private, vepa, passthru"),
        ("create a -d vlan --opt parent=eth0 --opt id=4095", 64, "'4095' is no number from 1 to 4094"),
        ("create a -d vxlan --opt vni=16777216", 64, "'16777216' is no number from 1 to 16777215"),
        ("create a -d vxlan --opt vni=5 --opt port=0", 64, "'0' is no number from 1 to 65535"),
        ("create a -d vxlan --opt vni=5 --opt peers=192.0.2.2,127.0.0.1", 1, "peer 127.0.0.1 is loopback"),
        ("create a -d vxlan --opt vni=5 --opt peers=::1", 1, "peer ::1 is loopback"),
        ("create a -d vxlan --opt vni=5 --opt peers=fe80::2", 1, "peer fe80::2 is link-local"),
        (
            "create a --opt bridge=br0 --subnet 10.48.0.0/24 --mtu 9000", 1,
            "mtu 9000 is more than the 1500 of br0 (--mtu)"
        ),
        // Interfaces that are missing, enslaved or of the wrong kind.
        ("create a -d macvlan --opt parent=nosuch0 --subnet 192.0.2.0/24", 1, "the host has no interface nosuch0"),
        ("create a -d macvlan --opt parent=slave0 --subnet 192.0.2.0/24", 1, "interface slave0 is a port of br0"),
        ("create a -d macvlan --opt parent=lo --subnet 192.0.2.0/24", 1, "interface lo is the host's loopback"),
        ("create a --opt bridge=eth0 --subnet 10.9.0.0/24", 1, "interface eth0 is no bridge"),
        // What is taken, and by whom.
        ("create six --subnet fd00:67::/64", 1, "network six exists already"),
        ("create b --subnet 192.0.2.0/25", 1, "overlaps the host's route 192.0.2.0/24 dev eth0"),
        ("create b --subnet 10.44.0.128/25", 1, "overlaps network lab (10.44.0.0/24)"),
        ("rm lab", 1, "network lab is used by web (swnet disconnect lab SANDBOX)"),
        ("connect lab db --ip 10.44.0.2", 1, "address 10.44.0.2 is taken by web"),
        ("connect lab db --ip 10.44.0.1", 1, "address 10.44.0.1 is the gateway of lab"),
        ("connect lab db --ifname lo", 1, "an interface lo exists in db already"),
        ("connect pass db", 1, "interface slave1 is taken by third: a macvlan of the mode passthru is alone on it"),
        ("connect lab web", 1, "web is connected to lab already"),
        ("publish web 8080:80", 1, "web publishes 8080/tcp already"),
        ("connect lab db -p 8080:80", 1, "8080/tcp is taken by web (swnet ports)"),
        // One family's options where there is only the other.
        ("connect six db --ip 10.44.0.9", 1, "address 10.44.0.9: network six has no IPv4 subnet"),
        ("connect lab db --ip6 fd00::9", 1, "address fd00::9: network lab has no IPv6 subnet"),
        ("connect six db -p 192.0.2.1:8081:80", 1, "db has no IPv4 address for it to lead to"),
        ("connect lab db -p [2001:db8::1]:8081:80", 1, "db has no IPv6 address for it to lead to"),
        // Values.
        ("connect lab db --ip 10.44.0.255", 1, "10.44.0.255 is the network or broadcast address"),
        ("connect lab db --mac 01:00:5e:00:00:01", 1, "mac 01:00:5e:00:00:01 is no interface's address"),
        ("connect lab db --mac 00:00:00:00:00:00", 1, "mac 00:00:00:00:00:00 is no interface's address"),
        ("connect lab db --ip 10.44.0.7 --ip 10.44.0.8", 1, "10.44.0.7 and 10.44.0.8 are both of 10.44.0.0/24"),
        ("connect lab db --alias a/b", 64, "'a/b' for --alias is not a host's name"),
        ("connect lab db --alias -x", 64, "'-x' for --alias is not a host's name"),
        ("connect lab db --alias a..b", 64, "'a..b' for --alias is not a host's name"),
        (
            "connect lab db --alias \(String(repeating: "a", count: 64)).org", 64,
            "aaaa.org' for --alias is not a host's name: letters, digits"
        ),
        ("connect lab db --ifname all", 64, "'all' for --ifname is not an interface's name"),
        ("connect lab db --host-ifname default", 64, "'default' for --host-ifname is not an interface's name"),
        ("connect lab db --ifname a/b", 64, "'a/b' for --ifname is not an interface's name"),
        (
            "publish web \(String(repeating: "8", count: 300))", 64,
            "port '\(String(repeating: "8", count: 40))…' is too long for one (HOSTIP:HOSTPORT:PORT)"
        ),
        ("publish web 8090:80/xyz", 64, "protocol 'xyz' is not known"),
        ("publish web 8090-8099:80-85", 64, "8090-8099 is 10 ports and 80-85 is 6"),
        ("publish web 192.0.2.99:8090:80", 1, "192.0.2.99 is no address of this host"),
        ("publish web 192.0.2.255:8090:80", 1, "192.0.2.255 is no address of this host"),
        ("publish web 127.255.255.255:8090:80/udp", 1, "127.255.255.255 is no address of this host"),
        (
            "create a -d macvlan --opt parent=sw-lab --subnet 10.48.0.0/24", 1,
            "network a: interface sw-lab is part of a network of ours (swnet network lab)"
        ),
        (
            "create a -d vxlan --opt vni=9 --opt group=239.1.1.1 --opt parent=sw-lab", 1,
            "interface sw-lab is part of a network of ours"
        ),
        ("create a -d host-device --opt device=sw-lab --subnet 10.48.0.0/24", 1, "sw-lab is part of a network of ours"),
        (
            "create a --subnet 10.48.0.0/24 --route 10.48.0.0/25,10.48.0.9", 1,
            "route '10.48.0.0/25,10.48.0.9': its destination contains the network's own gateway 10.48.0.1"
        ),
        ("create a --subnet 10.48.0.0/24 --route blackhole:10.48.0.1/32", 1, "the network's own gateway 10.48.0.1"),
        ("publish both [fe80::1]:8090:80", 1, "fe80::1 is link-local"),
        ("publish both [fe80::1]::80/udp", 1, "fe80::1 is link-local"),
        ("publish both [fe80::1%eth0]:8090:80", 64, "fe80::1%eth0 is link-local"),
        // Who is not there.
        ("connect nosuch db", 1, "there is no network named nosuch"),
        ("connect lab nosuch", 1, "there is no sandbox named nosuch"),
        ("connect lab pid:999999", 1, "there is no process 999999"),
        ("disconnect lab db", 1, "db is connected to no network"),
        ("disconnect six web", 1, "web is not connected to six (it is connected to lab)"),
        ("unpublish web 9:9", 1, "is not published by web (it publishes 8080:80/tcp)"),
        ("publish db 8090:80", 1, "db is connected to no network"),
        ("connect led db --ip 192.0.2.9", 1, "others give the addresses of network led"),
        ("ports web nobody", 1, "there is no connected sandbox named nobody"),
        ("--run-root /run/nosuch/dir ls", 1, "there is no folder /run/nosuch/dir (--run-root)"),
        ("--root /run/nosuch/dir inspect lab", 1, "there is no folder /run/nosuch/dir (--root)"),
        ("rm nosuch", 1, "there is no network named nosuch"),
        ("rm lab nosuch six", 1, "there is no network named nosuch; remove six: network six is used by both"),
        ("check extra", 64, "check needs no argument"),
    ]

    @Test func `one line, the value, and nothing left`() async throws {
        try await NetworkHost.with { host in
            try await host.shell(
                """
                ip link add br0 type bridge; ip link add slave0 type veth peer name slave1; ip link set slave0 master br0
                ip netns add web; ip netns add db; ip netns add third
                """)
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            try await host.net("create", "six", "--subnet", "fd00:66::/64")
            try await host.net("connect", "lab", "web", "-p", "8080:80")
            try await host.net(
                "create", "pass", "-d", "macvlan", "--opt", "parent=slave1", "--opt", "mode=passthru", "--subnet",
                "10.46.0.0/24")
            try await host.net("connect", "pass", "third")
            try await host.net("create", "led", "-d", "macvlan", "--opt", "parent=eth0", "--ipam", "slaac")
            try await host.must(["ip", "netns", "add", "both"])
            try await host.net("connect", "six", "both")
            let before = try await host.state()
            for (words, status, message) in Self.refusals {
                let result = try await host.swnet(words.split(separator: " ").map(String.init))
                #expect(result.status == status && result.errors.contains(message), "\(result)")
                #expect(result.errors.split(separator: "\n").count == 1 && result.output.isEmpty, "\(result)")
            }
            // One that has to stay keeps none of the others.
            try await host.net("create", "free", "--subnet", "10.47.0.0/24")
            #expect(try await host.swnet("rm", "lab", "free").errors.contains("network lab is used by web"))
            #expect(try await host.run(["ip", "link", "show", "sw-free"]).status != 0)
            let long = try await host.swnet("create", String(repeating: "a", count: 100_000))
            #expect(long.status == 1 && long.errors.contains("has 100000 characters") && long.errors.utf8.count < 500)
            let gateway = try await host.json(["ip", "-j", "link", "show", "sw-lab"])[0]["address"].text ?? ""
            let taken = try await host.swnet("connect", "lab", "db", "--mac", gateway)
            #expect(
                taken.status == 1 && taken.errors.contains("mac \(gateway) is that of the gateway of lab"), "\(taken)")
            #expect(try await host.run(["ls", "/run/nosuch"]).status != 0)
            let difference = try await host.difference(from: before)
            #expect(difference == [])
        }
    }

    /// Who closes a stream must not have what was meant for it written to a file that got its number.
    @Test func `standard streams that are full or closed`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24")
            // The first listing defines the default network.
            try await host.net("ls")
            let before = try await host.state()
            for (stream, words) in [("> /dev/full", "No space left on device"), (">&-", "Bad file descriptor")] {
                for command in ["ls", "inspect lab", "graph", "--help", "ls --format json"] {
                    let result = try await host.shell("\(NetworkHost.swnet) \(command) \(stream)")
                    let said = result.errors.contains("write to standard output: \(words)")
                    #expect(result.status == 1 && said, "\(command): \(result)")
                }
            }
            let silent = try await host.shell("\(NetworkHost.swnet) rm nosuch <&- >&- 2>&-")
            #expect(silent.status == 1 && silent.output.isEmpty && silent.errors.isEmpty, "\(silent)")
            #expect(try await host.difference(from: before) == [])
        }
    }
}
