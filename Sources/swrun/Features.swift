import ContainerRuntime
import LinuxSystem
import RuntimeSpec

/// What this runtime can do, as the OCI runtime specification's features.md has it.
struct Features: Encodable {
    var ociVersionMin = "1.0.0"
    var ociVersionMax = Spec.supportedVersion
    var hooks = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
    var mountOptions = MountOptionNames.all
    var linux = Linux()
    /// What there is besides the specification.
    var annotations = [
        "\(Spec.Landlock.annotation).version": "\(Spec.Landlock.newestVersion)",
        "io.github.seccomp.libseccomp.version": SeccompNames.libraryVersion,
    ]
    var potentiallyUnsafeConfigAnnotations = [
        Spec.Landlock.annotation, "org.systemd.property.", "run.oci.hooks.stderr", "run.oci.hooks.stdout",
        "run.oci.keep_original_groups", "run.oci.seccomp_fail_unknown_syscall",
    ]

    struct Linux: Encodable {
        var namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
        var capabilities = CapabilitySet.names
        var cgroup = Cgroup()
        var seccomp = Seccomp()
        var apparmor = Switch(enabled: true)
        var selinux = Switch(enabled: true)
        var intelRdt = IntelRDT()
        var mountExtensions = MountExtensions()
        var netDevices = Switch(enabled: true)
        var memoryPolicy = MemoryPolicy()
    }

    struct Cgroup: Encodable {
        var v1 = true
        var v2 = true
        var systemd = true
        var systemdUser = true
        var rdma = true
    }

    struct Seccomp: Encodable {
        var enabled = true
        var actions = Spec.Linux.Seccomp.actions
        var operators = Spec.Linux.Seccomp.operators
        var archs = SeccompNames.architectures
        var knownFlags = Spec.Linux.Seccomp.flagNames
        var supportedFlags = Spec.Linux.Seccomp.flagNames
    }

    struct IntelRDT: Encodable {
        var enabled = true
        var schemata = true
        var monitoring = true
    }

    struct MountExtensions: Encodable {
        var idmap = Switch(enabled: true)
    }

    struct MemoryPolicy: Encodable {
        var modes = MemoryPolicyNames.modes
        var flags = MemoryPolicyNames.flags
    }

    struct Switch: Encodable {
        var enabled: Bool
    }

    static let ofThisRuntime = Features()
}
