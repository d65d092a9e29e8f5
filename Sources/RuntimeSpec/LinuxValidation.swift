extension Spec.Linux {
    /// The entry for a kind of namespace; nil when the container shares the runtime's.
    public func namespace(_ kind: Namespace.Kind) -> Namespace? {
        namespaces?.first { $0.type == kind }
    }
}

extension Spec.Linux {
    func validate() throws(SpecError) {
        try validateNamespaces()
        for (index, device) in (devices ?? []).enumerated() { try device.validate("linux.devices[\(index)]") }
        for (index, path) in (maskedPaths ?? []).enumerated() {
            try Spec.checkAbsolute("linux.maskedPaths[\(index)]", path)
        }
        for (index, path) in (readonlyPaths ?? []).enumerated() {
            try Spec.checkAbsolute("linux.readonlyPaths[\(index)]", path)
        }
        for (name, value) in (sysctl ?? [:]).sorted(by: { $0.key < $1.key }) {
            try Spec.checkText("linux.sysctl.\(name)", name)
            try Spec.checkText("linux.sysctl.\(name)", value)
        }
        let propagations = [
            "shared", "slave", "private", "unbindable", "rshared", "rslave", "rprivate", "runbindable", "",
        ]
        if let rootfsPropagation, !propagations.contains(rootfsPropagation) {
            throw SpecError("linux.rootfsPropagation", "unknown propagation '\(rootfsPropagation)'")
        }
        try Spec.checkText("linux.cgroupsPath", cgroupsPath)
        try Spec.checkText("linux.mountLabel", mountLabel)
        try seccomp?.validate()
        try resources?.validate()
        try personality?.validate()
    }

    private func validateNamespaces() throws(SpecError) {
        let namespaces = namespaces ?? []
        for (index, namespace) in namespaces.enumerated() {
            let field = "linux.namespaces[\(index)]"
            if namespaces[..<index].contains(where: { $0.type == namespace.type }) {
                throw SpecError(field, "\(namespace.type.rawValue) is given twice")
            }
            // Engines in Go write an empty path for none.
            if let path = namespace.path, !path.isEmpty { try Spec.checkAbsolute("\(field).path", path) }
        }
        try Spec.checkMappings("linux.uidMappings", uidMappings)
        try Spec.checkMappings("linux.gidMappings", gidMappings)
        for (clock, offset) in (timeOffsets ?? [:]).sorted(by: { $0.key < $1.key }) {
            guard let nanoseconds = offset.nanosecs, nanoseconds >= 1_000_000_000 else { continue }
            throw SpecError("linux.timeOffsets.\(clock).nanosecs", "\(nanoseconds) is a second or more")
        }
    }
}

extension Spec.Linux.Personality {
    fileprivate func validate() throws(SpecError) {
        guard ["LINUX", "LINUX32"].contains(domain) else {
            throw SpecError("linux.personality.domain", "unknown domain '\(domain)', one of LINUX, LINUX32")
        }
        if let flag = flags?.first {
            throw SpecError("linux.personality.flags[0]", "unknown flag '\(flag)': the specification has none so far")
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
        // MINORBITS of linux/kdev_t.h.
        for (name, number, bits) in [("major", major, 12), ("minor", minor, 20)] {
            guard let number, !(0..<Int64(1) << bits).contains(number) else { continue }
            throw SpecError("\(field).\(name)", "\(number) is no device number: at most \(1 << bits - 1)")
        }
        // The bits of a mode; those of the file's type are said by some as well.
        if let fileMode, fileMode > 0o177777 {
            throw SpecError("\(field).fileMode", "\(fileMode) is no mode of a file")
        }
        try Spec.checkIdentifier("\(field).uid", uid)
        try Spec.checkIdentifier("\(field).gid", gid)
    }
}
