import CLinux
import CSeccomp
import LinuxSystem
import SystemPackage

extension SeccompFilter {
    /// Makes the program. libseccomp knows the numbers of the calls; the code is our own.
    ///
    /// libseccomp's program for the default profile takes 60 ms to make and has 1300 instructions, each of which costs
    /// the kernel 0.2 µs when it is loaded. Calls that are treated alike mostly have neighbouring numbers, so a search
    /// among ranges is a fifth of that. The tests compare the two for every call.
    ///
    /// - Throws: `SeccompError` naming the system call or architecture that is not known.
    public func compile() throws(SeccompError) -> SeccompProgram {
        let tokens = try machineTokens()
        if unknownNames == .refused {
            for rule in rules where rule.action != defaultAction {
                for name in rule.names where !Self.knows(name) {
                    throw SeccompError(
                        "add rule for", name, errno: .invalidArgument, hint: "libseccomp does not know this system call"
                    )
                }
            }
        }
        var assembler = SeccompAssembler()
        // What no table is for: another architecture, or x32 or x86_64 without the other.
        let kill = Action.killProcess.value
        var next = SeccompAssembler.Target.answer(kill)
        var blocks: [(architecture: UInt32, start: SeccompAssembler.Target)] = []
        for (architecture, ranges) in tables(tokens, kill: kill).reversed() {
            let wide = architecture & UInt32(__AUDIT_ARCH_64BIT) != 0
            var start = search(ranges[...], wide: wide, in: &assembler)
            if case .code = start { start = .code(assembler.put(.load(0))) }
            blocks.append((architecture, start))
        }
        for block in blocks {
            next = .code(assembler.branch(.equal, block.architecture, then: block.start, else: next))
        }
        assembler.put(.load(MemoryLayout<seccomp_data>.offset(of: \.arch) ?? 4))
        let instructions = assembler.instructions.flatMap(\.bytes)
        guard SeccompProgram.isPlausible(length: instructions.count) else {
            throw SeccompError(
                "make filter", errno: .tooManyReferences, hint: "over 4096 instructions, the kernel's limit")
        }
        return SeccompProgram(instructions: instructions, flags: flags)
    }

    /// The architectures of the filter that this machine can meet, as libseccomp numbers them.
    private func machineTokens() throws(SeccompError) -> Set<UInt32> {
        let native = seccomp_arch_native()
        var tokens: Set<UInt32> = []
        for architecture in architectures {
            let token = unsafe seccomp_arch_resolve_name(architecture.rawValue)
            guard token != 0 else {
                throw SeccompError("add architecture", architecture.rawValue, errno: .invalidArgument)
            }
            tokens.insert(token)
        }
        return architectures.isEmpty ? [native] : tokens
    }

    /// System calls that a rule denies in vain, because nobody knows their number; what other filters leave out is denied
    /// anyway. Engines' lists are longer than an older libseccomp's, so that this is no error.
    public var ineffectiveNames: [String] {
        guard defaultAction.isPermissive, unknownNames == .skipped else { return [] }
        return rules.filter { !$0.action.isPermissive }.flatMap(\.names).filter { !Self.knows($0) }
    }

    /// -1 is __NR_SCMP_ERROR, a macro. Other negative numbers stand for calls of other architectures.
    private static func knows(_ name: String) -> Bool { unsafe seccomp_syscall_resolve_name(name) != -1 }

    /// The ranges of each architecture as the kernel tells them apart, the machine's own first.
    private func tables(_ tokens: Set<UInt32>, kill: UInt32) -> [(architecture: UInt32, ranges: [SeccompTable.Range])] {
        // A filter cannot know what came after it. libc falls back to an older call on ENOSYS, as on an older kernel,
        // but takes EPERM for an answer; runc does the same since 1.0.0-rc93.
        let newer = defaultAction.isPermissive ? defaultAction.value : Action.errno(UInt16(ENOSYS)).value
        // libseccomp's numbers are the kernel's, but for x32.
        func token(_ architecture: Architecture) -> UInt32 { unsafe seccomp_arch_resolve_name(architecture.rawValue) }
        func ranges(_ architecture: Architecture, privateFrom end: UInt32 = .max) -> [SeccompTable.Range]? {
            guard tokens.contains(token(architecture)) else { return nil }
            return SeccompTable(self, token: token(architecture)).ranges(
                other: defaultAction.value, newer: newer, privateFrom: end)
        }
        #if arch(x86_64)
        // The kernel gives x86_64 and x32 one architecture and tells them apart by a bit of the number.
        let x32Bit: UInt32 = 0x4000_0000
        let refused = SeccompTable.Range(start: 0, decision: .answer(kill))
        let x32 = ranges(.x32)?.map { SeccompTable.Range(start: max($0.start, x32Bit), decision: $0.decision) }
        // Below its first call x32 has one range for the numbers without the bit and for those with it.
        let above = x32 ?? [SeccompTable.Range(start: x32Bit, decision: refused.decision)]
        return [
            (token(.x86_64), (ranges(.x86_64) ?? [refused]) + above),
            (token(.x86), ranges(.x86) ?? [refused]),
        ]
        #else
        let refused = [SeccompTable.Range(start: 0, decision: .answer(kill))]
        return [
            (token(.aarch64), ranges(.aarch64) ?? refused),
            // arm has calls of its own far above the others (`__ARM_NR_BASE`).
            (token(.arm), ranges(.arm, privateFrom: 0x0f_0000) ?? refused),
        ]
        #endif
    }

    /// Puts a binary search for the number that was loaded.
    private func search(
        _ ranges: ArraySlice<SeccompTable.Range>, wide: Bool, in assembler: inout SeccompAssembler
    ) -> SeccompAssembler.Target {
        guard ranges.count > 1 else {
            switch ranges.first?.decision {
            case .answer(let value): return .answer(value)
            case .depends(let conditions): return depends(conditions, wide: wide, in: &assembler)
            case nil: return .answer(defaultAction.value)
            }
        }
        let middle = ranges.startIndex + ranges.count / 2
        let upper = search(ranges[middle...], wide: wide, in: &assembler)
        let lower = search(ranges[..<middle], wide: wide, in: &assembler)
        return .code(assembler.branch(.greaterOrEqual, ranges[middle].start, then: upper, else: lower))
    }

    private func depends(
        _ conditions: [SeccompTable.Condition], wide: Bool, in assembler: inout SeccompAssembler
    ) -> SeccompAssembler.Target {
        var next = SeccompAssembler.Target.answer(defaultAction.value)
        for condition in conditions.reversed() {
            var then = SeccompAssembler.Target.answer(condition.answer)
            for argument in condition.arguments.reversed() {
                then = assembler.test(argument, wide: wide, then: then, else: next)
            }
            next = then
        }
        return next
    }
}
