/// What a plugin is asked to do: `CNI_COMMAND` (section 2, CNI operations).
public enum CNIOperation: String, CaseIterable, Hashable, Sendable {
    case add = "ADD"
    case delete = "DEL"
    case check = "CHECK"
    case collectGarbage = "GC"
    case status = "STATUS"
    case version = "VERSION"

    /// The variable whose presence makes a program a plugin.
    public static let variable = "CNI_COMMAND"

    /// - Throws: `CNIError` 4 for a command that the specification does not know.
    public init(_ environment: (String) -> String?) throws(CNIError) {
        let text = environment(Self.variable) ?? ""
        guard let operation = CNIOperation(rawValue: text) else {
            throw CNIError(
                .invalidEnvironment, text.isEmpty ? "CNI_COMMAND is missing" : "CNI_COMMAND '\(text)' is not known",
                details: "known are \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = operation
    }

    /// The variables that it cannot do without. None of ours is looked for in CNI_PATH, but GC's caller has to send it.
    var required: [String] {
        switch self {
        case .add, .check: ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]
        case .delete: ["CNI_CONTAINERID", "CNI_IFNAME"]
        case .collectGarbage: ["CNI_PATH"]
        case .status, .version: []
        }
    }

    /// The version of the specification that brought it.
    var since: CNIVersion {
        switch self {
        case .collectGarbage, .status: .v1_1_0
        default: .v0_4_0
        }
    }
}
