import CNI
import JSONCoding
import TestSupport
import Testing

/// Whatever comes in, an answer comes out: a value, or an error with a code that is the input's fault.
@Suite("CNI inputs at random") struct FuzzTests {
    private static let seeds = [
        Requests.document(
            #""ipam": {"type": "host-local", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1", "routes": [{"dst": "10.9.0.0/16", "gw": "10.1.0.9", "priority": 7}], "resolvConf": "/x"}, "mtu": 1500"#
        ),
        Requests.document(
            #""runtimeConfig": {"portMappings": [{"hostPort": 8080, "containerPort": 80, "protocol": "tcp"}], "ips": ["10.1.0.9/16"], "aliases": {"dbnet": ["a"]}, "mac": "02:00:00:00:00:01"}"#
        ), Requests.document("\"prevResult\": \(ResultTests.example)"),
        Requests.document(#""cni.dev/valid-attachments": [{"containerID": "a", "ifname": "eth0"}]"#),
    ]

    private func answer(_ input: [UInt8], _ operation: CNIOperation) {
        do throws(CNIError) {
            let request = try CNIRequest(operation, environment: Requests.variables([:]), input: input)
            _ = try? request.configuration()
            _ = try? request.validAttachments()
            _ = try request.previousResult()?.json(request.version).text
            _ = try request.configuration()
        } catch {
            #expect([1, 2, 6, 7].contains(error.code.rawValue), "\(error)")
            // What is said of it has to be JSON, whatever it quotes.
            #expect(throws: Never.self) { try JSONCoding.JSONValue(parsing: error.json().bytes) }
        }
    }

    @Test(arguments: SplitMix.seeds(2, for: "changed CNI inputs"))
    func `bytes that are changed, taken out and put in`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        for round in 0..<4_000 {
            answer(
                Mutations.bytes(of: Self.seeds[round % Self.seeds.count], using: &generator),
                CNIOperation.allCases[round % 5])
        }
    }

    @Test func `values that stand where others should`() throws {
        for seed in Self.seeds {
            let document = try JSONCoding.JSONValue(parsing: Array(seed.utf8))
            for value in Mutations.values {
                for changed in Mutations.replacements(of: document, by: value) { answer(changed.bytes, .add) }
            }
        }
    }
}
