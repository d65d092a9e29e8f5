import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// Who runs containers without being the superuser, with the identifiers that it may map.
struct OrdinaryUser: Hashable {
    var uid: UInt32
    var gid: UInt32
    /// Those that /etc/subuid and /etc/subgid give it, as first one and count.
    var subordinateUIDs: [SubordinateRange] = []
    var subordinateGIDs: [SubordinateRange] = []

    struct SubordinateRange: Hashable {
        var first: UInt32
        var count: UInt32
    }

    /// Nil for the superuser, and for who may make every kind of namespace without being it.
    static func current() throws(SystemError) -> OrdinaryUser? {
        let uid = UInt32(getauxval(UInt(AT_EUID)))
        if uid == 0 { return nil }
        if let administrator = CapabilitySet(name: "CAP_SYS_ADMIN"),
            try InheritedState.current().permitted.contains(administrator)
        {
            return nil
        }
        func read(_ path: String) -> [UInt8] { (try? Descriptor.open(path).readAll(limit: 16 << 20)) ?? [] }
        var user = OrdinaryUser(uid: uid, gid: UInt32(getauxval(UInt(AT_EGID))))
        let name = UserDatabase.name(of: uid, passwd: read("/etc/passwd"))
        // Who gives them to the container is a program, which may not be installed.
        if HelperProgram.find("newuidmap") != nil {
            user.subordinateUIDs = ranges(read("/etc/subuid"), uid, name)
        }
        if HelperProgram.find("newgidmap") != nil {
            user.subordinateGIDs = ranges(read("/etc/subgid"), uid, name)
        }
        return user
    }

    /// The lines `USER:FIRST:COUNT` about a user, who is in them by name or by number: subuid(5).
    static func ranges(_ file: [UInt8], _ uid: UInt32, _ name: String?) -> [SubordinateRange] {
        file.split(separator: UInt8(ascii: "\n")).compactMap { line in
            let words = line.split(separator: UInt8(ascii: ":")).map { String(decoding: $0, as: UTF8.self) }
            guard words.count == 3, words[0] == name || words[0] == "\(uid)",
                let first = UInt32(words[1]), let count = UInt32(words[2]), count > 0
            else { return nil }
            return SubordinateRange(first: first, count: count)
        }
    }

    /// The user as the container's superuser, and those it was given after it.
    private static func mappings(_ own: UInt32, _ ranges: [SubordinateRange]) -> [Spec.Linux.IDMapping] {
        var mappings = [Spec.Linux.IDMapping(containerID: 0, hostID: own, size: 1)]
        var next: UInt32 = 1
        for range in ranges {
            let (end, isTooMuch) = next.addingReportingOverflow(range.count)
            if isTooMuch { break }
            mappings.append(.init(containerID: next, hostID: range.first, size: range.count))
            next = end
        }
        return mappings
    }

    var uidMappings: [Spec.Linux.IDMapping] { Self.mappings(uid, subordinateUIDs) }
    var gidMappings: [Spec.Linux.IDMapping] { Self.mappings(gid, subordinateGIDs) }
}

extension Spec {
    /// Adds what an ordinary user's container cannot do without, as crun has it: a user namespace, and maps for one that
    /// has none.
    ///
    /// - Returns: Whether there was anything to add.
    mutating func complete(for user: OrdinaryUser) -> Bool {
        var linux = self.linux ?? Linux()
        guard (linux.uidMappings ?? []).isEmpty, (linux.gidMappings ?? []).isEmpty else { return false }
        if let namespace = linux.namespace(.user) {
            guard (namespace.path ?? "").isEmpty else { return false }
        } else {
            linux.namespaces = (linux.namespaces ?? []) + [Linux.Namespace(.user)]
        }
        linux.uidMappings = user.uidMappings
        linux.gidMappings = user.gidMappings
        self.linux = linux
        return true
    }
}
