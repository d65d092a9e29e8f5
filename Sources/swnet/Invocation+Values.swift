import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

/// What stands on swnet's command lines, each with what it should have been when it is something else.
extension CommandSupport.Invocation<NetworkEngine> {
    var engine: NetworkEngine { context }

    /// Carries out an operation; with `--dry-run` it only prints what would be done, step by step.
    func perform(_ operation: (NetworkEngine) throws -> Void) throws -> ExitStatus {
        var engine = engine
        let format = try format
        if flags.isOn("dry-run") {
            engine.planned = { plan in
                Output.line(
                    format == .json
                        ? plan.json.text
                        : "\(plan)".split(separator: "\n").map { String($0).printable }.joined(separator: "\n"))
            }
        }
        try operation(engine)
        return .success
    }

    /// A flag's value as a type that can be written as text.
    ///
    /// - Parameter what: What the value has to be: `an IPv4 address`.
    func value<Value: LosslessStringConvertible>(_ flag: String, _ what: String) throws(CommandFailure) -> Value? {
        let values: [Value] = try values(flag, what)
        return values.last
    }

    /// All values of a flag.
    func values<Value: LosslessStringConvertible>(_ flag: String, _ what: String) throws(CommandFailure) -> [Value] {
        try flags.values(flag).map { text throws(CommandFailure) in
            // Int takes +1500 and 01500, which are other numbers to other programs.
            guard let value = Value(text), value as? Int == nil || value.description == text else {
                throw misuse("'\(text)' for --\(flag) is not \(what)")
            }
            return value
        }
    }

    func sandbox(_ text: String) throws(CommandFailure) -> SandboxReference {
        do throws(NetworkError) {
            return try SandboxReference(parsing: text)
        } catch {
            throw misuse("\(error)")
        }
    }

    /// Connects or publishes, and prints the ports that were chosen as they are taken back.
    func perform(_ requests: [PortRequest], _ operation: (NetworkEngine) throws -> Sandbox) throws -> ExitStatus {
        try perform { engine in
            let sandbox = try operation(engine)
            guard engine.planned == nil else { return }
            // The last in its list are those of this operation.
            let count = requests.reduce(0) { $0 + $1.choices }
            let ports = sandbox.chosenPorts.suffix(count).map(\.mapping)
            guard !ports.isEmpty, let problem = Output.attempt(ports.map { "\($0)\n" }.joined()) else { return }
            throw CommandFailure(
                "\(sandbox.name) publishes \(ports.map(\.description).joined(separator: ", ")) now, which cannot be written "
                    + "to standard output: \(problem) (swnet ports \(sandbox.name))")
        }
    }

    func ports(_ texts: some Sequence<String>) throws(CommandFailure) -> [PortRequest] {
        do throws(NetworkError) {
            return try texts.map { text throws(NetworkError) in try PortRequest(parsing: text) }
        } catch {
            throw misuse("\(error)")
        }
    }
}

extension FlagGrammar {
    /// What every command takes that changes something.
    static let dryRun: [Flag] = [
        .init("dry-run", help: "print the steps and do nothing"),
        .init("format", value: "FORMAT", help: "of the steps: table or json, a line for each plan"),
    ]
}
