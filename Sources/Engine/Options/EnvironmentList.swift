/// A process's environment in order: a variable set again keeps its place and takes the new value.
public struct EnvironmentList: Hashable, Sendable {
    /// `NAME=value`, each name once.
    public private(set) var variables: [String] = []

    public init() {}

    public init(_ variables: [String]) {
        for variable in variables { set(variable) }
    }

    /// Sets `NAME=value`. A text without `=` unsets the name, as docker's `-e NAME` does when NAME is not set.
    public mutating func set(_ variable: String) {
        let name = Self.name(of: variable)
        let index = variables.firstIndex { Self.name(of: $0) == name }
        guard variable.contains("=") else {
            if let index { variables.remove(at: index) }
            return
        }
        if let index { variables[index] = variable } else { variables.append(variable) }
    }

    /// Sets `NAME=value` unless the name is set.
    public mutating func setDefault(_ variable: String) {
        if self[Self.name(of: variable)] == nil { variables.append(variable) }
    }

    public subscript(name: String) -> String? {
        variables.first { Self.name(of: $0) == name }.map { String($0.dropFirst(name.count + 1)) }
    }

    /// Parses `-e NAME=value` or `-e NAME`, which takes the caller's value.
    ///
    /// - Throws: `EngineError` when there is no name.
    public static func parse(_ text: String, caller: (String) -> String?) throws(EngineError) -> String {
        let name = name(of: text)
        guard !name.isEmpty else {
            throw EngineError(.invalid, "invalid environment variable '\(text)' (NAME=value)")
        }
        if text.contains("=") { return text }
        return caller(name).map { "\(name)=\($0)" } ?? name
    }

    private static func name(of variable: String) -> String { String(variable.prefix { $0 != "=" }) }
}
