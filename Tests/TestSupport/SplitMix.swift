/// Chance that can be had again: the same state gives the same numbers
/// (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
public struct SplitMix: RandomNumberGenerator, Sendable {
    public var state: UInt64

    public init(state: UInt64) { self.state = state }

    public mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// With a state by chance, which is printed so that a failure can be had again.
    public static func byChance(for what: String = #function) -> SplitMix {
        let state = UInt64.random(in: 0 ... .max)
        print("seed of \(what): \(state)")
        return SplitMix(state: state)
    }

    /// Some seeds by chance, printed so that a failure can be had again, and some that are always the same.
    public static func seeds(_ count: Int, for what: String) -> [UInt64] {
        var generator = SystemRandomNumberGenerator()
        let seeds = (0..<count).map { _ in generator.next() }
        print("seeds of \(what): \(seeds)")
        return seeds + [0, 1, .max]
    }
}
