import CLinux
import CNftnl

/// One instruction of the kernel's packet machine: a rule is a list of them.
///
/// Rules are written with `Statement`s, which become expressions. Rules that are read from the kernel hold expressions.
public enum Expression: Hashable, Sendable {
    case payload(PayloadBase, offset: UInt32, length: UInt32, to: Register)
    case meta(UInt32, to: Register)
    case setMeta(UInt32, from: Register)
    case conntrack(UInt32, to: Register)
    case setConntrack(UInt32, from: Register)
    case fib(flags: UInt32, result: UInt32, to: Register)
    case compare(Register, Comparison, [UInt8])
    /// Inside or outside, both ends inclusive.
    case range(Register, inverted: Bool, [UInt8], [UInt8])
    /// `register & mask ^ xor`, in place.
    case bitwise(Register, mask: [UInt8], xor: [UInt8])
    /// Without a destination the rule goes on when the key is found, or is not when inverted. A map writes its data.
    case lookup(set: String, key: Register, to: Register?, inverted: Bool)
    case immediate([UInt8], to: Register)
    case verdict(Verdict)
    case nat(Translation, Family, address: Register?, port: Register?, flags: UInt32)
    case masquerade(flags: UInt32)
    case redirect(port: Register?, flags: UInt32)
    case counter(packets: UInt64, bytes: UInt64)
    case notrack
    case reject(type: UInt32, code: UInt8)
    case log(prefix: String?)
    /// One that this library reads by name only.
    case other(String)

    public enum PayloadBase: Hashable, Sendable { case link, network, transport }
    public enum Comparison: Hashable, Sendable { case equal, notEqual, less, lessOrEqual, greater, greaterOrEqual }
    public enum Translation: Hashable, Sendable { case source, destination }

    /// A register of the packet machine.
    public struct Register: RawRepresentable, Hashable, Sendable {
        /// `NFT_REG_*` or `NFT_REG32_*`.
        public let rawValue: UInt32

        public init(rawValue: UInt32) { self.rawValue = rawValue }

        /// The register that takes the verdict of a verdict map.
        static let verdict = Register(rawValue: NFT_REG_VERDICT.rawValue)

        /// The register that begins at a 32-bit word, 0 to 15.
        ///
        /// Where a 128-bit register begins at the word, its number is used, as the kernel does when it prints a rule.
        init(word: Int) {
            let words = Int(NFT_REG_SIZE / NFT_REG32_SIZE)
            rawValue =
                word % words == 0
                ? NFT_REG_1.rawValue + UInt32(word / words) : NFT_REG32_00.rawValue + UInt32(word)
        }
    }
}
