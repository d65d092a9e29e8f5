import CommandSupport

/// A command's words, sorted into flags with values and the rest.
struct Arguments {
    var flags: [String: String] = [:]
    var words: [String] = []

    /// - Parameter names: Each accepted flag, without dashes, with the name it is kept under.
    init(_ arguments: [String], flags names: [String: String]) throws {
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            guard argument.hasPrefix("-"), argument != "-" else {
                words.append(argument)
                continue
            }
            let text = argument.drop { $0 == "-" }
            let name = String(text.prefix { $0 != "=" })
            guard let key = names[name] else {
                throw CommandFailure("unknown flag '\(argument)'", status: .usage)
            }
            if let equals = text.firstIndex(of: "=") {
                flags[key] = String(text[text.index(after: equals)...])
            } else if let value = rest.popFirst() {
                flags[key] = value
            } else {
                throw CommandFailure("flag '\(argument)' needs a value", status: .usage)
            }
        }
    }
}
