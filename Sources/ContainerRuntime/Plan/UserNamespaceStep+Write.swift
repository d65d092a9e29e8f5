import CLinux
import LinuxSystem
import SystemPackage

extension UserNamespaceStep {
    /// Tells the kernel who the identifiers are: user_namespaces(7).
    ///
    /// The superuser may map any, and whoever else only its own; for more it needs the set-uid programs newuidmap and
    /// newgidmap, which know what /etc/subuid and /etc/subgid give to whom.
    /// - Parameter field: Where the document has the maps.
    func write(process: Int32, field: String = "linux") throws(SystemError) {
        for (name, text) in [("uid_map", uidMap), ("gid_map", gidMap)] {
            do throws(SystemError) {
                // Or whoever is kept out of something by being in a group could leave it.
                if isOrdinary, name == "gid_map", Self.isOne(getegid(), text) {
                    try Descriptor.open("/proc/\(process)/setgroups", O_WRONLY).write(text: "deny")
                }
                try Descriptor.open("/proc/\(process)/\(name)", O_WRONLY).write(text: text)
            } catch {
                let operation = "set \(name) (\(field).\(name.prefix(3))Mappings) to"
                let lines = text.split(separator: "\n")
                let value = lines.count > 64 ? "\(lines.count) ranges" : lines.joined(separator: ", ")
                let own = name == "uid_map" ? geteuid() : getegid()
                guard isOrdinary, error.errno == .notPermitted, !Self.isOne(own, text) else {
                    throw SystemError(operation, value, errno: error.errno)
                }
                try Self.ask("new\(name.filter { $0 != "_" })", process, name, text, operation, value)
            }
        }
    }

    /// Whether a map is of one identifier, which is `own` outside.
    private static func isOne(_ own: UInt32, _ text: String) -> Bool {
        let words = text.split { $0 == " " || $0 == "\n" }
        return words.count == 3 && words[1] == "\(own)" && words[2] == "1"
    }

    private static func ask(
        _ program: String, _ process: Int32, _ name: String, _ text: String, _ operation: String, _ value: String
    ) throws(SystemError) {
        // Not by the caller's PATH: what it finds there has no more rights than the caller, but a better name.
        guard let path = HelperProgram.find(program) else {
            throw SystemError(
                operation, value, errno: .notPermitted,
                hint: "more than one's own is mapped by \(program), which is not installed (Debian's package uidmap)")
        }
        let words = text.split { $0 == " " || $0 == "\n" }.map(String.init)
        let (status, errors) = try HelperProgram.runCollectingErrors(path, [program, "\(process)"] + words)
        // Where our own caller ignores SIGCHLD there is no status to be had.
        let isSet = (try? Descriptor.open("/proc/\(process)/\(name)").readAll(limit: 1 << 16))?.isEmpty == false
        guard status == 0, isSet else {
            let reason = errors.split(separator: "\n").joined(separator: "; ")
            throw SystemError(
                operation, value, errno: .notPermitted,
                hint: reason.isEmpty ? "\(program) ended with status \(status)" : reason)
        }
    }
}
