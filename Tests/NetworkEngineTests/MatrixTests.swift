import Foundation
import TestSupport
import Testing

/// Who reaches what, and as whom: real traffic from everywhere to everything.
///
/// In a table a cell is the address that the server sees of its client, by name; `x` is a refusal, which the client
/// hears of, and `-` is silence. A row is one address and one port; the columns are TCP and UDP over IPv4, then IPv6.
@Suite("behaviour matrix")
struct MatrixTests {
    /// The sandbox `web` publishes port 80 four times, each under another number.
    private static let ports = ["all": 8001, "one": 8002, "loopback": 8003, "none": 80]

    private static let names = [
        "lo": ("127.0.0.1", "::1"), "host": ("192.0.2.1", "2001:db8::1"), "gate": ("10.44.0.1", "fd00:44::1"),
        "web": ("10.44.0.2", "fd00:44::2"), "db": ("10.44.0.3", "fd00:44::3"), "far": ("10.45.0.2", "fd00:45::2"),
        "neighbour": ("192.0.2.2", "2001:db8::2"),
    ]

    private static let expected: [String: String] = [
        "host": """
        all@lo         gate       gate       x          x
        all@host       host       host       host       host
        all@gate       gate       gate       gate       gate
        one@lo         x          x          x          x
        one@host       host       host       host       host
        one@gate       x          x          x          x
        loopback@lo    gate       gate       gate       gate
        loopback@host  x          x          x          x
        loopback@gate  x          x          x          x
        none@host      x          x          x          x
        none@web       gate       gate       gate       gate
        """,
        "neighbour": """
        all@lo         x          x          x          x
        all@host       neighbour  neighbour  neighbour  neighbour
        all@gate       neighbour  neighbour  neighbour  neighbour
        one@lo         x          x          x          x
        one@host       neighbour  neighbour  neighbour  neighbour
        one@gate       x          x          x          x
        loopback@lo    x          x          x          x
        loopback@host  x          x          x          x
        loopback@gate  x          x          x          x
        none@host      x          x          x          x
        none@web       -          -          -          -
        """,
        // Itself, and another sandbox on the same network: through the host's address as the gateway.
        "web": """
        all@lo         x          x          x          x
        all@host       gate       gate       gate       gate
        all@gate       gate       gate       gate       gate
        one@lo         x          x          x          x
        one@host       gate       gate       gate       gate
        one@gate       x          x          x          x
        loopback@lo    x          x          x          x
        loopback@host  x          x          x          x
        loopback@gate  x          x          x          x
        none@host      x          x          x          x
        none@web       web        web        web        web
        """,
        "db": """
        all@lo         x          x          x          x
        all@host       gate       gate       gate       gate
        all@gate       gate       gate       gate       gate
        one@lo         x          x          x          x
        one@host       gate       gate       gate       gate
        one@gate       x          x          x          x
        loopback@lo    x          x          x          x
        loopback@host  x          x          x          x
        loopback@gate  x          x          x          x
        none@host      x          x          x          x
        none@web       db         db         db         db
        """,
        // On another network: what is published for everybody, and nothing else.
        "far": """
        all@lo         x          x          x          x
        all@host       far        far        far        far
        all@gate       far        far        far        far
        one@lo         x          x          x          x
        one@host       far        far        far        far
        one@gate       x          x          x          x
        loopback@lo    x          x          x          x
        loopback@host  x          x          x          x
        loopback@gate  x          x          x          x
        none@host      x          x          x          x
        none@web       -          -          -          -
        """,
    ]

    private static let rows = [
        "all@lo", "all@host", "all@gate", "one@lo", "one@host", "one@gate", "loopback@lo", "loopback@host",
        "loopback@gate", "none@host", "none@web",
    ]

    /// Answers every client, TCP and UDP, with the client's address.
    private static let server = """
        import socket, threading
        tcp = socket.create_server(("::", 80), family=socket.AF_INET6, dualstack_ipv6=True, backlog=200)
        udp = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        # An answer has to come from the address that was asked.
        udp.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        udp.bind(("::", 80))
        def datagrams():
            while True:
                data, info, _, client = udp.recvmsg(100, 1000)
                udp.sendmsg([client[0].encode()], [entry for entry in info if entry[1] == socket.IPV6_PKTINFO], 0, client)
        threading.Thread(target=datagrams, daemon=True).start()
        print("ready", flush=True)
        while True:
            connection, client = tcp.accept()
            connection.sendall(client[0].encode())
            connection.close()
        """

    /// Asks all targets at once: each argument is `tcp|udp,ADDRESS,PORT`; prints an answer for each.
    private static let client = """
        import socket, sys, threading
        answers = {}
        def ask(target):
            kind, address, port = target.split(",")
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            answer = "-"
            with socket.socket(family, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as own:
                own.settimeout(1.5)
                try:
                    own.connect((address, int(port)))
                    if kind == "udp": own.send(b"hello")
                    answer = own.recv(100).decode() or "closed"
                except (ConnectionRefusedError, ConnectionResetError): answer = "x"
                except OSError: answer = "-"
            answers[target] = answer.removeprefix("::ffff:")
        threads = [threading.Thread(target=ask, args=[target]) for target in sys.argv[1:]]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        for target in sys.argv[1:]: print(answers[target])
        """

    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "other", "--subnet", "10.45.0.0/24", "--subnet", "fd00:45::/64")
        for (name, network) in [("web", "lab"), ("db", "lab"), ("far", "other")] {
            try await host.must(["ip", "netns", "add", name])
            try await host.net("connect", network, name)
        }
        for transport in ["tcp", "udp"] {
            let mappings = ["8001:80", "192.0.2.1:8002:80", "[2001:db8::1]:8002:80", "127.0.0.1:8003:80"]
            try await host.net(["publish", "web"] + mappings.map { "\($0)/\(transport)" })
        }
        try await host.net("publish", "web", "[::1]:8003:80", "[::1]:8003:80/udp")
        // A refusal that the kernel keeps to itself because there were many looks like silence.
        let limits = "sysctl -qw net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0"
        for place in [.host] + ["neighbour", "web", "db", "far"].map(NetworkHost.Place.inside) {
            try await host.shell(limits, at: place)
        }
        let server = try host.start(["python3", "-c", Self.server], at: .inside("web"), timeout: 600)
        try await server.waitForOutput("ready")
    }

    /// What one place gets from everywhere, as a table.
    private func table(_ host: NetworkHost, _ origin: String) async throws -> String {
        let place: NetworkHost.Place = origin == "host" ? .host : origin == "neighbour" ? .neighbour : .inside(origin)
        var targets: [String] = []
        for row in Self.rows {
            let parts = row.split(separator: "@").map(String.init)
            guard let port = Self.ports[parts[0]], let address = Self.names[parts[1]] else { continue }
            for address in [address.0, address.1] {
                for transport in ["tcp", "udp"] { targets.append("\(transport),\(address),\(port)") }
            }
        }
        let answers = try await host.must(["python3", "-c", Self.client] + targets, at: place)
            .split(separator: "\n").map(String.init)
        guard answers.count == targets.count else { throw CommandError("\(answers)") }
        return Self.rows.enumerated().map { index, row in
            let cells = answers[4 * index..<4 * index + 4].map { answer in
                Self.names.first { $0.value.0 == answer || $0.value.1 == answer }?.key ?? answer
            }
            return Self.line([row] + cells)
        }.joined(separator: "\n")
    }

    private static func line(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            index == cells.count - 1
                ? cell : cell + String(repeating: " ", count: max(1, (index == 0 ? 15 : 11) - cell.count))
        }.joined()
    }

    @Test func `from everywhere to everything`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            for filter in ["0", "1", "2"] {
                for bridged in ["0", "1"] {
                    try await host.shell(
                        """
                        sysctl -qw net.bridge.bridge-nf-call-iptables=\(bridged) net.bridge.bridge-nf-call-ip6tables=\(bridged)
                        for link in all default eth0 sw-lab sw-other; do sysctl -qw net.ipv4.conf.$link.rp_filter=\(filter); done
                        """)
                    for origin in ["host", "neighbour", "web", "db", "far"] {
                        var found = ""
                        // Silence is only known from the time that has passed, so a busy machine gets another chance.
                        _ = try await eventually {
                            found = try await table(host, origin)
                            return found == Self.expected[origin]
                        }
                        #expect(
                            found == Self.expected[origin],
                            "from \(origin), rp_filter \(filter), br_netfilter \(bridged)")
                    }
                }
            }
        }
    }
}
