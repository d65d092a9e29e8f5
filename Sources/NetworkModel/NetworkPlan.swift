public import JSONCoding
/// What an operation is going to do, step by step, before it does any of it.
///
/// A plan is a value: it can be printed, kept as the intent of an operation that may be cut short, executed, and
/// taken back from wherever it stopped.
public struct NetworkPlan: Hashable, Sendable {
    /// What is asked for, in words: `connect web to lab0`.
    public var operation: String
    public var steps: [NetworkStep]
    /// What becomes of a plan whose process was killed.
    public var interruption: Interruption

    public enum Interruption: String, Hashable, Sendable {
        /// What was built is taken down: half an endpoint is none.
        case undo
        /// What was being taken down is taken down to the end.
        case complete
    }

    public init(_ operation: String, steps: [NetworkStep] = [], interruption: Interruption = .undo) {
        self.operation = operation
        self.steps = steps
        self.interruption = interruption
    }

    /// The steps that clean up after a process that was killed somewhere in this plan.
    public var recovery: [NetworkStep] {
        interruption == .undo ? steps.reversed().map(\.inverse) : steps
    }
}

extension NetworkPlan: CustomStringConvertible {
    public var description: String { ([operation] + steps.map { "  \($0)" }).joined(separator: "\n") }
}

extension NetworkPlan: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        guard let interruption = Interruption(rawValue: try json.string("interruption")) else {
            throw JSONCodingError("interruption", "is not known")
        }
        self.init(try json.string("operation"), steps: try json.list("steps"), interruption: interruption)
    }

    public var json: JSONValue {
        JSONValue([
            "operation": .string(operation), "interruption": .string(interruption.rawValue), "steps": JSONValue(steps),
        ])
    }
}
