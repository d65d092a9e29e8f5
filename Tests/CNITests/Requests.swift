import CNI
import JSONCoding
import Testing

/// Requests as a runtime would send them, with what is wrong in one place.
enum Requests {
    static let environment = [
        "CNI_COMMAND": "ADD", "CNI_CONTAINERID": "example", "CNI_NETNS": "/run/netns/blue", "CNI_IFNAME": "eth0",
        "CNI_PATH": "/opt/cni/bin",
    ]

    static func make(
        _ operation: CNIOperation = .add, _ changes: [String: String?] = [:], _ document: String
    ) throws(CNIError) -> CNIRequest {
        try CNIRequest(operation, environment: variables(changes), input: Array(document.utf8))
    }

    static func variables(_ changes: [String: String?]) -> (String) -> String? {
        let environment = environment.merging(changes.compactMapValues { $0 }) { $1 }
        let missing = Set(changes.filter { $0.value == nil }.keys)
        return { missing.contains($0) ? nil : environment[$0] }
    }

    /// A configuration of which only these members are of interest.
    static func document(_ members: String = "", version: String = "1.1.0") -> String {
        "{\"cniVersion\": \"\(version)\", \"name\": \"dbnet\", \"type\": \"swnet\"\(members.isEmpty ? "" : ", ")\(members)}"
    }

    static func configuration(_ members: String, arguments: String = "") throws(CNIError) -> CNIConfiguration {
        try make(.add, ["CNI_ARGS": arguments], document(members)).configuration()
    }
}

/// Checks that something is refused with a code of the specification and words that name what is wrong.
func expectRefusal(
    _ code: Int, _ words: String..., sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) {
    do {
        try body()
        Issue.record("accepted, but \(words) should be refused with \(code)", sourceLocation: sourceLocation)
    } catch let error as CNIError {
        #expect(error.code.rawValue == code, "\(error)", sourceLocation: sourceLocation)
        #expect(!error.message.hasSuffix("."), sourceLocation: sourceLocation)
        for word in words {
            #expect(error.message.contains(word), "'\(error)' does not name \(word)", sourceLocation: sourceLocation)
        }
    } catch {
        Issue.record("\(error) is no CNI error", sourceLocation: sourceLocation)
    }
}
