import RuntimeSpec

extension UserNamespaceStep {
    /// Nil for a container in the runtime's own user namespace.
    ///
    /// - Throws: `SpecError` for a new namespace without maps, for maps without a new one, and for a range that is none.
    init?(_ linux: Spec.Linux) throws(SpecError) {
        let uids = linux.uidMappings ?? []
        let gids = linux.gidMappings ?? []
        guard let namespace = linux.namespace(.user) else {
            guard uids.isEmpty && gids.isEmpty else {
                throw SpecError("linux.uidMappings", "needs a namespace of type user in linux.namespaces")
            }
            return nil
        }
        isNew = (namespace.path ?? "").isEmpty
        // The maps of a namespace that is joined are what they are.
        guard isNew else { return }
        guard !uids.isEmpty else { throw SpecError("linux.uidMappings", "missing for a new user namespace") }
        guard !gids.isEmpty else { throw SpecError("linux.gidMappings", "missing for a new user namespace") }
        uidMap = try Self.lines(uids, "linux.uidMappings")
        gidMap = try Self.lines(gids, "linux.gidMappings")
    }

    private static func lines(_ mappings: [Spec.Linux.IDMapping], _ field: String) throws(SpecError) -> String {
        var text = ""
        for (index, mapping) in mappings.enumerated() {
            guard mapping.size > 0 else { throw SpecError("\(field)[\(index)].size", "0 is no range") }
            text += "\(mapping.containerID) \(mapping.hostID) \(mapping.size)\n"
        }
        return text
    }
}
