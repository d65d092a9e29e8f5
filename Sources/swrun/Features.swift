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
    var annotations = ["\(Spec.Landlock.annotation).version": "\(Spec.Landlock.newestVersion)"]
    var potentiallyUnsafeConfigAnnotations = [Spec.Landlock.annotation, "run.oci.keep_original_groups"]

    struct Linux: Encodable {
        var namespaces = ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]
        var capabilities = CapabilitySet.names
        var cgroup = Cgroup()
        var seccomp = Seccomp()
        var apparmor = Switch(enabled: true)
        /// Processes get labels; files of mounts do not.
        var selinux = Switch(enabled: false)
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
        var actions = [
            "SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD",
            "SCMP_ACT_LOG", "SCMP_ACT_NOTIFY", "SCMP_ACT_TRACE", "SCMP_ACT_TRAP",
        ]
        var operators = [
            "SCMP_CMP_EQ", "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_LE", "SCMP_CMP_LT", "SCMP_CMP_MASKED_EQ",
            "SCMP_CMP_NE",
        ]
        var knownFlags = Self.flags
        var supportedFlags = Self.flags

        private static let flags = [
            "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ]
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
