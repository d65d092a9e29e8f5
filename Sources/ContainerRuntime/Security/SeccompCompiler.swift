import CLinux
import CSeccomp
import LinuxSystem
import SystemPackage

extension SeccompFilter {
    /// Makes the program, which takes libseccomp a few milliseconds; `SeccompCache` remembers it.
    ///
    /// - Throws: `SeccompError` naming the system call or architecture that libseccomp refused.
    ///   The corresponding functions are `seccomp_init`, `seccomp_rule_add_array` and `seccomp_export_bpf`.
    public func compile() throws(SeccompError) -> SeccompProgram {
        guard let context = unsafe seccomp_init(defaultAction.value) else {
            throw SeccompError("prepare filter", errno: .invalidArgument, hint: "the default action is not supported")
        }
        defer { unsafe seccomp_release(context) }
        let tokens = unsafe try addArchitectures(to: context)
        // A tree of comparisons: the kernel works the whole program out for every system call number when it is
        // loaded, which takes hundreds of microseconds for a list.
        unsafe try check(seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2), "choose layout of filter")
        for rule in rules {
            for name in rule.names { unsafe try add(rule, name, to: context) }
        }
        var instructions = unsafe try export(context)
        if !defaultAction.isPermissive, defaultAction != .errno(UInt16(ENOSYS)) {
            instructions = answerToNewCalls(tokens) + instructions
        }
        guard SeccompProgram.isPlausible(length: instructions.count) else {
            throw SeccompError(
                "make filter", errno: .tooManyReferences, hint: "over 4096 instructions, the kernel's limit")
        }
        return SeccompProgram(instructions: instructions, flags: flags)
    }

    private func check(_ result: Int32, _ operation: String, _ object: String = "") throws(SeccompError) {
        guard result < 0 else { return }
        throw SeccompError(operation, object, errno: Errno(rawValue: -result))
    }

    private func addArchitectures(to context: scmp_filter_ctx) throws(SeccompError) -> [UInt32] {
        let native = seccomp_arch_native()
        guard !architectures.isEmpty else { return [native] }
        var tokens: [UInt32] = []
        for architecture in architectures {
            let token = unsafe seccomp_arch_resolve_name(architecture.rawValue)
            guard token != 0 else {
                throw SeccompError("add architecture", architecture.rawValue, errno: .invalidArgument)
            }
            let result = unsafe seccomp_arch_add(context, token)
            if result != -EEXIST { try check(result, "add architecture", architecture.rawValue) }
            if !tokens.contains(token) { tokens.append(token) }
        }
        if !tokens.contains(native) {
            unsafe try check(seccomp_arch_remove(context, native), "remove architecture", "of this machine")
        }
        return tokens
    }

    private func add(_ rule: Rule, _ name: String, to context: scmp_filter_ctx) throws(SeccompError) {
        let number = unsafe seccomp_syscall_resolve_name(name)
        // __NR_SCMP_ERROR, a macro. Other negative numbers stand for calls that only other architectures have.
        guard number != -1 else {
            let deniesMore = !defaultAction.isPermissive || rule.action.isPermissive
            if unknownNames == .skipped, deniesMore { return }
            throw SeccompError(
                "add rule for", name, errno: .invalidArgument, hint: "libseccomp does not know this system call")
        }
        // A rule that says what happens anyway is refused by libseccomp.
        if rule.action == defaultAction { return }
        let conditions = rule.arguments.map { argument in
            scmp_arg_cmp(
                arg: argument.index, op: argument.comparison.operation,
                datum_a: argument.comparison == .maskedEqual ? argument.mask : argument.value,
                datum_b: argument.comparison == .maskedEqual ? argument.value : 0)
        }
        let result = unsafe seccomp_rule_add_array(
            context, rule.action.value, number, UInt32(conditions.count), conditions)
        // The same call under two names, or a rule within another one that was added before.
        if result != -EEXIST { try check(result, "add rule for", name) }
    }

    private func export(_ context: scmp_filter_ctx) throws(SeccompError) -> [UInt8] {
        let number = unsafe memfd_create("seccomp", UInt32(MFD_CLOEXEC))
        guard number >= 0 else { throw SeccompError("make memory file", errno: .last) }
        let file = Descriptor(owning: number)
        unsafe try check(seccomp_export_bpf(context, file.rawValue), "export filter")
        lseek(file.rawValue, 0, SEEK_SET)
        do throws(SystemError) {
            return try file.readAll(limit: 1 << 20)
        } catch {
            throw SeccompError("export filter", errno: error.errno)
        }
    }
}

extension SeccompFilter.Argument.Comparison {
    fileprivate var operation: scmp_compare {
        switch self {
        case .notEqual: SCMP_CMP_NE
        case .less: SCMP_CMP_LT
        case .lessOrEqual: SCMP_CMP_LE
        case .equal: SCMP_CMP_EQ
        case .greaterOrEqual: SCMP_CMP_GE
        case .greater: SCMP_CMP_GT
        case .maskedEqual: SCMP_CMP_MASKED_EQ
        }
    }
}
