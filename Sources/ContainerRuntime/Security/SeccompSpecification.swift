public import RuntimeSpec
import SystemPackage

extension SeccompFilter {
    /// Reads the filter of an OCI configuration (runtime-spec, config-linux.md, "Seccomp").
    ///
    /// - Parameter refusingUnknownNames: Whether a system call that libseccomp does not know is an error, as crun's
    ///   annotation `run.oci.seccomp_fail_unknown_syscall` asks for.
    /// - Throws: `SeccompError` with EINVAL for an action, architecture, operator or flag that there is not.
    public init(
        _ specification: Spec.Linux.Seccomp, refusingUnknownNames: Bool = false
    ) throws(SeccompError) {
        self.init(
            defaultAction: try Action(specification.defaultAction, errno: specification.defaultErrnoRet),
            unknownNames: refusingUnknownNames ? .refused : .skipped)
        for name in specification.architectures ?? [] {
            guard let architecture = Architecture(specification: name) else {
                throw SeccompError("read architecture", name, errno: .invalidArgument)
            }
            architectures.append(architecture)
        }
        // A document's list is of what may be called besides, as with runc and crun: libseccomp begins with the machine's.
        if !architectures.isEmpty, !architectures.contains(.native) { architectures.append(.native) }
        if let names = specification.flags {
            flags = []
            for name in names {
                guard let flag = Flags(specification: name) else {
                    throw SeccompError("read flag", name, errno: .invalidArgument)
                }
                flags.insert(flag)
            }
        }
        for rule in specification.syscalls ?? [] {
            var arguments: [Argument] = []
            for argument in rule.args ?? [] { arguments.append(try Argument(argument)) }
            let action = try Action(rule.action, errno: rule.errnoRet)
            // Two conditions of one argument cannot both hold as they are meant: as in runc, each is a rule of its own.
            if Set(arguments.map(\.index)).count < arguments.count {
                rules += arguments.map { Rule(rule.names, action, [$0]) }
            } else {
                rules.append(Rule(rule.names, action, arguments))
            }
        }
        let notifies = rules.contains { $0.action == .notify }
        // Without a listener nobody waits, and the kernel refuses to say how.
        if notifies { flags.insert(.newListener) } else { flags.remove(.waitKillable) }
        if defaultAction == .notify {
            throw SeccompError(
                "read default action", specification.defaultAction, errno: .invalidArgument,
                hint: "nothing could run until somebody answers")
        }
    }
}

extension SeccompFilter.Action {
    /// - Parameter number: EPERM when missing, as the specification says.
    init(_ name: String, errno number: UInt32?) throws(SeccompError) {
        let eperm = UInt32(Errno.notPermitted.rawValue)
        guard let number = UInt16(exactly: number ?? eperm), number < 4096 else {
            throw SeccompError("read errno", "\(number ?? 0)", errno: .invalidArgument, hint: "at most 4095")
        }
        switch name {
        case "SCMP_ACT_ALLOW": self = .allow
        case "SCMP_ACT_LOG": self = .log
        case "SCMP_ACT_NOTIFY": self = .notify
        case "SCMP_ACT_TRAP": self = .trap
        case "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD": self = .killThread
        case "SCMP_ACT_KILL_PROCESS": self = .killProcess
        case "SCMP_ACT_ERRNO": self = .errno(number)
        case "SCMP_ACT_TRACE": self = .trace(number)
        default: throw SeccompError("read action", name, errno: .invalidArgument)
        }
    }
}

extension SeccompFilter.Architecture {
    init?(specification name: String) {
        guard name.hasPrefix("SCMP_ARCH_") else { return nil }
        self.init(rawValue: name.dropFirst("SCMP_ARCH_".count).lowercased())
    }
}

extension SeccompFilter.Flags {
    init?(specification name: String) {
        switch name {
        // Who loads it has one thread; and the kernel takes the flag with no listener.
        case "SECCOMP_FILTER_FLAG_TSYNC": self = []
        case "SECCOMP_FILTER_FLAG_LOG": self = .log
        case "SECCOMP_FILTER_FLAG_SPEC_ALLOW": self = .allowSpeculation
        case "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": self = .waitKillable
        default: return nil
        }
    }
}

extension SeccompFilter.Argument {
    init(_ specification: Spec.Linux.Seccomp.Argument) throws(SeccompError) {
        guard specification.index <= 5 else {
            throw SeccompError(
                "read argument", "\(specification.index)", errno: .invalidArgument, hint: "a call has 0 to 5")
        }
        guard specification.op.hasPrefix("SCMP_CMP_"),
            let comparison = Comparison(rawValue: String(specification.op.dropFirst("SCMP_CMP_".count)))
        else {
            throw SeccompError("read operator", specification.op, errno: .invalidArgument)
        }
        if comparison == .maskedEqual {
            // The specification has the mask first, as libseccomp does.
            self.init(
                specification.index, comparison, specification.valueTwo ?? 0, mask: specification.value)
        } else {
            self.init(specification.index, comparison, specification.value)
        }
    }
}
