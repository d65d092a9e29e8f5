extension Spec {
    /// Checks what the types alone cannot: that the document asks for something that can be meant.
    ///
    /// Whether this runtime and this kernel can do it is not asked here.
    /// - Throws: `SpecError` for the first field that is wrong, in the order of the document.
    public func validate() throws(SpecError) {
        guard ociVersion.utf8.starts(with: "1.".utf8) else {
            throw SpecError("ociVersion", "version '\(ociVersion)' is not supported, only 1.x")
        }
        // semver.org, 2.0.0: three numbers, and perhaps what comes before a release.
        let numbers = ociVersion.prefix { $0 != "-" && $0 != "+" }
            .split(separator: ".", omittingEmptySubsequences: false)
        guard numbers.count == 3, numbers.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isASCIIDigit) }) else {
            throw SpecError("ociVersion", "'\(ociVersion)' is not a version of the form 1.0.2")
        }
        if let root {
            if root.path.isEmpty { throw SpecError("root.path", "is empty") }
            try Self.checkText("root.path", root.path)
        }
        for (index, mount) in (mounts ?? []).enumerated() { try mount.validate("mounts[\(index)]") }
        try process?.validate()
        try checkHostName("hostname", hostname)
        try checkHostName("domainname", domainname)
        try linux?.validate()
    }

    private func checkHostName(_ field: String, _ name: String?) throws(SpecError) {
        guard let name else { return }
        // __NEW_UTS_LEN of linux/utsname.h.
        guard name.utf8.count <= 64 else { throw SpecError(field, "'\(name)' is longer than 64 bytes") }
        try Self.checkText(field, name)
        if linux?.namespace(.uts) == nil, !name.isEmpty {
            throw SpecError(field, "needs a namespace of type uts in linux.namespaces")
        }
    }

    /// A string that goes to the kernel ends at its first NUL byte, so one inside would say something else.
    static func checkText(_ field: String, _ text: String) throws(SpecError) {
        guard !text.utf8.contains(0) else { throw SpecError(field, "contains a NUL byte") }
    }

    /// Refuses a path that is not absolute, or that the kernel would read up to a NUL byte.
    public static func checkAbsolute(_ field: String, _ path: String) throws(SpecError) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw SpecError(field, "'\(path)' is not an absolute path")
        }
        try checkText(field, path)
    }
}

extension Spec.Linux {
    /// The entry for a kind of namespace; nil when the container shares the runtime's.
    public func namespace(_ kind: Namespace.Kind) -> Namespace? {
        namespaces?.first { $0.type == kind }
    }
}

extension Spec.Mount {
    fileprivate func validate(_ field: String) throws(SpecError) {
        guard !destination.isEmpty else { throw SpecError("\(field).destination", "is empty") }
        // A relative one begins at the root (config.md, "Mounts").
        try Spec.checkText("\(field).destination", destination)
        try Spec.checkText("\(field).source", source ?? "")
        try Spec.checkText("\(field).type", type ?? "")
        for (index, option) in (options ?? []).enumerated() {
            try Spec.checkText("\(field).options[\(index)]", option)
        }
        let isBind = type == "bind" || (options ?? []).contains { $0 == "bind" || $0 == "rbind" }
        if isBind && (source ?? "").isEmpty { throw SpecError("\(field).source", "missing for a bind mount") }
        if !isBind && (type ?? "").isEmpty { throw SpecError("\(field).type", "missing") }
    }
}

extension Spec.Process {
    /// Checks a process that is started in a running container; `Spec.validate()` includes this.
    public func validate() throws(SpecError) {
        try Spec.checkAbsolute("process.cwd", cwd)
        guard let args, let command = args.first else { throw SpecError("process.args", "is empty") }
        if command.isEmpty { throw SpecError("process.args[0]", "is empty") }
        for (index, argument) in args.enumerated() { try Spec.checkText("process.args[\(index)]", argument) }
        for (index, variable) in (env ?? []).enumerated() {
            try Spec.checkText("process.env[\(index)]", variable)
            guard let equals = variable.utf8.firstIndex(of: UInt8(ascii: "=")), equals > variable.utf8.startIndex
            else { throw SpecError("process.env[\(index)]", "'\(variable)' is not NAME=VALUE") }
        }
        var seen: Set<String> = []
        for (index, limit) in (rlimits ?? []).enumerated() {
            let field = "process.rlimits[\(index)]"
            guard limit.soft <= limit.hard else {
                throw SpecError(field, "\(limit.type): soft limit \(limit.soft) is above the hard limit \(limit.hard)")
            }
            guard seen.insert(limit.type).inserted else { throw SpecError(field, "\(limit.type) is given twice") }
        }
        if let adjustment = oomScoreAdj, !(-1000...1000).contains(adjustment) {
            throw SpecError("process.oomScoreAdj", "\(adjustment) is outside -1000 to 1000")
        }
        if let umask = user?.umask, umask > 0o777 {
            throw SpecError("process.user.umask", "\(umask) has bits outside 0777")
        }
    }
}

extension Spec.Linux {
    fileprivate func validate() throws(SpecError) {
        var seen: Set<Namespace.Kind> = []
        for (index, namespace) in (namespaces ?? []).enumerated() {
            let field = "linux.namespaces[\(index)]"
            guard seen.insert(namespace.type).inserted else {
                throw SpecError(field, "\(namespace.type.rawValue) is given twice")
            }
            // Engines in Go write an empty path for none.
            if let path = namespace.path, !path.isEmpty { try Spec.checkAbsolute("\(field).path", path) }
        }
        for (index, device) in (devices ?? []).enumerated() { try device.validate("linux.devices[\(index)]") }
        for (index, path) in (maskedPaths ?? []).enumerated() {
            try Spec.checkAbsolute("linux.maskedPaths[\(index)]", path)
        }
        for (index, path) in (readonlyPaths ?? []).enumerated() {
            try Spec.checkAbsolute("linux.readonlyPaths[\(index)]", path)
        }
        for (name, value) in (sysctl ?? [:]).sorted(by: { $0.key < $1.key }) {
            try Spec.checkText("linux.sysctl", name)
            try Spec.checkText("linux.sysctl.\(name)", value)
        }
        let propagations = [
            "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable", "",
        ]
        if let rootfsPropagation, !propagations.contains(rootfsPropagation) {
            throw SpecError("linux.rootfsPropagation", "unknown propagation '\(rootfsPropagation)'")
        }
        try seccomp?.validate()
        try resources?.validate()
        if let personality, !["LINUX", "LINUX32"].contains(personality.domain) {
            throw SpecError("linux.personality.domain", "unknown domain '\(personality.domain)'")
        }
    }
}

extension Spec.Linux.Device {
    fileprivate func validate(_ field: String) throws(SpecError) {
        try Spec.checkAbsolute("\(field).path", path)
        guard ["c", "u", "b", "p"].contains(type) else {
            throw SpecError("\(field).type", "unknown type '\(type)', one of c, u, b, p")
        }
        if type != "p" && (major == nil || minor == nil) {
            throw SpecError("\(field).\(major == nil ? "major" : "minor")", "missing")
        }
        for (name, number) in [("major", major), ("minor", minor)] {
            if let number, !(0...Int64(UInt32.max)).contains(number) {
                throw SpecError("\(field).\(name)", "\(number) is no device number")
            }
        }
    }
}

extension Spec.Linux.Seccomp {
    fileprivate func validate() throws(SpecError) {
        if let listenerMetadata, !listenerMetadata.isEmpty, (listenerPath ?? "").isEmpty {
            throw SpecError("linux.seccomp.listenerMetadata", "needs linux.seccomp.listenerPath")
        }
        for (index, rule) in (syscalls ?? []).enumerated() {
            let field = "linux.seccomp.syscalls[\(index)]"
            guard !rule.names.isEmpty else { throw SpecError("\(field).names", "is empty") }
            guard rule.errnoRet == nil || Self.answers(rule.action) else {
                throw SpecError("\(field).errnoRet", "the action \(rule.action) returns no errno")
            }
        }
        guard defaultErrnoRet == nil || Self.answers(defaultAction) else {
            throw SpecError("linux.seccomp.defaultErrnoRet", "the action \(defaultAction) returns no errno")
        }
    }

    private static func answers(_ action: String) -> Bool { ["SCMP_ACT_ERRNO", "SCMP_ACT_TRACE"].contains(action) }
}

extension Spec.Linux.Resources {
    fileprivate func validate() throws(SpecError) {
        for (index, device) in (blockIO?.weightDevice ?? []).enumerated() where device.weight == nil {
            guard device.leafWeight != nil else {
                throw SpecError("linux.resources.blockIO.weightDevice[\(index)]", "has neither weight nor leafWeight")
            }
        }
        for (name, limit) in (rdma ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard limit.hcaHandles != nil || limit.hcaObjects != nil else {
                throw SpecError("linux.resources.rdma.\(name)", "has neither hcaHandles nor hcaObjects")
            }
        }
    }
}

extension Character {
    fileprivate var isASCIIDigit: Bool { isASCII && isNumber }
}
