import CNI
import JSONCoding
import Testing

/// Whatever comes in, an answer comes out: a value, or an error with a code that is the input's fault.
@Suite("CNI inputs at random") struct FuzzTests {
    private static let seeds = [
        Requests.document(
            #""ipam": {"type": "host-local", "subnet": "10.1.0.0/16", "gateway": "10.1.0.1", "routes": [{"dst": "0.0.0.0/0"}]}, "mtu": 1500"#
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
            #expect(throws: Never.self) { try JSONValue(parsing: error.json().bytes) }
        }
    }

    @Test func `bytes that are changed, taken out and put in`() {
        var generator = SplitMix(state: 0x53_77_6e_65_74)
        for round in 0..<20_000 {
            var bytes = Array(Self.seeds[round % Self.seeds.count].utf8)
            for _ in 0..<Int.random(in: 1...6, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                switch Int.random(in: 0..<4, using: &generator) {
                case 0: bytes[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: bytes.remove(at: place)
                case 2: bytes.insert(UInt8(ascii: Self.marks.randomElement(using: &generator) ?? "0"), at: place)
                default: bytes[place] ^= 1
                }
            }
            answer(bytes, CNIOperation.allCases[round % 5])
        }
    }

    @Test func `values that stand where others should`() throws {
        let values: [JSONValue] = [
            .null, .bool(true), .integer(-1), .integer(.max), .number("1e400"), .string(""), .string("10.1.0.0/16"),
            .string("\u{0}\u{202e}"), .array([]), .array([.null]), .object([]), .object([.init("", .null)]),
        ]
        for seed in Self.seeds {
            let document = try JSONValue(parsing: Array(seed.utf8))
            for value in values {
                for changed in Self.replacements(of: document, by: value) { answer(changed.bytes, .add) }
            }
        }
    }

    private static let marks: [Unicode.Scalar] = ["{", "}", "[", "]", "\"", ":", ",", "\\", "-", "9", "."]

    /// The document with one place after the other replaced.
    private static func replacements(of document: JSONValue, by value: JSONValue) -> [JSONValue] {
        switch document {
        case .object(let members):
            members.indices.flatMap { index in
                ([value] + replacements(of: members[index].value, by: value)).map { changed in
                    var members = members
                    members[index].value = changed
                    return .object(members)
                }
            }
        case .array(let elements):
            elements.indices.flatMap { index in
                ([value] + replacements(of: elements[index], by: value)).map { changed in
                    var elements = elements
                    elements[index] = changed
                    return .array(elements)
                }
            }
        default: []
        }
    }
}

/// The same numbers in every run (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
