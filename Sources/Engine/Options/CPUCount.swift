import CLinux

/// A number of processors as `--cpus` takes it: `0.5`, `2`.
public struct CPUCount: Hashable, Sendable {
    /// The scheduler's period in microseconds that the quota is counted in: the kernel's default.
    public static let period: Int64 = 100_000

    /// The processors that this machine has switched on.
    public static var available: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

    /// Microseconds of processor time in each period.
    public var quota: Int64

    /// - Throws: `EngineError` when it is no number above 0 or more than this machine has.
    public init(parsing text: String, available: Int) throws(EngineError) {
        let isPlain = text.utf8.allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || $0 == UInt8(ascii: ".")
        }
        guard isPlain, let count = Double(text), count > 0 else {
            throw EngineError(.invalid, "invalid number of processors '\(text)' for --cpus (for example 1.5)")
        }
        guard count <= Double(available) else {
            throw EngineError(.invalid, "--cpus \(text): this machine has \(available) processors")
        }
        // The kernel refuses a quota below one millisecond.
        quota = max(1_000, Int64((count * Double(Self.period)).rounded()))
    }
}
