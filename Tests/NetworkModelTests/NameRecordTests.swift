import Addressing
import NetworkModel
import Testing

/// The file of a network's name server, which is aardvark-dns' own format.
@Suite("name records")
struct NameRecordTests {
    private static let gateways = ["10.1.0.1", "fd00::1"].compactMap { IPAddress($0) }

    private func endpoint(_ addresses: String..., aliases: [String] = []) throws -> Endpoint {
        Endpoint(
            network: "lab", interface: "eth0", link: .port(host: "veth1", bridge: "sw-lab"),
            addresses: try addresses.map { try #require(IPPrefix($0)) }, aliases: aliases)
    }

    private func text(_ record: NameRecord) -> String { String(decoding: record.bytes, as: UTF8.self) }

    @Test func `a sandbox has one line, and others keep theirs`() throws {
        var record = NameRecord(gateways: Self.gateways)
        #expect(record.isEmpty)
        for key in ["web1", "web", "web10"] { record.set(key, try endpoint("10.1.0.2/24", "fd00::2/64"), name: key) }
        #expect(
            text(record) == """
                10.1.0.1,fd00::1
                web1 10.1.0.2 fd00::2 web1
                web 10.1.0.2 fd00::2 web
                web10 10.1.0.2 fd00::2 web10

                """)
        record.set("web", try endpoint("10.1.0.9/24", aliases: ["db", "not a name"]), name: "web")
        #expect(
            text(record) == """
                10.1.0.1,fd00::1
                web1 10.1.0.2 fd00::2 web1
                web10 10.1.0.2 fd00::2 web10
                web 10.1.0.9  web,db

                """)
        for key in ["web1", "web10", "web", "nobody"] { record.set(key, nil, name: key) }
        #expect(record.isEmpty && text(record) == "10.1.0.1,fd00::1\n")
    }

    @Test(arguments: ["", "\n", "10.1.0.1", "10.1.0.1\n", "\n\n\n", "10.1.0.1\na 10.1.0.2  a", "a\u{0}\n\u{0}\n"])
    func `whatever a file says, its lines stay and a sandbox is added and taken away`(file: String) throws {
        let before = NameRecord(Array(file.utf8), gateways: Self.gateways)
        var record = before
        record.set("web", try endpoint("10.1.0.2/24"), name: "web")
        #expect(text(record).hasSuffix("\nweb 10.1.0.2  web\n"))
        record.set("web", nil, name: "web")
        #expect(record.bytes == before.bytes)
    }

    @Test func `the order of lines says nothing, and what is missing does`() throws {
        let one = NameRecord(Array("g\na 1  a\nb 2  b\n".utf8))
        #expect(one.saysTheSame(as: NameRecord(Array("g\nb 2  b\na 1  a\n".utf8))))
        for other in ["g\na 1  a\n", "h\na 1  a\nb 2  b\n", "g\na 1  a\nb 3  b\n", ""] {
            #expect(!one.saysTheSame(as: NameRecord(Array(other.utf8))), "\(other)")
        }
    }
}
