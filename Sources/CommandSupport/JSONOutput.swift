import JSONCoding

/// JSON for people and for `jq`: two-space indentation, keys in order, slashes as they are.
public enum JSONOutput {
    /// Encodes a value, without a line end.
    public static func text(_ value: some Encodable, pretty: Bool = true) throws -> String {
        String(
            decoding: try JSONEncoding.encode(value, layout: .init(isIndented: pretty, isSorted: true)), as: UTF8.self)
    }

    /// Prints a value on standard output.
    public static func print(_ value: some Encodable, pretty: Bool = true) throws {
        Output.line(try text(value, pretty: pretty))
    }
}
