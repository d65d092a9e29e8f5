import CLinux
import LinuxSystem
import RuntimeSpec

extension ChildProcess {
    /// Makes the rules, with the right to open what they are about and inside the container's root, which is this process's
    /// by now: wherever links of the image lead, that is in it. Those of /proc lead anywhere and are not followed.
    ///
    /// - Returns: The rules' descriptor, or -1 for a plan without any.
    func makeLandlockRules() throws(InitFailure) -> Int32 {
        guard let step = plan.security.landlock else { return -1 }
        let ruleset = swn_landlock_create(step.files, step.ports, step.scopes)
        guard ruleset >= 0 else { throw InitFailure(.landlock, -1) }
        for (index, rule) in step.pathRules.enumerated() {
            let flags = UInt64(O_PATH | O_CLOEXEC)
            let number = unsafe swn_openat2(AT_FDCWD, rule.path, flags, 0, UInt64(RESOLVE_NO_MAGICLINKS))
            guard number >= 0 else { throw InitFailure(.landlock, Int32(index)) }
            let place = Descriptor(owning: number)
            var status = stat()
            guard unsafe fstat(number, &status) == 0 else { throw InitFailure(.landlock, Int32(index)) }
            // The kernel takes no rule about a file that only directories can obey.
            let allowed =
                FileKind(mode: status.st_mode) == .directory ? rule.allowed : rule.allowed & LandlockStep.ofFiles
            guard allowed == 0 || swn_landlock_allow_path(ruleset, place.rawValue, allowed) == 0 else {
                throw InitFailure(.landlock, Int32(index))
            }
        }
        for rule in step.portRules {
            guard swn_landlock_allow_port(ruleset, rule.port, rule.allowed) == 0 else {
                throw InitFailure(.landlock, -1)
            }
        }
        return ruleset
    }

    /// For good. Needs no_new_privs or CAP_SYS_ADMIN, like a filter of system calls, which may forbid the call.
    func obey(_ ruleset: Int32) throws(InitFailure) {
        guard ruleset < 0 || swn_landlock_restrict(ruleset) == 0 else { throw InitFailure(.landlock, -1) }
    }
}
