extension Spec {
    /// Checks what the types alone cannot: that the document asks for something that can be meant.
    ///
    /// Whether this runtime and this kernel can do it is not asked here.
    /// - Throws: `SpecError` for the first field that is wrong, in the order of the document.
    public func validate() throws(SpecError) {
        guard ociVersion.utf8.starts(with: "1.".utf8) else {
            throw SpecError("ociVersion", "version '\(ociVersion)' is not supported, only 1.x")
        }
        guard SemanticVersion.isValid(ociVersion) else {
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
        try hooks?.validate()
        if annotations?[""] != nil { throw SpecError("annotations", "has a name that is empty") }
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
    static func checkText(_ field: String, _ text: String?) throws(SpecError) {
        guard let text, text.utf8.contains(0) else { return }
        throw SpecError(field, "'\(text)' contains a NUL byte")
    }

    /// What is written to a file of the kernel ends at the line's end too.
    static func checkLine(_ field: String, _ text: String?) throws(SpecError) {
        guard let text, text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) else { return }
        throw SpecError(field, "'\(text)' contains a control character")
    }

    /// Refuses a path that is not absolute, or that the kernel would read up to a NUL byte.
    public static func checkAbsolute(_ field: String, _ path: String) throws(SpecError) {
        guard path.utf8.first == UInt8(ascii: "/") else {
            throw SpecError(field, "'\(path)' is not an absolute path")
        }
        try checkText(field, path)
    }

    /// Refuses a variable that no program could find by a name.
    static func checkVariable(_ field: String, _ variable: String) throws(SpecError) {
        try checkText(field, variable)
        guard let equals = variable.utf8.firstIndex(of: UInt8(ascii: "=")), equals > variable.utf8.startIndex
        else { throw SpecError(field, "'\(variable)' is not NAME=VALUE") }
    }

    /// Refuses the number that means "leave it as it is" to the kernel (setresuid(2), chown(2)): who asked for it would
    /// be the superuser still.
    static func checkIdentifier(_ field: String, _ number: UInt32?) throws(SpecError) {
        guard number == .max else { return }
        throw SpecError(field, "\(UInt32.max) is nobody's number")
    }

    static func checkMappings(_ field: String, _ mappings: [Linux.IDMapping]?) throws(SpecError) {
        for (index, mapping) in (mappings ?? []).enumerated() {
            let size = mapping.size
            guard size > 0 else { throw SpecError("\(field)[\(index)].size", "0 is no range") }
            for (name, first) in [("containerID", mapping.containerID), ("hostID", mapping.hostID)] {
                // user_namespaces(7): a range neither wraps around nor has the last number in it.
                guard first.addingReportingOverflow(size).overflow else { continue }
                throw SpecError(
                    "\(field)[\(index)].\(name)", "\(size) numbers from \(first) on end above \(UInt32.max)")
            }
        }
    }
}

extension Spec.Mount {
    fileprivate func validate(_ field: String) throws(SpecError) {
        guard !destination.isEmpty else { throw SpecError("\(field).destination", "is empty") }
        // A relative one begins at the root (config.md, "Mounts").
        try Spec.checkText("\(field).destination", destination)
        try Spec.checkText("\(field).source", source)
        try Spec.checkText("\(field).type", type)
        for (index, option) in (options ?? []).enumerated() {
            try Spec.checkText("\(field).options[\(index)]", option)
        }
        try Spec.checkMappings("\(field).uidMappings", uidMappings)
        try Spec.checkMappings("\(field).gidMappings", gidMappings)
        let isBind = type == "bind" || (options ?? []).contains { $0 == "bind" || $0 == "rbind" }
        if isBind && (source ?? "").isEmpty { throw SpecError("\(field).source", "missing for a bind mount") }
        if !isBind, (type ?? "").isEmpty, options?.contains("remount") != true {
            throw SpecError("\(field).type", "missing")
        }
    }
}

extension Spec.Hooks {
    fileprivate func validate() throws(SpecError) {
        let kinds = [
            ("prestart", prestart), ("createRuntime", createRuntime), ("createContainer", createContainer),
            ("startContainer", startContainer), ("poststart", poststart), ("poststop", poststop),
        ]
        for (kind, hooks) in kinds {
            for (index, hook) in (hooks ?? []).enumerated() { try hook.validate("hooks.\(kind)[\(index)]") }
        }
    }
}

extension Spec.Hook {
    /// - Parameter field: Where it is, for the error: `hooks.poststop[0]`.
    public func validate(_ field: String) throws(SpecError) {
        try Spec.checkAbsolute("\(field).path", path)
        for (index, argument) in (args ?? []).enumerated() {
            try Spec.checkText("\(field).args[\(index)]", argument)
        }
        for (index, variable) in (env ?? []).enumerated() {
            try Spec.checkVariable("\(field).env[\(index)]", variable)
        }
        // Milliseconds have to be counted in 32 bits.
        if let timeout, !(1...1_000_000).contains(timeout) {
            throw SpecError("\(field).timeout", "\(timeout) is not 1 to 1000000 seconds")
        }
    }
}
