import CLinux
import ContainerRuntime
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// Describes a container to the runtime: the OCI document of a record, with docker's defaults for what it leaves open.
struct ContainerSpec {
    let record: ContainerRecord
    let identity: ContainerUser
    /// The directory of the container's files.
    let directory: String
    /// The directory with `hosts` and `resolv.conf`: another container's when its network is shared.
    let hostFiles: String
    let network: NetworkNamespace
    /// Of the caller's terminal.
    var consoleSize: Spec.ConsoleSize?
    /// The caller's hard limit of open files, which only a capability could raise.
    var openFiles: UInt64 = 1_048_576

    enum NetworkNamespace: Hashable {
        case own
        case host
        /// The file of another container's namespace.
        case path(String)
    }

    /// The whole document. Seccomp, root and cgroup go to the launcher in their own form.
    ///
    /// - Throws: `SystemError` when the host's devices cannot be listed for a privileged one.
    func spec() throws(SystemError) -> Spec {
        var process = process(record.arguments, environment: record.environment)
        process.cwd = record.workingDirectory
        process.terminal = record.hasTerminal
        process.consoleSize = consoleSize
        var spec = Spec(
            root: Spec.Root(path: "/", readonly: record.hasReadOnlyRoot), mounts: mounts(), process: process,
            hostname: record.hostname)
        let devices = record.isPrivileged ? try HostDevices.list(except: record.mounts.map(\.destination)) : nil
        spec.linux = Spec.Linux(
            namespaces: namespaces(), devices: devices, cgroupsPath: Self.cgroupPath(of: record.id),
            maskedPaths: record.isPrivileged ? [] : Self.maskedPaths(processors: Self.processorCount()),
            readonlyPaths: record.isPrivileged ? [] : Self.readOnlyPaths)
        return spec
    }

    /// A process of the container: its first, or one that `exec` adds.
    func process(_ arguments: [String], environment: [String]) -> Spec.Process {
        var variables = EnvironmentList(environment)
        variables.setDefault("HOME=\(identity.home)")
        var process = Spec.Process(args: arguments, env: variables.variables)
        process.user = Spec.User(uid: identity.uid, gid: identity.gid, additionalGids: identity.additionalGroups)
        // Root has its capabilities; another user has to find them on a file (capabilities(7)), so only the bounding
        // set is his. Nothing is inheritable (CVE-2022-24769).
        let own = identity.uid == 0 ? record.capabilities : []
        process.capabilities = Spec.Capabilities(bounding: record.capabilities, effective: own, permitted: own)
        process.rlimits = [Spec.Rlimit(type: "RLIMIT_NOFILE", soft: openFiles, hard: openFiles)]
        process.noNewPrivileges = false
        return process
    }

    static func cgroupPath(of id: String) -> String { "swbox/\(id)" }

    private func namespaces() -> [Spec.Linux.Namespace] {
        var namespaces: [Spec.Linux.Namespace] = [.init(.pid), .init(.mount), .init(.ipc), .init(.uts), .init(.cgroup)]
        switch network {
        case .own: namespaces.append(.init(.network))
        case .host: break
        case .path(let path): namespaces.append(.init(.network, path: path))
        }
        return namespaces
    }

    private func mounts() -> [Spec.Mount] {
        let shield = ["nosuid", "noexec", "nodev"]
        let access = record.isPrivileged ? "rw" : "ro"
        var mounts = [
            Spec.Mount(destination: "/proc", type: "proc", source: "proc", options: shield),
            Spec.Mount(
                destination: "/dev", type: "tmpfs", source: "tmpfs",
                options: ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            Spec.Mount(
                destination: "/dev/pts", type: "devpts", source: "devpts",
                options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
            Spec.Mount(destination: "/sys", type: "sysfs", source: "sysfs", options: shield + [access]),
            Spec.Mount(destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: shield + [access]),
            Spec.Mount(destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: shield),
            Spec.Mount(
                destination: "/dev/shm", type: "tmpfs", source: "shm", options: shield + ["mode=1777", "size=65536k"]),
        ]
        // A volume may be mounted on a directory of another, so the shorter path comes first.
        for mount in record.mounts.sorted(by: { $0.destination < $1.destination }) {
            mounts.append(bind(mount.source, mount.destination, isReadOnly: mount.isReadOnly))
        }
        let taken = Set(record.mounts.map(\.destination))
        for name in ["hosts", "hostname", "resolv.conf"] where !taken.contains("/etc/\(name)") {
            let place = name == "hostname" ? directory : hostFiles
            mounts.append(bind("\(place)/\(name)", "/etc/\(name)", isReadOnly: false))
        }
        return mounts
    }

    private func bind(_ source: String, _ destination: String, isReadOnly: Bool) -> Spec.Mount {
        Spec.Mount(
            destination: destination, type: "bind", source: source,
            options: ["rbind", "rprivate"] + (isReadOnly ? ["ro", "rro"] : []))
    }

    static func maskedPaths(processors: Int) -> [String] {
        [
            "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
            "/proc/sched_debug", "/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware",
            "/sys/devices/virtual/powercap",
        ] + (0..<processors).map { "/sys/devices/system/cpu/cpu\($0)/thermal_throttle" }
    }

    static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]

    /// The processors of the machine, which are what `/sys` shows in a container too.
    static func processorCount() -> Int { max(1, sysconf(Int32(_SC_NPROCESSORS_CONF))) }
}
