import CLinux
import CPcap
import LinuxSystem

/// What reads bytes of strangers has no rights of its own.
enum Privileges {
    /// The user and group that own nothing, by their traditional number.
    private static let nobody: UInt32 = 65534

    /// Becomes nobody, without groups and capabilities, for ever. Descriptors that are open stay usable.
    static func giveUp() throws(SystemError) {
        guard swn_setgroups(0, nil) == 0, swn_setresgid(nobody, nobody, nobody) == 0,
            swn_setresuid(nobody, nobody, nobody) == 0
        else { throw SystemError("give up privileges", errno: .last) }
        try CapabilitySet.apply(effective: [], permitted: [], inheritable: [])
        guard swn_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 else {
            throw SystemError("give up privileges", errno: .last)
        }
    }
}
