import Addressing
import JSONCoding
import NetworkModel
import Testing

@Suite struct PortRequestTests {
    @Test(arguments: [
        ("80", "80/tcp"), ("80/udp", "80/udp"), (":80", "80/tcp"), ("8000-8002", "8000-8002/tcp"),
        ("127.0.0.1::80", "127.0.0.1::80/tcp"), ("[fd00::1]::80/udp", "[fd00::1]::80/udp"),
        ("[::]::80-81", "[::]::80-81/tcp"), ("8000-8010:80", "8000-8010:80/tcp"),
        ("127.0.0.1:8000-8010:80/udp", "127.0.0.1:8000-8010:80/udp"), ("8080:80", "8080:80/tcp"),
        ("80-80:80", "80:80/tcp"),
    ])
    func accepts(text: String, canonical: String) throws {
        let request = try PortRequest(parsing: text)
        #expect(request.description == canonical)
        #expect(try PortRequest(json: JSONValue(parsing: request.json.bytes)) == request)
    }

    @Test(arguments: [
        ("", "the port is missing"), ("80:", "the port is missing"), ("0", "port '0'"), ("65536", "port '65536'"),
        ("0:80", "host port '0'"), ("x", "port 'x'"), ("80-70", "run backwards"),
        ("80-82:80-81", "80-82 is 3 ports and 80-81 is 2"), ("127.0.0.1:", "host port '127.0.0.1'"),
        ("[fd00::1]:80", "the port is missing after the host address"), ("1.2.3::80", "'1.2.3' is no IPv4 address"),
        ("::80:80", "brackets"), ("80/icmp", "protocol 'icmp'"),
    ])
    func refuses(text: String, complaint: String) {
        let error = #expect(throws: NetworkError.self) { try PortRequest(parsing: text) }
        #expect(error?.message.hasPrefix("port '\(text)': ") == true)
        #expect(error?.message.contains(complaint) == true, "\(error?.message ?? "")")
    }

    @Test func `what was chosen for a request is found again, and nothing else`() throws {
        let chosen = try [
            ("61000:80", "80"), ("61001:81", "81-82"), ("61003:82", "81-82"), ("61002:80/udp", "80/udp"),
            ("8003:90", "8000-8010:90"), ("61004:80", "80"),
        ].map { ChosenPort(try PortMapping(parsing: $0), for: try PortRequest(parsing: $1)) }
        let sandbox = Sandbox(
            name: "web", identity: SandboxIdentity(source: .path("/x"), device: 1, inode: 2),
            ports: chosen.map(\.mapping) + [try PortMapping(parsing: "8080:80")], chosenPorts: chosen)
        let found = { (texts: String...) in
            let (found, unknown) = sandbox.ports(try texts.map { try PortRequest(parsing: $0) })
            return unknown == nil ? found.map(\.description) : nil
        }
        #expect(try found("80") == ["61000:80/tcp", "61004:80/tcp"])
        #expect(try found(":80/udp", "81-82") == ["61002:80/udp", "61001:81/tcp", "61003:82/tcp"])
        #expect(try found("8000-8010:90") == ["8003:90/tcp"])
        #expect(try found("8080:80") == ["8080:80/tcp"])
        #expect(try found("61000:80") == ["61000:80/tcp"])
        // What somebody else asked for is nothing that was published, though it has what was chosen in it.
        for text in [
            "82", "127.0.0.1::80", "9000-9010:90", "8081:80", "81", "80-81", "80-90", "90", "8000-8009:90", "8003",
            "1-65535", "61000-61099:80",
        ] {
            #expect(try found(text) == nil, "\(text)")
            #expect(try found("80", text) == nil, "\(text)")
        }
        // A record of former times says no more than what was chosen.
        let former = sandbox.json.text.replacing("chosenFor", with: "x")
        let read = try Sandbox(json: JSONValue(parsing: Array(former.utf8)))
        #expect(read.chosenPorts.map(\.mapping) == sandbox.chosenPorts.map(\.mapping))
        #expect(try read.ports([PortRequest(parsing: "90")]).found.map(\.description) == ["8003:90/tcp"])
    }

    /// No input traps, and an error always repeats the input.
    @Test func survivesNoise() {
        let alphabet = Array("0123456789:-/.[]abcdeftcpu% \u{e9}")
        for _ in 0..<5_000 {
            let text = String((0..<Int.random(in: 0...24)).map { _ in alphabet.randomElement() ?? "0" })
            do throws(NetworkError) {
                let request = try PortRequest(parsing: text)
                #expect(PortRequest(request.description) == request)
            } catch {
                #expect(error.message.contains("'\(text)'"))
            }
        }
    }
}
