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

    /// Changes what only the superuser may do: the container's root is the given user, and the network stays the host's.
    ///
    /// Equivalent to `runc spec --rootless`.
    public mutating func makeRootless(uid: UInt32, gid: UInt32) {
        var linux = self.linux ?? Linux()
        linux.namespaces = (linux.namespaces ?? []).filter { $0.type != .network } + [Linux.Namespace(.user)]
        linux.uidMappings = [Linux.IDMapping(containerID: 0, hostID: uid, size: 1)]
        linux.gidMappings = [Linux.IDMapping(containerID: 0, hostID: gid, size: 1)]
        linux.resources = nil
        self.linux = linux
        mounts = (mounts ?? []).map { mount in
            var mount = mount
            // A new one shows a network namespace's interfaces, so that only its owner may mount it.
            if mount.type == "sysfs" {
                mount = Mount(
                    destination: mount.destination, type: "none", source: "/sys",
                    options: ["rbind", "nosuid", "noexec", "nodev", "ro"])
            }
            // There is only one group.
            mount.options = mount.options?.filter { !$0.hasPrefix("gid=") }
            return mount
        }
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
