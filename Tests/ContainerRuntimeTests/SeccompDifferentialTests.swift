import CSeccomp
import ContainerRuntime
import Testing

/// Our programs against libseccomp's for the same filter, call by call.
struct SeccompDifferentialTests {
    private static let usual: Set<String> = ["CAP_SYS_CHROOT", "CAP_AUDIT_WRITE", "CAP_SYS_PTRACE"]

    /// Numbers around every call there is, and far from all of them.
    private static let numbers: [UInt32] =
        Array(0..<480) + stride(from: 0, to: 560, by: 3).map { 0x4000_0000 + $0 } + [0x000f_0002, 0x3fff_ffff]

    /// Values around those that the filters below ask for, in both halves.
    private static let values: [UInt64] = [
        0, 1, 2, 3, 5, 7, 8, 9, 11, 12, 16, 37, 38, 39, 40, 41, 45, 46, 0x2_0000, 0x2_0008, 0x1000_0011, 0x7e02_0000,
        0xffff_ffff, 0x1_0000_0000, 0x1_0000_0002, 0x1_0000_0026, 0x8000_0000_0000_0005, .max,
    ]

    private func compare(
        _ filter: SeccompFilter, _ numbers: [UInt32] = numbers, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let ours = Interpreter(try filter.compile().instructions)
        let theirs = Interpreter(libseccompProgram(filter))
        let enosys: UInt32 = 0x0005_0026
        var compared = 0
        let conditional = Set(filter.rules.filter { !$0.arguments.isEmpty }.flatMap(\.names))
        for name in ["x86_64", "x86", "mips"] {
            let architecture = seccomp_arch_resolve_name(name)
            // Arguments matter to few calls; 102 and 117 are socketcall and ipc.
            var asking: Set<UInt32> = [102, 117]
            for call in conditional {
                for token in [architecture, seccomp_arch_resolve_name("x32")] {
                    asking.insert(UInt32(bitPattern: seccomp_syscall_resolve_name_arch(token, call)))
                }
            }
            let named = filter.rules.flatMap(\.names).map { seccomp_syscall_resolve_name_arch(architecture, $0) }
            let newest = UInt32(max(named.max() ?? 0, 0))
            for number in numbers {
                for value in asking.contains(number) ? Self.values : [0] {
                    // libseccomp takes x32's arguments for 32 bits wide, which they are not.
                    let value = number & 0x4000_0000 != 0 ? value & 0xffff_ffff : value
                    let arguments = [value, value == 1 ? 9 : 4, (value ^ 3) & 0xffff_ffff]
                    var own = ours.answer(number: number, architecture: architecture, arguments)
                    var oracle = theirs.answer(number: number, architecture: architecture, arguments)
                    // A call newer than the filter: libseccomp has the default action.
                    let plain = name == "x86_64" ? number & 0x3fff_ffff : number
                    if own == enosys, plain > newest { own = oracle }
                    // Another architecture: libseccomp kills the thread, we the process.
                    if own == 0x8000_0000 { own = 0 }
                    if oracle == 0x8000_0000 { oracle = 0 }
                    compared += 1
                    if own != oracle {
                        Issue.record(
                            "\(name) \(number)\(arguments): \(String(own ?? 1, radix: 16)) \(String(oracle ?? 1, radix: 16))",
                            sourceLocation: sourceLocation)
                        return
                    }
                }
            }
        }
        #expect(compared > 90)
    }

    @Test func defaultProfile() throws {
        try compare(SeccompDefaultProfile(capabilities: Self.usual).filter)
        try compare(SeccompDefaultProfile(capabilities: ["CAP_SYS_ADMIN", "CAP_BPF"]).filter)
    }

    @Test func architecturesOneByOne() throws {
        let rules: [SeccompFilter.Rule] = [
            .init(["read", "write", "exit_group", "clone"], .allow), .init(["socket"], .allow, [.init(0, .equal, 2)]),
            .init(["semget", "connect"], .allow), .init(["msgget"], .trap, [.init(0, .equal, 8)]),
        ]
        for architectures: [SeccompFilter.Architecture] in [
            [], [.x86_64], [.x86], [.x32], [.x86, .x32], [.aarch64], [.x86_64, .aarch64, .arm],
        ] {
            try compare(SeccompFilter(defaultAction: .errno(1), architectures: architectures, rules: rules))
        }
    }

    @Test(arguments: [SeccompFilter.Action.errno(1), .allow, .killProcess, .log])
    func comparisons(_ defaultAction: SeccompFilter.Action) throws {
        let all: [SeccompFilter.Argument.Comparison] = [
            .notEqual, .less, .lessOrEqual, .equal, .greaterOrEqual, .greater,
        ]
        for comparison in all {
            for value: UInt64 in [8, 0x1_0000_0002, .max] {
                try compare(
                    SeccompFilter(
                        defaultAction: defaultAction, architectures: [.x86_64],
                        rules: [
                            .init(["openat"], .errno(5), [.init(0, comparison, value)]),
                            .init(["mmap"], .errno(6), [.init(0, comparison, value), .init(2, .notEqual, 11)]),
                            .init(
                                ["ioctl"], .errno(7), [.init(0, .maskedEqual, value & 0xff00_00ff, mask: 0xff00_00ff)]),
                        ]), [0, 9, 16, 257])
            }
        }
    }

    @Test func rulesWithoutConditionsStandAbove() throws {
        for rules: [SeccompFilter.Rule] in [
            [.init(["read"], .errno(5), [.init(0, .equal, 1)]), .init(["read"], .allow)],
            [.init(["read"], .allow), .init(["read"], .errno(5), [.init(0, .equal, 1)])],
            [.init(["read"], .trap), .init(["read"], .allow)],
        ] {
            try compare(SeccompFilter(defaultAction: .errno(1), rules: rules))
        }
    }
}
