import CLinux

/// The data of the default profile.
extension SeccompCallGroup {
    static let all = always + conditional + sockets + personalities

    /// What every container may do.
    private static let always = [
        // Descriptors: opening, reading, writing, waiting.
        SeccompCallGroup([
            "cachestat", "close", "close_range", "copy_file_range", "creat", "dup", "dup2", "dup3",
            "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2",
            "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "fadvise64", "fadvise64_64", "fallocate",
            "fanotify_mark", "fcntl", "fcntl64", "fdatasync", "flock", "fsync", "ftruncate", "ftruncate64",
            "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel",
            "io_destroy", "io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit",
            "ioctl", "_llseek", "lseek", "_newselect", "open", "openat", "openat2", "pipe", "pipe2", "poll",
            "ppoll", "ppoll_time64", "pread64", "preadv", "preadv2", "pselect6", "pselect6_time64",
            "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readv", "select", "sendfile",
            "sendfile64", "signalfd", "signalfd4", "splice", "sync", "sync_file_range", "syncfs", "tee",
            "truncate", "truncate64", "vmsplice", "write", "writev",
        ]),
        // Names, metadata and directories.
        SeccompCallGroup([
            "access", "chdir", "chmod", "chown", "chown32", "faccessat", "faccessat2", "fchdir", "fchmod",
            "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fgetxattr", "flistxattr",
            "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64",
            "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "getxattrat", "lchown", "lchown32",
            "lgetxattr", "link", "linkat", "listmount", "listxattr", "listxattrat", "llistxattr",
            "lremovexattr", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
            "name_to_handle_at", "newfstatat", "readlink", "readlinkat", "removexattr", "removexattrat",
            "rename", "renameat", "renameat2", "rmdir", "setxattr", "setxattrat", "stat", "stat64",
            "statfs", "statfs64", "statmount", "statx", "symlink", "symlinkat", "umask", "unlink",
            "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes",
        ]),
        // Memory.
        SeccompCallGroup([
            "brk", "madvise", "map_shadow_stack", "membarrier", "memfd_create", "memfd_secret", "mincore",
            "mlock", "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "mseal", "msync",
            "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free", "pkey_mprotect",
            "process_mrelease", "remap_file_pages",
        ]),
        // Processes, threads and scheduling. `clone` and `socket` are below.
        SeccompCallGroup([
            "execve", "execveat", "exit", "exit_group", "fork", "futex", "futex_requeue", "futex_time64",
            "futex_wait", "futex_waitv", "futex_wake", "get_robust_list", "get_thread_area", "getcpu",
            "getpriority", "ioprio_get", "ioprio_set", "pidfd_open", "pidfd_send_signal", "prctl",
            "restart_syscall", "rseq", "sched_get_priority_max", "sched_get_priority_min",
            "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
            "sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr",
            "sched_setparam", "sched_setscheduler", "sched_yield", "set_robust_list", "set_thread_area",
            "set_tid_address", "setpriority", "uretprobe", "vfork", "wait4", "waitid", "waitpid",
        ]),
        // Identity, limits and restrictions that a process puts on itself.
        SeccompCallGroup([
            "capget", "capset", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32",
            "getgroups", "getgroups32", "getpgid", "getpgrp", "getpid", "getppid", "getresgid",
            "getresgid32", "getresuid", "getresuid32", "getrlimit", "getrusage", "getsid", "gettid",
            "getuid", "getuid32", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self",
            "prlimit64", "seccomp", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid",
            "setgid32", "setgroups", "setgroups32", "setpgid", "setregid", "setregid32", "setresgid",
            "setresgid32", "setresuid", "setresuid32", "setreuid", "setreuid32", "setrlimit", "setsid",
            "setuid", "setuid32", "ugetrlimit",
        ]),
        // Signals.
        SeccompCallGroup([
            "kill", "pause", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
            "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
            "rt_tgsigqueueinfo", "sigaltstack", "sigprocmask", "sigreturn", "tgkill", "tkill",
        ]),
        // Time. Reading clocks and adjusting by a capability that the kernel checks itself.
        SeccompCallGroup([
            "adjtimex", "alarm", "clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64",
            "clock_gettime", "clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "getitimer",
            "gettimeofday", "nanosleep", "setitimer", "time", "timer_create", "timer_delete",
            "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64",
            "timerfd_create", "timerfd_gettime", "timerfd_gettime64", "timerfd_settime",
            "timerfd_settime64", "times",
        ]),
        // Sockets.
        SeccompCallGroup([
            "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
            "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "send", "sendmmsg", "sendmsg",
            "sendto", "setsockopt", "shutdown", "socketcall", "socketpair",
        ]),
        // System V and POSIX messages, semaphores and shared memory.
        SeccompCallGroup([
            "ipc", "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
            "mq_timedsend", "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd",
            "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "shmat", "shmctl", "shmdt",
            "shmget",
        ]),
        // The system.
        SeccompCallGroup([
            "getrandom", "sysinfo", "uname",
        ]),
    ]

    /// What depends on the container's capabilities, on the architecture or on the kernel.
    private static let conditional = [
        // Before Linux 4.8 a traced process could leave its filter.
        SeccompCallGroup(["process_vm_readv", "process_vm_writev", "ptrace"], since: .init(4, 8)),
        SeccompCallGroup(
            ["kcmp", "pidfd_getfd", "process_madvise", "process_vm_readv", "process_vm_writev", "ptrace"],
            with: "CAP_SYS_PTRACE"),
        SeccompCallGroup(["arch_prctl", "modify_ldt"], on: [.x86_64, .x32]),
        SeccompCallGroup(["modify_ldt"], on: [.x86]),
        SeccompCallGroup(
            ["arm_fadvise64_64", "arm_sync_file_range", "breakpoint", "cacheflush", "set_tls", "sync_file_range2"],
            on: [.aarch64, .arm]),
        SeccompCallGroup(
            [
                "bpf", "clone", "clone3", "fanotify_init", "fsconfig", "fsmount", "fsopen", "fspick", "lookup_dcookie",
                "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr", "mount", "mount_setattr", "move_mount",
                "open_tree", "perf_event_open", "quotactl", "quotactl_fd", "setdomainname", "sethostname", "setns",
                "syslog", "umount", "umount2", "unshare",
            ], with: "CAP_SYS_ADMIN"),
        // No new namespaces. clone3 has its flags behind a pointer, where a filter cannot look: libc falls back to clone.
        SeccompCallGroup(
            ["clone"], .allow, [.init(0, .maskedEqual, 0, mask: namespaceFlags)], without: "CAP_SYS_ADMIN"),
        SeccompCallGroup(["clone3"], .errno(UInt16(ENOSYS)), without: "CAP_SYS_ADMIN"),
        SeccompCallGroup(["open_by_handle_at"], with: "CAP_DAC_READ_SEARCH"),
        SeccompCallGroup(["reboot"], with: "CAP_SYS_BOOT"),
        SeccompCallGroup(["chroot"], with: "CAP_SYS_CHROOT"),
        SeccompCallGroup(["delete_module", "finit_module", "init_module"], with: "CAP_SYS_MODULE"),
        SeccompCallGroup(["acct"], with: "CAP_SYS_PACCT"),
        SeccompCallGroup(["ioperm", "iopl"], with: "CAP_SYS_RAWIO"),
        SeccompCallGroup(["clock_settime", "clock_settime64", "settimeofday", "stime"], with: "CAP_SYS_TIME"),
        SeccompCallGroup(["vhangup"], with: "CAP_SYS_TTY_CONFIG"),
        SeccompCallGroup(
            ["get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node"], with: "CAP_SYS_NICE"),
        SeccompCallGroup(["syslog"], with: "CAP_SYSLOG"),
        SeccompCallGroup(["bpf"], with: "CAP_BPF"),
        SeccompCallGroup(["perf_event_open"], with: "CAP_PERFMON"),
    ]

    /// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET.
    private static let namespaceFlags: UInt64 = 0x7e02_0000

    /// The socket domains that are not refused. Left out are families without a living implementation, AF_ALG (the
    /// kernel's own cryptography, CVE-2026-31431) and AF_VSOCK (it is not in a namespace and reaches the hypervisor).
    private static let sockets =
        [SeccompCallGroup(["socket"], .allow, [.init(0, .less, UInt64(PF_DECnet))])]
        + [
            PF_NETBEUI, PF_SECURITY, PF_KEY, PF_NETLINK, PF_PACKET, PF_ASH, PF_RDS, PF_SNA, PF_PPPOX, PF_LLC, PF_IB,
            PF_MPLS, PF_CAN, PF_TIPC, PF_BLUETOOTH, PF_IUCV, PF_RXRPC, PF_PHONET, PF_IEEE802154, PF_NFC, PF_KCM,
            PF_QIPCRTR, PF_SMC, PF_XDP, PF_MCTP,
        ].map { SeccompCallGroup(["socket"], .allow, [.init(0, .equal, UInt64($0))]) }

    /// Linux as it is, PER_LINUX32, both with UNAME26, and asking which it is.
    private static let personalities = [0x0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff as UInt64].map {
        SeccompCallGroup(["personality"], .allow, [.init(0, .equal, $0)])
    }
}
