import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The folders of the run root. Something else may lie in the place of one, a link that leads elsewhere first of all:
/// nothing is read or written through it, and what it leads to is left alone.
extension Store {
    /// Those that are always there.
    private static let fixed = ["sandboxes", "namespaces", "networks"]
    /// Those that are made when something is put into them.
    private static let others = ["relays", "names", "names-internal", "dhcp", "dhcp6"]
    private static let files = [
        "lock", "boot", "pending", "ports", "foreign", "forwarding", "repaired", ".new", "names.resolvers",
        "names.starting", "names-internal.starting",
    ]

    /// Makes the folders, and removes what was recorded before the machine was started, which does not exist any more.
    ///
    /// - Throws: `SystemError` EBUSY where the records are of another network namespace: compared with this one's kernel, all
    ///   of them would be lost, and what they are of be nobody's.
    static func makeFolders(in run: borrowing StateDirectory) throws(SystemError) {
        let boot = try Boot.identifier()
        let origin = "\(boot)@\(try Namespace.networkCookie())"
        let recorded = try run.readSymbolicLink("boot")
        if recorded == origin {
            // Whoever sweeps /run finds some of them empty.
            for name in fixed where run.kind(name) == nil { try run.makeDirectory(name) }
            return
        }
        // What else lies there says nothing, and all records would be forgotten for it.
        guard recorded != "" else {
            let path = run.file("boot")
            throw SystemError(
                "read link", path, errno: .invalidArgument, hint: "it is none: rm -r \(path); ln -s \(origin) \(path)")
        }
        if let recorded, recorded.hasPrefix("\(boot)@"), try hasRecords(run) {
            throw SystemError(
                "use", run.path, errno: .resourceBusy,
                hint:
                    "its records are of another network namespace: run swnet in that one, or choose another --run-root; "
                    + "when it has gone, rm -r \(run.path)")
        }
        if recorded == nil { try checkNobodyElseHas(run) }
        for name in try run.entries() where name != "lock" { try run.removeTree(name) }
        for name in fixed { try run.makeDirectory(name) }
        try run.makeSymbolicLink("boot", to: origin)
    }

    private static func hasRecords(_ run: borrowing StateDirectory) throws(SystemError) -> Bool {
        for folder in ["networks", "sandboxes"] where run.kind(folder) == .directory {
            if try !run.entries(of: folder).isEmpty { return true }
        }
        return false
    }

    /// Refuses a folder of somebody else's, who would lose everything in it.
    static func checkNobodyElseHas(_ run: borrowing StateDirectory) throws(SystemError) {
        let known = fixed + others + files + ["lost+found"]
        guard let strange = try run.entries().first(where: { !known.contains($0) }) else { return }
        throw SystemError(
            "keep records in", run.path, errno: .directoryNotEmpty,
            hint: "there is \(strange), which is none: choose an empty folder as --run-root")
    }

    /// Those in whose place something else lies.
    static func strangeFolders(in run: borrowing StateDirectory) -> [String] {
        (fixed + others).filter { isStrange($0, in: run) }
    }

    private static func isStrange(_ name: String, in run: borrowing StateDirectory) -> Bool {
        run.kind(name).map { $0 != .directory } ?? false
    }

    /// Those in whose place something else lies, and those of networks.
    borrowing func strangeFolders() throws(SystemError) -> [String] {
        var strange = Self.strangeFolders(in: run)
        if strange.contains("networks") { return strange }
        for name in try run.entries(of: "networks") {
            let folders = ["networks/\(name)", "networks/\(name)/leases", "networks/\(name)/strangers"]
            strange += folders.filter { Self.isStrange($0, in: run) }
        }
        return strange
    }

    /// The folders that all others are in, and what lets others say what is recorded there; nil where nothing does.
    borrowing func openness() -> [(path: String, problem: String?)] {
        let root = definitions.path.lastIndex(of: "/").map { String(definitions.path.prefix(upTo: $0)) } ?? "."
        return [run.path, root, definitions.path].map { path in
            guard let status = try? Descriptor.openDirectory(path).status() else { return (path, nil) }
            // With the sticky bit nobody removes what is another's.
            if status.st_mode & 0o022 != 0, status.st_mode & 0o1000 == 0 { return (path, "others may write in it") }
            let owner = status.st_uid
            return (path, owner == 0 || owner == geteuid() ? nil : "it is of the user \(owner)")
        }
    }

    /// Removes what lies in the place of a folder, and makes it. What was in it is made again by those who need it.
    borrowing func restoreFolder(_ name: String) throws(SystemError) {
        try run.remove(name)
        try run.makeDirectory(name)
        let words = name.split(separator: "/")
        if words.count == 2 { try run.makeDirectory("\(name)/leases") }
    }

    /// What is said of something that lies in the place of a folder.
    borrowing func difference(ofFolder name: String) -> NetworkDifference {
        let path = run.file(name)
        // Nothing says again what was in this one.
        let remedy: NetworkDifference.Remedy =
            name == "sandboxes"
            ? .person("put the records back, or give up all sandboxes: rm \(path); swnet repair") : .folder(name)
        return NetworkDifference("folder \(path)", "it is none", remedy)
    }
}
