extension Spec {
    /// A container with what people expect one to have, docker's defaults: namespaces, mounts, capabilities, masked
    /// and read-only paths. It runs `sh` as root; change what you need.
    public static func standard(args: [String] = ["sh"]) -> Spec {
        var process = Process(
            args: args, env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"])
        process.user = User()
        process.capabilities = Capabilities(
            bounding: standardCapabilities, effective: standardCapabilities, permitted: standardCapabilities)
        process.noNewPrivileges = true
        let linux = Linux(
            namespaces: [
                Linux.Namespace(.pid), Linux.Namespace(.network), Linux.Namespace(.ipc), Linux.Namespace(.uts),
                Linux.Namespace(.mount), Linux.Namespace(.cgroup),
            ],
            resources: Linux.Resources(devices: [Linux.Resources.DeviceRule(allow: false, access: "rwm")]),
            maskedPaths: standardMaskedPaths, readonlyPaths: standardReadOnlyPaths)
        return Spec(mounts: standardMounts, process: process, linux: linux)
    }

    /// The capabilities of docker's containers.
    public static let standardCapabilities = [
        "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_MKNOD", "CAP_NET_RAW", "CAP_SETGID",
        "CAP_SETUID", "CAP_SETFCAP", "CAP_SETPCAP", "CAP_NET_BIND_SERVICE", "CAP_SYS_CHROOT", "CAP_KILL",
        "CAP_AUDIT_WRITE",
    ]

    public static let standardMounts = [
        Mount(destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"]),
        Mount(
            destination: "/dev", type: "tmpfs", source: "tmpfs",
            options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
        Mount(
            destination: "/dev/pts", type: "devpts", source: "devpts",
            options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
        Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"]),
        Mount(
            destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
            options: ["nosuid", "noexec", "nodev", "ro"]),
        Mount(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"]),
        Mount(
            destination: "/dev/shm", type: "tmpfs", source: "shm",
            options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ]

    public static let standardMaskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ]

    public static let standardReadOnlyPaths = [
        "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
    ]
}
