import LinuxSystem
import RuntimeSpec

extension SysctlStep {
    /// The parameters of the document, in order of their names.
    ///
    /// Only what belongs to a namespace of the container's own is allowed: everything else would change the host
    /// (CVE-2022-0811). The list is that of the kernel's documentation, Documentation/admin-guide/sysctl.
    ///
    /// - Parameter domainname: The document's own.
    static func steps(_ linux: Spec.Linux, domainname: String?) throws(SpecError) -> [SysctlStep] {
        try (linux.sysctl ?? [:]).sorted { $0.key < $1.key }.map { name, value throws(SpecError) in
            let field = "linux.sysctl.\(name)"
            // A name may be written with slashes, and then its dots are part of a name such as an interface's.
            let firstDot = name.firstIndex(of: ".") ?? name.endIndex
            let firstSlash = name.firstIndex(of: "/") ?? name.endIndex
            let path = firstSlash < firstDot ? name : name.exchangingDotsAndSlashes
            let parts = path.split(separator: "/", omittingEmptySubsequences: false)
            guard !parts.contains(where: { $0.isEmpty || $0 == "." || $0 == ".." }) else {
                throw SpecError(field, "is no name of a kernel parameter")
            }
            guard let kind = owner(of: path) else {
                throw SpecError(field, "does not belong to a namespace, so it would change the host")
            }
            guard let namespace = linux.namespace(kind) else {
                throw SpecError(field, "needs a namespace of type \(kind.rawValue) in linux.namespaces")
            }
            // Two who set one thing: crun's rule.
            if path == "kernel/domainname", let domainname, !domainname.isEmpty, domainname != value {
                throw SpecError(field, "'\(value)' contradicts domainname '\(domainname)'")
            }
            if let path = namespace.path, !path.isEmpty, isOwn(path, kind.kernel) {
                throw SpecError(field, "belongs to the host's \(kind.rawValue) namespace, which \(path) is")
            }
            return SysctlStep(name: name, path: path, value: value)
        }
    }

    /// Whether a path is another name of the namespace that this process is in.
    private static func isOwn(_ path: String, _ kind: NamespaceKind) -> Bool {
        guard let named = try? Namespace(path: path).identity else { return false }
        return named == (try? Namespace(path: "/proc/self/ns/\(kind.rawValue)").identity)
    }

    private static func owner(of path: String) -> Spec.Linux.Namespace.Kind? {
        if path.hasPrefix("net/") { return .network }
        if path.hasPrefix("fs/mqueue/") || path.hasPrefix("kernel/msg") || path.hasPrefix("kernel/shm") { return .ipc }
        if path == "kernel/sem" || path == "kernel/auto_msgmni" { return .ipc }
        if path == "kernel/domainname" { return .uts }
        return nil
    }
}

extension String {
    fileprivate var exchangingDotsAndSlashes: String {
        String(map { $0 == "." ? "/" : $0 == "/" ? "." : $0 })
    }
}
