import Addressing
import NetworkModel
import Testing

@Suite("graph: a picture of networks")
struct NetworkGraphTests {
    private static let hostile = "a\"]; -->& <script>'\\\u{1b}[2J\u{202e}]]>"

    private func sandbox(_ name: String, _ endpoints: [Endpoint], _ ports: [String] = []) throws -> Sandbox {
        Sandbox(
            name: name, identity: SandboxIdentity(source: .path("/run/netns/x"), device: 1, inode: 1),
            endpoints: endpoints, ports: try ports.map { try PortMapping(parsing: $0) })
    }

    private func endpoint(_ network: String, _ address: String, _ interface: String = "eth0") throws -> Endpoint {
        Endpoint(
            network: network, interface: interface, link: .port(host: "veth\(interface)", bridge: "sw-\(network)"),
            addresses: [try #require(IPPrefix(address))])
    }

    private func graph(_ odd: String = "odd") throws -> NetworkGraph {
        let subnet = Subnet(prefix: try #require(IPPrefix("10.1.0.0/24")))
        return NetworkGraph(
            networks: [
                Network(name: "lab", subnets: [subnet]), Network(name: "closed", subnets: [], isInternal: true),
            ],
            sandboxes: [
                try sandbox(
                    "web", [endpoint("lab", "10.1.0.3/24"), endpoint("closed", "10.2.0.2/24", "eth1")], ["8080:80"]),
                try sandbox(odd, [endpoint("lab", "10.1.0.2/24")], ["127.0.0.1:53:53/udp"]),
                try sandbox("alone", []),
            ])
    }

    @Test func `text is a tree, and plain where it has to be`() throws {
        #expect(
            try graph().text(isPlain: true) == """
                closed  bridge sw-closed, internal
                `-- web  eth1 - vetheth1  10.2.0.2
                lab  bridge sw-lab, 10.1.0.0/24
                |-- odd  eth0 - vetheth0  10.1.0.2
                |   `-- 127.0.0.1:53/udp -> 53
                `-- web  eth0 - vetheth0  10.1.0.3
                    `-- 8080/tcp -> 80

                """)
        #expect(try graph().text(isPlain: false).contains("└── 8080/tcp → 80"))
        let text = try graph(Self.hostile).text(isPlain: true)
        #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"))
    }

    @Test func `the order is that of the names, whatever comes first`() throws {
        let graph = try graph()
        var networks = [Network(name: "b", subnets: []), Network(name: "a", subnets: [])]
        let first = NetworkGraph(networks: networks, sandboxes: [])
        networks.reverse()
        #expect(first == NetworkGraph(networks: networks, sandboxes: []))
        #expect(graph.sandboxes == ["alone", "odd", "web"] && graph.networks.map(\.name) == ["closed", "lab"])
    }

    @Test func `a hostile name stays a name`() throws {
        let hostile = try graph(Self.hostile)
        // As many lines as with a harmless name: nothing has become a statement of its own.
        let harmless = try graph()
        for picture in [\NetworkGraph.mermaid, \.dot, \.svg] {
            let text = hostile[keyPath: picture]
            let count = { (text: String) in text.split(separator: "\n").count }
            #expect(count(text) == count(harmless[keyPath: picture]))
            #expect(!text.contains("\u{1b}") && !text.contains("\u{202e}"), "\(text)")
        }
        #expect(!hostile.mermaid.contains("a\"]") && !hostile.mermaid.contains("<script>"))
        #expect(!hostile.svg.contains("<script>"))
        #expect(hostile.dot.contains("a\\\"]; -->&amp; <script>'\\\\"))
    }

    @Test func `nothing at all is a picture too`() {
        let empty = NetworkGraph(networks: [], sandboxes: [])
        #expect(empty.text(isPlain: true) == "" && empty.dot.hasSuffix("}\n"))
        #expect(empty.svg.hasSuffix("</svg>\n"))
    }
}
