/// An amount of memory as `-m` takes it: a number with an optional unit b, k, m, g or t (powers of 1024, any case).
public struct MemorySize: Hashable, Sendable {
    public var bytes: Int64

    public init(bytes: Int64) { self.bytes = bytes }

    /// Parses `512m`, `1.5g`, `1048576`, `64MiB`.
    ///
    /// - Throws: `EngineError` that names the flag and its value; less than 6 MiB is refused, as docker does, because
    ///   not even the runtime's child would fit.
    public init(parsing text: String, flag: String) throws(EngineError) {
        let lowered = text.lowercased()
        let number = lowered.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
        let factors: [String: Double] = [
            "": 1, "b": 1, "k": 1024, "m": 1_048_576, "g": 1_073_741_824, "t": 1_099_511_627_776,
        ]
        var unit = String(lowered.dropFirst(number.count))
        if unit.count > 1 { unit = unit.hasSuffix("ib") ? String(unit.dropLast(2)) : unit }
        if unit.count > 1 { unit = unit.hasSuffix("b") ? String(unit.dropLast()) : unit }
        guard let value = Double(String(number)), value.isFinite, let factor = factors[unit], value * factor < 9e18
        else {
            throw EngineError(.invalid, "invalid size '\(text)' for \(flag) (a number with b, k, m or g)")
        }
        bytes = Int64(value * factor)
        guard bytes >= 6 << 20 else {
            throw EngineError(.invalid, "\(flag) \(text) is too small (the least is 6m)")
        }
    }
}
