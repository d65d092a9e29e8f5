import CSeccomp
import RuntimeSpec

/// What the libseccomp that is linked knows.
public enum SeccompNames {
    /// The specification's architectures that it has tables for.
    public static let architectures = Spec.Linux.Seccomp.architectureNames.filter { name in
        SeccompFilter.Architecture(specification: name).map { unsafe seccomp_arch_resolve_name($0.rawValue) != 0 }
            ?? false
    }

    public static let libraryVersion: String = {
        guard let version = unsafe seccomp_version()?.pointee else { return "unknown" }
        return "\(version.major).\(version.minor).\(version.micro)"
    }()
}
