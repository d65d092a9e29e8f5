import CLinux
import TestSupport
import Testing

/// Whether this kernel has sockets of SCTP, perhaps in a module.
private let hasSCTP = { () -> Bool in
    let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), Int32(IPPROTO_SCTP))
    if number >= 0 { close(number) }
    return number >= 0
}()

/// Published ports with associations, where `NetworkTests` looks at the elements alone.
@Suite("SCTP ports", .enabled(if: hasSCTP, "this kernel has no sockets of SCTP"))
struct SCTPTests {
    /// SCTP has no half that is closed, so each says its word and waits until the other has gone.
    private static let server = """
        import socket
        server = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_SCTP)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 99)); server.listen(); print("listening", flush=True)
        while True:
            try:
                peer, address = server.accept(); peer.settimeout(30)
                peer.sendall(b"to " + address[0].encode()); peer.recv(1); peer.close()
            except OSError as error: print(error, flush=True)
        """
    private static let client = """
        import socket, sys
        family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
        peer = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_SCTP); peer.settimeout(10)
        try: peer.connect((sys.argv[1], int(sys.argv[2]))); print(peer.recv(100).decode())
        except OSError as error: print(error)
        """

    private func ask(
        _ host: NetworkHost, _ address: String, _ port: Int, at place: NetworkHost.Place = .neighbour
    ) async throws -> String {
        try await host.must(["python3", "-c", Self.client, address, "\(port)"], at: place)
    }

    @Test func `an association reaches its port from the host and its neighbour, and no other port`() async throws {
        try await NetworkHost.with { host in
            try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
            try await host.must(["ip", "netns", "add", "web"])
            try await host.net("connect", "lab", "web", "-p", "9999:99/sctp", "-p", "127.0.0.1:9998:99/sctp")
            let server = try host.start(["python3", "-c", Self.server], at: .inside("web"))
            try await server.waitForOutput("listening")
            for (address, client) in [("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")] {
                let (far, near) = (try await ask(host, address, 9999), try await ask(host, address, 9999, at: .host))
                #expect(far.hasPrefix("to ") && far.hasSuffix(client), "\(address): \(far)")
                #expect(near.hasPrefix("to "), "\(address): \(near)")
            }
            #expect(try await ask(host, "127.0.0.1", 9998, at: .host).hasPrefix("to "))
            // The target's own port, a port of loopback alone, and one that is not published.
            for (address, port) in [("10.44.0.2", 99), ("192.0.2.1", 9998), ("192.0.2.1", 99), ("fd00:44::2", 99)] {
                let answer = try await ask(host, address, port)
                #expect(!answer.hasPrefix("to "), "\(address) port \(port): \(answer)")
            }
            try await host.net("unpublish", "web", "9999:99/sctp")
            let late = try await ask(host, "192.0.2.1", 9999)
            #expect(!late.hasPrefix("to "), "\(late)")
            await server.stop()
        }
    }
}
