extension Spec.Linux.Seccomp {
    /// The names of config-linux.md, "Seccomp", sorted.
    public static let actions = [
        "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
        "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
    ]
    public static let operators = [
        "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE",
    ]
    public static let flagNames = [
        "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
        "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
    ]
    public static let architectureNames = [
        "SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM", "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_MIPS",
        "SCMP_ARCH_MIPS64", "SCMP_ARCH_MIPS64N32", "SCMP_ARCH_MIPSEL", "SCMP_ARCH_MIPSEL64", "SCMP_ARCH_MIPSEL64N32",
        "SCMP_ARCH_PARISC", "SCMP_ARCH_PARISC64", "SCMP_ARCH_PPC", "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64LE",
        "SCMP_ARCH_RISCV64", "SCMP_ARCH_S390", "SCMP_ARCH_S390X", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB", "SCMP_ARCH_X32",
        "SCMP_ARCH_X86", "SCMP_ARCH_X86_64",
    ]

    func validate() throws(SpecError) {
        let field = "linux.seccomp"
        try Self.check("\(field).defaultAction", defaultAction, "action", Self.actions)
        guard defaultAction != "SCMP_ACT_NOTIFY" else {
            throw SpecError(
                "\(field).defaultAction",
                "SCMP_ACT_NOTIFY cannot be used as default action: nothing could run until somebody answers")
        }
        try Self.check("\(field).defaultErrnoRet", defaultErrnoRet, of: defaultAction)
        for (index, name) in (architectures ?? []).enumerated() {
            try Self.check("\(field).architectures[\(index)]", name, "architecture", Self.architectureNames)
        }
        for (index, name) in (flags ?? []).enumerated() {
            try Self.check("\(field).flags[\(index)]", name, "flag", Self.flagNames)
        }
        try Spec.checkText("\(field).listenerPath", listenerPath)
        if let listenerMetadata, !listenerMetadata.isEmpty, (listenerPath ?? "").isEmpty {
            throw SpecError("\(field).listenerMetadata", "needs linux.seccomp.listenerPath")
        }
        for (index, rule) in (syscalls ?? []).enumerated() { try rule.validate("\(field).syscalls[\(index)]") }
    }

    fileprivate static func check(
        _ field: String, _ name: String, _ kind: String, _ known: [String]
    ) throws(SpecError) {
        guard !known.contains(name) else { return }
        throw SpecError(field, "unknown \(kind) '\(name)', one of \(known.joined(separator: ", "))")
    }

    fileprivate static func check(_ field: String, _ number: UInt32?, of action: String) throws(SpecError) {
        guard let number else { return }
        guard ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(action) else {
            throw SpecError(field, "the action \(action) returns no errno")
        }
        // MAX_ERRNO of linux/err.h.
        guard number <= 4095 else { throw SpecError(field, "\(number) is no errno: at most 4095") }
    }
}

extension Spec.Linux.Seccomp.Rule {
    fileprivate func validate(_ field: String) throws(SpecError) {
        guard !names.isEmpty else { throw SpecError("\(field).names", "is empty") }
        for (index, name) in names.enumerated() {
            guard !name.isEmpty else { throw SpecError("\(field).names[\(index)]", "is empty") }
            try Spec.checkText("\(field).names[\(index)]", name)
        }
        try Spec.Linux.Seccomp.check("\(field).action", action, "action", Spec.Linux.Seccomp.actions)
        try Spec.Linux.Seccomp.check("\(field).errnoRet", errnoRet, of: action)
        for (index, argument) in (args ?? []).enumerated() {
            let place = "\(field).args[\(index)]"
            guard argument.index <= 5 else {
                throw SpecError("\(place).index", "\(argument.index) is no argument: a call has 0 to 5")
            }
            try Spec.Linux.Seccomp.check("\(place).op", argument.op, "operator", Spec.Linux.Seccomp.operators)
        }
    }
}
