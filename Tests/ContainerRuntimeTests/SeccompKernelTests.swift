import CLinux
import ContainerRuntime
import Foundation
import Testing

#if arch(x86_64)
private let machine = SeccompFilter.Architecture.x86_64
#else
private let machine = SeccompFilter.Architecture.aarch64
#endif

/// docker's default capabilities.
private let usual: Set<String> = [
    "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID", "CAP_SETUID",
    "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL", "CAP_AUDIT_WRITE",
]

private func profile(_ capabilities: Set<String> = usual) -> SeccompFilter {
    SeccompDefaultProfile(architecture: machine, capabilities: capabilities, kernel: .init(6, 1)).filter
}

@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "needs /usr/bin/python3"))
struct SeccompKernelTests {
    @Test func defaultProfileRefuses() throws {
        let refused = try SeccompChild.results(
            of: [
                "call(\(SYS_unshare), 0)", "call(\(SYS_mount), 0, 0, 0, 0, 0)", "call(\(SYS_keyctl), 0, 0)",
                "call(\(SYS_add_key), 0, 0, 0, 0, 0)", "call(\(SYS_bpf), 0, 0, 0)", "call(\(SYS_reboot), 0, 0, 0)",
                "call(\(SYS_userfaultfd), 0)", "call(\(SYS_io_uring_setup), 1, 0)", "call(\(SYS_setns), -1, 0)",
                "call(\(SYS_open_by_handle_at), -1, 0, 0)", "call(\(SYS_swapoff), 0)",
                "call(\(SYS_init_module), 0, 0, 0)",
                "call(\(SYS_clock_settime), 0, 0)", "call(\(SYS_perf_event_open), 0, 0, 0, 0, 0)",
                "call(\(SYS_personality), 0x40000)", "call(\(SYS_socket), \(AF_ALG), 5, 0)",
                "call(\(SYS_socket), \(AF_VSOCK), 1, 0)", "call(\(SYS_socket), \(PF_DECnet), 1, 0)",
                "call(\(SYS_clone), 0x10000011, 0, 0, 0, 0)", "call(\(SYS_clone), 0x00020011, 0, 0, 0, 0)",
            ], under: try profile().compile())
        #expect(refused == Array(repeating: EPERM, count: refused.count))
    }

    @Test func defaultProfileAnswersAsAnOlderKernel() throws {
        let unknown = try SeccompChild.results(
            of: ["call(\(SYS_clone3), 0, 0)", "call(999)", "call(9999)", "call(0x3fffffff)"],
            under: try profile().compile())
        #expect(unknown == Array(repeating: ENOSYS, count: unknown.count))
    }

    @Test func defaultProfileAllows() throws {
        let results = try SeccompChild.results(
            of: [
                "call(\(SYS_getpid))", "call(\(SYS_personality), 0xffffffff)", "call(\(SYS_personality), 0)",
                "call(\(SYS_socket), \(AF_INET), 1, 0)", "call(\(SYS_socket), \(AF_UNIX), 1, 0)",
                "call(\(SYS_socket), \(AF_NETLINK), 3, 0)", "call(\(SYS_ptrace), 0, 0, 0, 0)",
                "__import__('subprocess').call(['true'])",
                "__import__('concurrent.futures').futures.ThreadPoolExecutor(1).submit(lambda: 0).result()",
                "call(\(SYS_openat2), -1, 0, 0, 0)",
            ], under: try profile().compile())
        // The last reaches the kernel, which has its own opinion.
        #expect(results == Array(repeating: 0, count: results.count - 1) + [EINVAL])
    }

    @Test func capabilitiesOpenTheirCalls() throws {
        let calls = [
            "call(\(SYS_unshare), 0)", "call(\(SYS_clone3), 0, 0)", "call(\(SYS_clock_settime), 77, 0)",
            "call(\(SYS_reboot), 0, 0, 0)",
        ]
        let filter = profile(usual.union(["CAP_SYS_ADMIN", "CAP_SYS_TIME"]))
        #expect(try SeccompChild.results(of: calls, under: try filter.compile()) == [0, EINVAL, EINVAL, EPERM])
    }

    #if arch(x86_64)
    /// The 32-bit table and the x32 one are other ways to the same calls.
    @Test func otherTablesAreNoWayAround() throws {
        let program = try profile().compile()
        let results = try SeccompChild.results(
            of: ["call32(310)", "call32(21)", "int(call32(20) > 0)", "call32(435)", "call32(9999)"],
            under: program)
        // unshare, mount, getpid, clone3, a call that there is not.
        #expect(results == [-EPERM, -EPERM, 1, -ENOSYS, -ENOSYS])
        let x32 = try SeccompChild.run(
            "__import__('ctypes').CDLL(None).syscall(0x40000000 + \(SYS_unshare), 0)", under: program)
        #expect(x32.status == 128 + SIGSYS)
    }

    @Test func callsOfAnArchitectureThatIsNotNamedKill() throws {
        let filter = SeccompFilter(defaultAction: .allow, architectures: [.x86_64])
        let (status, _) = try SeccompChild.run(
            """
            import ctypes, mmap
            page = mmap.mmap(-1, 4096, prot=7)
            page.write(b'\\xb8\\x14\\0\\0\\0\\xcd\\x80\\xc3')
            ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
            """, under: try filter.compile())
        #expect(status == 128 + SIGSYS)
    }
    #endif

    @Test func actionsOfAUsersProfile() throws {
        let filter = SeccompFilter(
            defaultAction: .allow,
            rules: [
                .init(["uname"], .errno(77)),
                .init(["getpriority"], .errno(78), [.init(0, .greater, 5), .init(1, .lessOrEqual, 3)]),
                .init(["sethostname"], .killProcess),
            ])
        let program = try filter.compile()
        // Without a default that denies, calls newer than the filter are the kernel's affair (here: there is none).
        let results = try SeccompChild.results(
            of: [
                "call(\(SYS_uname), 0)", "call(\(SYS_getpriority), 6, 3)", "call(\(SYS_getpriority), 6, 4)",
                "call(\(SYS_getpriority), 0, 0)", "call(9999)",
            ], under: program)
        #expect(results == [77, 78, EINVAL, 0, ENOSYS])
        let killed = try SeccompChild.run("__import__('socket').sethostname('x')", under: program)
        #expect(killed.status == 128 + SIGSYS)
    }
}
