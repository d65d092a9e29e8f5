import Addressing
import NetworkModel
import Testing

@Suite("what a trace is asked for")
struct TraceTargetTests {
    @Test(arguments: [
        ("tcp", "127.0.0.1:6379", "tcp 127.0.0.1:6379"), ("udp", "[::1]:53", "udp [::1]:53"),
        ("icmp", "10.0.0.2", "icmp 10.0.0.2"), ("icmp", "fd00::2", "icmp fd00::2"),
        ("icmp", "[fd00::2]", "icmp fd00::2"),
    ])
    func good(transport: String, text: String, read: String) throws {
        #expect(try TraceTarget(parsing: transport, text).description == read)
    }

    @Test(arguments: [
        ("sctp", "127.0.0.1:1", "not known"), ("tcp", "127.0.0.1", "port is missing"),
        ("tcp", "::1", "port is missing"),
        ("tcp", "127.0.0.1:0", "1 to 65535"), ("tcp", "127.0.0.1:65536", "1 to 65535"),
        ("tcp", "127.0.0.1:80-81", "1 to 65535"), ("tcp", "[127.0.0.1]:80", "no IP address"),
        ("tcp", "example.org:80", "no IP address"), ("tcp", "", "port is missing"),
        ("tcp", "0.0.0.0:80", "one address"),
        ("udp", "224.0.0.1:80", "not the address of a host"),
        ("udp", "255.255.255.255:80", "not the address of a host"),
        ("icmp", "10.0.0.1:80", "no ports"), ("tcp", "[::ffff:10.0.0.1]:80", "IPv4 address"), ("", "", "not known"),
    ])
    func bad(transport: String, text: String, names: String) {
        do throws(NetworkError) {
            let target = try TraceTarget(parsing: transport, text)
            Issue.record("\(target)")
        } catch {
            #expect(error.message.contains(names), "\(error)")
        }
    }
}
