import ContainerRuntime
import Foundation
import RuntimeSpec
import SystemPackage
import Testing

struct SeccompFilterTests {
    private func names(_ filter: SeccompFilter) -> Set<String> {
        Set(filter.rules.filter { $0.action == .allow && $0.arguments.isEmpty }.flatMap(\.names))
    }

    private func profile(
        _ capabilities: Set<String> = [], _ architecture: SeccompFilter.Architecture = .x86_64,
        _ kernel: SeccompDefaultProfile.KernelVersion = .init(6, 1)
    ) -> SeccompFilter {
        SeccompDefaultProfile(architecture: architecture, capabilities: capabilities, kernel: kernel).filter
    }

    @Test func profileDependsOnCapabilities() {
        #expect(names(profile()).isDisjoint(with: ["mount", "unshare", "clone3", "chroot", "syslog", "bpf", "keyctl"]))
        #expect(names(profile(["CAP_SYS_ADMIN"])).isSuperset(of: ["mount", "unshare", "clone3", "clone", "setns"]))
        #expect(names(profile(["CAP_SYS_CHROOT"])).contains("chroot"))
        #expect(names(profile(["CAP_SYSLOG"])).contains("syslog"))
        #expect(profile().rules.contains { $0.names == ["clone3"] && $0.action == .errno(38) })
        #expect(!profile(["CAP_SYS_ADMIN"]).rules.contains { $0.names == ["clone3"] && $0.action != .allow })
    }

    @Test func profileDependsOnArchitectureAndKernel() {
        #expect(profile().architectures == [.x86_64, .x86])
        #expect(profile([], .aarch64).architectures == [.aarch64, .arm])
        #expect(names(profile()).contains("arch_prctl") && !names(profile([], .aarch64)).contains("arch_prctl"))
        #expect(names(profile([], .aarch64)).contains("set_tls"))
        #expect(names(profile()).contains("ptrace"))
        #expect(!names(profile([], .x86_64, .init(4, 7))).contains("ptrace"))
        #expect(names(profile(["CAP_SYS_PTRACE"], .x86_64, .init(4, 7))).contains("ptrace"))
    }

    @Test func profileNamesEachCallOnce() {
        let all = profile().rules.filter { $0.arguments.isEmpty }.flatMap(\.names)
        #expect(all.count == Set(all).count)
        #expect(all.count > 350)
    }

    /// libseccomp's filter, and so runc's and crun's, begins with the machine's own architecture.
    @Test func machinesArchitectureIsAlwaysThere() throws {
        var specification = Spec.Linux.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        #expect(try SeccompFilter(specification).architectures == [])
        specification.architectures = ["SCMP_ARCH_X86", "SCMP_ARCH_ARM"]
        #expect(try SeccompFilter(specification).architectures == [.x86, .arm, .native])
        specification.architectures?.append("SCMP_ARCH_\(SeccompFilter.Architecture.native.rawValue.uppercased())")
        #expect(try SeccompFilter(specification).architectures == [.x86, .arm, .native])
    }

    @Test func nobodyWaitsWithoutListener() throws {
        var specification = Spec.Linux.Seccomp(defaultAction: "SCMP_ACT_ALLOW")
        specification.flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"]
        #expect(try SeccompFilter(specification).flags == [.log])
        specification.syscalls = [.init(names: ["mkdir"], action: "SCMP_ACT_NOTIFY")]
        #expect(try SeccompFilter(specification).flags == [.log, .waitKillable, .newListener])
    }

    @Test func readsSpecification() throws {
        var specification = Spec.Linux.Seccomp(defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38)
        specification.architectures = ["SCMP_ARCH_X86_64", "SCMP_ARCH_AARCH64"]
        specification.flags = [
            "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
        ]
        specification.syscalls = [
            .init(names: ["read", "write"], action: "SCMP_ACT_ALLOW"),
            .init(
                names: ["clone"], action: "SCMP_ACT_ALLOW",
                args: [.init(index: 0, value: 0x7e02_0000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")]),
            .init(
                names: ["personality"], action: "SCMP_ACT_ERRNO",
                args: [.init(index: 0, value: 8, op: "SCMP_CMP_NE")]),
        ]
        let filter = try SeccompFilter(specification)
        #expect(
            filter
                == SeccompFilter(
                    defaultAction: .errno(38), architectures: [.x86_64, .aarch64],
                    rules: [
                        .init(["read", "write"], .allow),
                        .init(["clone"], .allow, [.init(0, .maskedEqual, 0, mask: 0x7e02_0000)]),
                        .init(["personality"], .errno(1), [.init(0, .notEqual, 8)]),
                    ], flags: [.log, .allowSpeculation]))
    }

    @Test func refusesSpecificationsThatMeanNothing() {
        func refused(_ change: (inout Spec.Linux.Seccomp) -> Void, sourceLocation: SourceLocation = #_sourceLocation) {
            var specification = Spec.Linux.Seccomp(defaultAction: "SCMP_ACT_ERRNO")
            change(&specification)
            #expect(throws: SeccompError.self, sourceLocation: sourceLocation) {
                let filter = try SeccompFilter(specification, refusingUnknownNames: true)
                _ = try filter.compile()
            }
        }
        refused { $0.defaultAction = "ALLOW" }
        refused { $0.defaultAction = "SCMP_ACT_NOTIFY" }
        refused { $0.defaultErrnoRet = 70000 }
        refused { $0.architectures = ["X86"] }
        refused { $0.architectures = ["SCMP_ARCH_VAX"] }
        refused { $0.flags = ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] }
        refused { $0.syscalls = [.init(names: ["read"], action: "SCMP_ACT_NOTHING")] }
        refused { $0.syscalls = [.init(names: ["reed"], action: "SCMP_ACT_ALLOW")] }
        refused {
            $0.syscalls = [
                .init(names: ["read"], action: "SCMP_ACT_ALLOW", args: [.init(index: 6, value: 0, op: "SCMP_CMP_EQ")])
            ]
        }
        refused {
            $0.syscalls = [
                .init(names: ["read"], action: "SCMP_ACT_ALLOW", args: [.init(index: 0, value: 0, op: "==")])
            ]
        }
    }

    /// Profiles were written for runc's reading of them.
    @Test func conditionsOfOneArgumentAreAlternatives() throws {
        var specification = Spec.Linux.Seccomp(defaultAction: "SCMP_ACT_ERRNO")
        let arguments = [100, 9001].map { Spec.Linux.Seccomp.Argument(index: 0, value: $0, op: "SCMP_CMP_EQ") }
        specification.syscalls = [.init(names: ["read"], action: "SCMP_ACT_ALLOW", args: arguments)]
        #expect(try SeccompFilter(specification).rules.map(\.arguments.count) == [1, 1])
    }

    @Test func unknownNames() throws {
        // Left out, the filter is stricter than was asked for.
        _ = try SeccompFilter(defaultAction: .errno(1), rules: [.init(["reed", "read"], .allow)]).compile()
        // Left out, it lets through what was to be refused, which is said.
        var filter = SeccompFilter(defaultAction: .allow, rules: [.init(["reed", "read"], .errno(1))])
        _ = try filter.compile()
        #expect(filter.ineffectiveNames == ["reed"])
        filter.unknownNames = .refused
        let error = #expect(throws: SeccompError.self) { try filter.compile() }
        #expect(
            "\(try #require(error))"
                == "seccomp: add rule for reed: invalid argument (libseccomp does not know this system call)")
    }

    @Test(arguments: [SeccompFilter.Architecture.x86_64, .aarch64])
    func profileCompiles(for architecture: SeccompFilter.Architecture) throws {
        let program = try profile(["CAP_SYS_ADMIN"], architecture).compile()
        #expect(program.instructions.count.isMultiple(of: 8))
    }
}
