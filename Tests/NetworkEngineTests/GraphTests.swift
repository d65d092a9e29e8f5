import Foundation
import TestSupport
import Testing

@Suite("graph: drawn from what is there", .timeLimit(.minutes(5)))
struct GraphTests {
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        try await host.net("create", "closed", "--internal", "--subnet", "10.45.0.0/24")
        for name in ["web", "x<&\"'];--"] {
            try await host.must(["ip", "netns", "add", name])
            try await host.net("connect", "lab", name)
        }
        try await host.net("connect", "closed", "web")
        try await host.net("publish", "web", "127.0.0.1:8080:80", "[2001:db8::1]:53:53/udp", "9000-9010:9000-9010")
    }

    @Test func `every format is read by the program it is for`() async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let json = try await host.json([NetworkHost.swnet, "graph", "--format", "json"])
            #expect(json["networks"].items.map { $0["name"].text } == ["bridge", "closed", "lab"])
            #expect(json["endpoints"].items.count == 3 && json["ports"].items.count == 3, "\(json)")

            let text = try await host.net("graph")
            #expect(
                text.contains("lab  bridge sw-lab, 10.44.0.0/24, fd00:44::/64") && text.contains("127.0.0.1:8080/tcp"))
            #expect(try await host.net("graph", "closed").contains("lab") == false)

            // Graphviz reads the graph, and its picture has every node; XML parsers read both pictures.
            let line = "\(NetworkHost.swnet) graph --format dot | dot -Tjson"
            let dot = try JSONValue(try await host.must(["bash", "-o", "pipefail", "-c", line]))
            let labels = dot["objects"].items.compactMap { $0["label"].text }
            // Three ports, two sandboxes, three networks with the default one, and the outside of the two open ones.
            #expect(labels.count == 3 + 2 + 3 + 1 && dot["edges"].items.count == 3 + 3 + 2, "\(labels)")
            #expect(labels.contains("x<&amp;\"'];--") && labels.contains("127.0.0.1:8080/tcp"), "\(labels)")
            let reading = """
                import sys, xml.etree.ElementTree as tree
                print(" ".join(tree.fromstring(sys.stdin.buffer.read()).itertext()))
                """
            for source in ["graph --format svg", "graph --format dot | dot -Tsvg"] {
                let words = try await host.must(
                    ["bash", "-o", "pipefail", "-c", "\(NetworkHost.swnet) \(source) | python3 -c '\(reading)'"])
                for part in [
                    "lab", "closed", "web", "x<&\"'];--", "10.44.0.2", "fd00:44::2", "9000-9010/tcp", "outside",
                ] {
                    #expect(words.contains(part), "\(part): \(words)")
                }
            }
            #expect(try await host.net("graph", "--format", "mermaid").hasPrefix("flowchart LR"))
            // The same picture each time.
            #expect(try await host.net("graph", "--format", "svg") == host.net("graph", "--format", "svg"))
        }
    }

    @Test func `bad input, and an empty host`() async throws {
        try await NetworkHost.with { host in
            for (words, names) in [(["--format", "png"], "unknown format 'png'"), (["nosuch"], "nosuch")] {
                let result = try await host.run([NetworkHost.swnet, "graph"] + words)
                #expect(result.status != 0 && result.errors.contains(names), "\(result)")
            }
            #expect(try await host.net("graph", "--format", "svg").contains("</svg>"))
        }
    }
}
