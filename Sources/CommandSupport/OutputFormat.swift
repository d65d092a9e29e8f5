/// How a listing is printed: `--format table|json`.
public enum OutputFormat: String, CaseIterable, Hashable, Sendable {
    case table, json

    /// Parses the value of `--format`.
    ///
    /// - Throws: `CommandFailure` that names the value and the choices.
    public init(parsing text: String) throws(CommandFailure) {
        guard let format = OutputFormat(rawValue: text) else {
            throw CommandFailure("unknown format '\(text)' (table or json)", status: .usage)
        }
        self = format
    }
}
