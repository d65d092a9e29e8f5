import CLinux

/// Writes a program from its end to its beginning: BPF only jumps forward, so that every target is known by then.
struct SeccompAssembler {
    /// An instruction, counted from the program's end, that others can jump to.
    typealias Label = Int

    /// How a comparison decides (`BPF_JEQ` and so on).
    enum Comparison { case equal, greater, greaterOrEqual }

    /// Where a branch leads: to code, or to an answer, which is put where it is needed.
    enum Target {
        case code(Label)
        case answer(UInt32)
    }

    private var reversed: [SeccompInstruction] = []
    private var answers: [UInt32: Label] = [:]

    /// The program, from its beginning.
    var instructions: [SeccompInstruction] { reversed.reversed() }

    /// Puts an instruction before everything that is there; it goes on to the one that was put last.
    @discardableResult
    mutating func put(_ instruction: SeccompInstruction) -> Label {
        reversed.append(instruction)
        return reversed.count - 1
    }

    /// Compares what was loaded.
    mutating func branch(
        _ comparison: Comparison, _ operand: UInt32, then: Target, else other: Target
    ) -> Label {
        let ifFalse = near(other)
        let ifTrue = near(then)
        let code =
            switch comparison {
            case .equal: BPF_JEQ
            case .greater: BPF_JGT
            case .greaterOrEqual: BPF_JGE
            }
        return put(
            SeccompInstruction(
                code: BPF_JMP | code | BPF_K, ifTrue: UInt8(distance(to: ifTrue)),
                ifFalse: UInt8(distance(to: ifFalse)), operand: operand))
    }

    /// From the instruction that comes next.
    private func distance(to label: Label) -> Int { reversed.count - 1 - label }

    /// A label that a branch can reach, whose distances are bytes: there is room left for what comes in between.
    private mutating func near(_ target: Target) -> Label {
        switch target {
        case .answer(let value):
            if let label = answers[value], distance(to: label) < 250 { return label }
            let label = put(.answer(value))
            answers[value] = label
            return label
        case .code(let label):
            return distance(to: label) < 250 ? label : put(.jump(by: distance(to: label)))
        }
    }
}

// MARK: Conditions on arguments

extension SeccompAssembler {
    /// Tests one argument of the call.
    ///
    /// - Parameter wide: Whether the architecture has 64-bit arguments; otherwise half of each is looked at.
    mutating func test(
        _ argument: SeccompFilter.Argument, wide: Bool, then: Target, else other: Target
    ) -> Target {
        let low = Half(argument, upper: false)
        let high = wide ? Half(argument, upper: true) : nil
        switch argument.comparison {
        case .equal: return equal(low, high, then: then, else: other)
        case .notEqual: return equal(low, high, then: other, else: then)
        case .maskedEqual: return equal(low, high, then: then, else: other)
        case .greater: return ordered(.greater, low, high, then: then, else: other)
        case .greaterOrEqual: return ordered(.greaterOrEqual, low, high, then: then, else: other)
        case .less: return ordered(.greaterOrEqual, low, high, then: other, else: then)
        case .lessOrEqual: return ordered(.greater, low, high, then: other, else: then)
        }
    }

    private mutating func equal(_ low: Half, _ high: Half?, then: Target, else other: Target) -> Target {
        var start = branch(.equal, low.value, then: then, else: other)
        start = load(low)
        guard let high, high.mask != 0 || high.value != 0 else { return .code(start) }
        _ = branch(.equal, high.value, then: .code(start), else: other)
        return .code(load(high))
    }

    private mutating func ordered(
        _ comparison: Comparison, _ low: Half, _ high: Half?, then: Target, else other: Target
    ) -> Target {
        var start = branch(comparison, low.value, then: then, else: other)
        start = load(low)
        guard let high else { return .code(start) }
        start = branch(.equal, high.value, then: .code(start), else: other)
        _ = branch(.greater, high.value, then: then, else: .code(start))
        return .code(load(high))
    }

    private mutating func load(_ half: Half) -> Label {
        if half.mask != .max { put(.and(half.mask)) }
        return put(.load(half.offset))
    }

    /// 32 bits of an argument, of the value that it is compared with, and of the mask.
    private struct Half {
        var offset: Int
        var value: UInt32
        var mask: UInt32

        init(_ argument: SeccompFilter.Argument, upper: Bool) {
            let shift: UInt64 = upper ? 32 : 0
            // Little endian, as both architectures are.
            offset = (MemoryLayout<seccomp_data>.offset(of: \.args) ?? 16) + 8 * Int(argument.index) + (upper ? 4 : 0)
            value = UInt32(truncatingIfNeeded: argument.value >> shift)
            mask = argument.comparison == .maskedEqual ? UInt32(truncatingIfNeeded: argument.mask >> shift) : .max
        }
    }
}
