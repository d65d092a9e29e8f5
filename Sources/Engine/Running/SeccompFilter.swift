import ContainerRuntime

extension Engine {
    /// The compiled system call filter of a container: docker's default profile, which depends on its capabilities;
    /// none when it is privileged.
    func seccompFilter(_ record: ContainerRecord) throws -> SeccompProgram? {
        if record.isPrivileged { return nil }
        let profile = SeccompDefaultProfile(capabilities: Set(record.capabilities))
        return try SeccompCache(directory: "\(roots.run)/seccomp").program(for: profile.filter)
    }
}
