import RuntimeSpec

extension UserNamespaceStep {
    /// Nil for a container in the runtime's own user namespace.
    ///
    /// - Throws: `SpecError` for a new namespace with one map of the two, for maps without a new one.
    init?(_ linux: Spec.Linux) throws(SpecError) {
        let uids = linux.uidMappings ?? []
        let gids = linux.gidMappings ?? []
        guard let namespace = linux.namespace(.user) else {
            guard uids.isEmpty && gids.isEmpty else {
                let field = uids.isEmpty ? "linux.gidMappings" : "linux.uidMappings"
                throw SpecError(field, "needs a namespace of type user in linux.namespaces")
            }
            return nil
        }
        isNew = (namespace.path ?? "").isEmpty
        // The maps of a namespace that is joined are what they are.
        guard isNew else { return }
        if uids.isEmpty && gids.isEmpty {
            // As crun has it: everybody is who they are, and only their rights end at the namespace.
            (uidMap, gidMap) = ("0 0 \(UInt32.max)\n", "0 0 \(UInt32.max)\n")
            return
        }
        guard !uids.isEmpty else { throw SpecError("linux.uidMappings", "missing for a new user namespace") }
        guard !gids.isEmpty else { throw SpecError("linux.gidMappings", "missing for a new user namespace") }
        uidMap = uids.lines
        gidMap = gids.lines
    }
}

extension UserNamespaceStep {
    /// Whether a group, as a number in a mount option, is anybody in the namespace. What is no number is the kernel's to
    /// refuse.
    func hasGroup(_ text: String) -> Bool {
        guard let group = UInt32(text) else { return true }
        return gidMap.split(separator: "\n").contains { line in
            let numbers = line.split(separator: " ").compactMap { UInt32($0) }
            return numbers.count == 3 && group >= numbers[0] && group - numbers[0] < numbers[2]
        }
    }
}

extension MountMapping {
    /// Nil for a mount whose files belong to whom they belong. Without maps of its own a mount has the container's, which
    /// turns files of the container's root into its root's.
    init?(
        _ mount: Spec.Mount, _ options: MountOptions, _ linux: Spec.Linux, _ field: String
    ) throws(SpecError) {
        var uids = mount.uidMappings ?? []
        var gids = mount.gidMappings ?? []
        isRecursive = options.mapsRecursively
        if let own = options.ownMaps {
            guard uids.isEmpty && gids.isEmpty else {
                throw SpecError(own.field, "contradicts uidMappings and gidMappings of the same mount")
            }
            let maps = try MappingOption(own.text, in: linux, own.field)
            (uids, gids) = (maps.uids, maps.gids)
        }
        if uids.isEmpty && gids.isEmpty {
            guard options.mapsIdentifiers else { return nil }
            guard let namespace = linux.namespace(.user), let own = try UserNamespaceStep(linux) else {
                throw SpecError(
                    "\(field).options", "idmap needs uidMappings and gidMappings, or a namespace of type user")
            }
            (uidMap, gidMap) = (own.uidMap, own.gidMap)
            namespacePath = own.isNew ? nil : namespace.path
            return
        }
        for (name, maps) in [("uidMappings", uids), ("gidMappings", gids)] where maps.isEmpty {
            throw SpecError("\(field).\(name)", "missing: the identifiers of users and of groups are mapped together")
        }
        uidMap = uids.lines
        gidMap = gids.lines
    }
}

extension [Spec.Linux.IDMapping] {
    /// As uid_map and gid_map take them.
    fileprivate var lines: String {
        reduce(into: "") { $0 += "\($1.containerID) \($1.hostID) \($1.size)\n" }
    }
}
