/// Linux capabilities by name, and the set that a container gets.
public enum CapabilityName {
    /// Every capability of capabilities(7), in the kernel's order of linux/capability.h.
    public static let all = """
        CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE \
        NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT \
        SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP \
        MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE
        """.split(separator: " ").map { "CAP_\($0)" }

    /// docker's default.
    public static let standard = """
        CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL \
        AUDIT_WRITE
        """.split(separator: " ").map { "CAP_\($0)" }

    /// The capabilities of a container: the default, without those dropped, with those added; `ALL` is every one.
    ///
    /// docker's order: with `--cap-add ALL` everything except what is dropped; with `--cap-drop ALL` what is added.
    /// - Throws: `EngineError` for a name the kernel has no capability of.
    public static func resolve(add: [String], drop: [String]) throws(EngineError) -> [String] {
        var added: [String] = []
        var dropped: [String] = []
        for name in add { added.append(try canonical(name, flag: "--cap-add")) }
        for name in drop { dropped.append(try canonical(name, flag: "--cap-drop")) }
        if added.contains("ALL") { return all.filter { !dropped.contains($0) } }
        let base = dropped.contains("ALL") ? [] : standard.filter { !dropped.contains($0) }
        return all.filter { base.contains($0) || added.contains($0) }
    }

    private static func canonical(_ name: String, flag: String) throws(EngineError) -> String {
        let upper = name.uppercased()
        if upper == "ALL" { return upper }
        let full = upper.hasPrefix("CAP_") ? upper : "CAP_\(upper)"
        guard all.contains(full) else { throw EngineError(.invalid, "unknown capability '\(name)' for \(flag)") }
        return full
    }
}
