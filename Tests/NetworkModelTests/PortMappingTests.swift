import Addressing
import NetworkModel
import TestSupport
import Testing

@Suite struct PortMappingTests {
    @Test func `a list is searched for what cannot be together`() throws {
        let ports = { (texts: [String]) in try texts.map { try PortMapping(parsing: $0) } }
        for texts in [
            ["80:80", "80:81"], ["1-65535:1-65535", "9:9", "8:8"], ["127.0.0.1:80:80", "443:443", "80:1"],
            ["10-20:10-20/udp", "20-30:20-30/udp"], ["0.0.0.0:80:80", "192.0.2.1:80:81"],
        ] {
            let pair = PortMapping.conflict(among: try ports(texts))
            #expect(pair.map { $0.conflicts(with: $1) } == true, "\(texts)")
        }
        for texts in [
            [], ["80:80"], ["80:80", "80:80/udp", "81:80"], ["127.0.0.1:80:80", "192.0.2.1:80:80", "[::]:80:80"],
            ["10-20:10-20", "21-30:21-30", "9:9"], ["80:80", "[::1]:80:80", "[::1]:81:80"],
        ] { #expect(PortMapping.conflict(among: try ports(texts)) == nil, "\(texts)") }
    }

    @Test(arguments: [
        ("80:8080", "80:8080/tcp"),
        ("80:80/tcp", "80:80/tcp"),
        ("53:53/udp", "53:53/udp"),
        ("127.0.0.1:6379:6379", "127.0.0.1:6379:6379/tcp"),
        ("0.0.0.0:1:1", "0.0.0.0:1:1/tcp"),
        ("[fd00::1]:80:80", "[fd00::1]:80:80/tcp"),
        ("[::]:80:80/udp", "[::]:80:80/udp"),
        ("8000-8010:9000-9010", "8000-8010:9000-9010/tcp"),
        ("65535:65535", "65535:65535/tcp"),
        ("1-65535:1-65535/udp", "1-65535:1-65535/udp"),
        ("80-80:80", "80:80/tcp"),
    ])
    func accepts(text: String, canonical: String) throws {
        let mapping = try PortMapping(parsing: text)
        #expect(mapping.description == canonical)
        #expect(PortMapping(canonical) == mapping)
    }

    @Test(arguments: [
        ("", "the port is missing"),
        ("80", "host's port is missing"),
        (":80", "the host's port is missing"),
        ("80:", "the port is missing"),
        ("0:80", "host port '0'"),
        ("80:0", "port '0'"),
        ("65536:80", "host port '65536'"),
        ("80:x", "port 'x'"),
        ("-1:80", "host port '-1'"),
        ("080:80", "host port '080'"),
        (" 80:80", "host port ' 80'"),
        ("80:80/dccp", "protocol 'dccp'"),
        ("80:80/", "protocol ''"),
        ("80:80/icmp", "protocol 'icmp'"),
        ("90-80:90-80", "run backwards"),
        ("80-81:80", "80-81 is 2 ports and 80 is 1"),
        ("80-:80-", "host port '80-'"),
        ("1.2.3:80:80", "'1.2.3' is no IPv4 address"),
        ("localhost:80:80", "'localhost' is no IPv4 address"),
        ("fd00::1:80:80", "brackets"),
        ("[fd00::1:80:80", "']' is missing"),
        ("[fd00::1]80:80", "':' is missing"),
        ("[1.2.3.4]:80:80", "'1.2.3.4' is no IPv6 address"),
        ("[fd00::1]:80:80:80", "too much"),
        ("[::1]:80:80/sctp", "127.0.0.1"),
        ("[fe80::1%eth0]:80:80", "fe80::1%eth0 is link-local"),
        ("[::ffff:1.2.3.4]:80:80", "IPv4 address"),
        ("224.0.0.1:80:80", "224.0.0.1 is not the address of a host"),
        ("255.255.255.255:80:80", "not the address of a host"),
        ("[ff02::1]:80:80", "not the address of a host"),
    ])
    func refuses(text: String, complaint: String) {
        let error = #expect(throws: NetworkError.self) { try PortMapping(parsing: text) }
        #expect(error?.kind == .invalid)
        #expect(error?.message.hasPrefix("port '\(text)': ") == true)
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }

    /// Whatever is printed is read back as the same value.
    @Test func printsWhatItParses() throws {
        var random = SplitMix.byChance()
        for _ in 0..<2_000 {
            let count = UInt16.random(in: 0...20, using: &random)
            let host = UInt16.random(in: 1...(65535 - count), using: &random)
            let inside = UInt16.random(in: 1...(65535 - count), using: &random)
            let addresses: [IPAddress?] = [
                nil, .v4(IPv4Address(rawValue: .random(in: 0x0100_0000...0xdfff_ffff, using: &random))),
                .v6(
                    IPv6Address(
                        high: .random(in: (0x2 << 60)...(0x3 << 60), using: &random),
                        low: .random(in: 0 ... .max, using: &random))),
            ]
            let hostPorts = try #require(PortRange(host, host + count))
            let sandboxPorts = try #require(PortRange(inside, inside + count))
            let mapping = try #require(
                PortMapping(
                    hostAddress: addresses.randomElement(using: &random) ?? nil, hostPorts: hostPorts,
                    sandboxPorts: sandboxPorts,
                    transport: Bool.random(using: &random) ? .tcp : .udp))
            #expect(try PortMapping(parsing: mapping.description) == mapping)
            #expect(try PortMapping(json: mapping.json) == mapping)
        }
    }

    /// No input traps, and an error always repeats the input.
    @Test func survivesNoise() {
        let alphabet = Array("0123456789:-/.[]abcdeftcpu% \u{e9}")
        for _ in 0..<5_000 {
            let text = String((0..<Int.random(in: 0...24)).map { _ in alphabet.randomElement() ?? "0" })
            do throws(NetworkError) {
                let mapping = try PortMapping(parsing: text)
                #expect(PortMapping(mapping.description) == mapping)
            } catch {
                #expect(error.message.contains("'\(text)'"))
            }
        }
    }

    @Test(arguments: [
        ("80:80", "80:81", true),
        ("80:80", "81:80", false),
        ("80:80", "80:80/udp", false),
        ("80:80", "127.0.0.1:80:80", true),
        ("0.0.0.0:80:80", "127.0.0.1:80:80", true),
        ("0.0.0.0:80:80", "[::]:80:80", false),
        ("[::]:80:80", "[fd00::1]:80:1", true),
        ("80:80", "[::1]:80:80", true),
        ("127.0.0.1:80:80", "[::1]:80:80", false),
        ("127.0.0.1:80:80", "127.0.0.2:80:80", false),
        ("127.0.0.1:80:80", "127.0.0.1:80:90", true),
        ("8000-8010:1-11", "8010:1", true),
        ("8000-8010:1-11", "8011:1", false),
    ])
    func knowsConflicts(a: String, b: String, conflict: Bool) throws {
        let (a, b) = (try PortMapping(parsing: a), try PortMapping(parsing: b))
        #expect(a.conflicts(with: b) == conflict)
        #expect(b.conflicts(with: a) == conflict)
    }
}
