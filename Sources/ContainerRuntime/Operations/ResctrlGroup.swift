import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// A container's share of the processors' caches and memory bandwidth: a group of the kernel's resctrl file system
/// (Documentation/filesystems/resctrl.rst; runtime-spec, config-linux.md, "IntelRdt").
struct ResctrlGroup {
    /// Where resctrl is mounted.
    let root: String
    private let container: String
    private let settings: Spec.Linux.IntelRDT
    private let field = "linux.intelRdt"
    /// The directories that were made here and go with the container, the outermost first; below the mount.
    private(set) var made: [String] = []

    /// Nil for a document that says nothing of it.
    ///
    /// - Parameter root: Where resctrl is mounted, nil when it is not; found in /proc/self/mountinfo when not given.
    /// - Throws: `SpecError` that names the field.
    init?(_ spec: Spec, container: String, root: () -> String? = ResctrlGroup.findRoot) throws(SpecError) {
        guard let settings = spec.linux?.intelRdt else { return nil }
        try Self.check(settings)
        guard let root = root() else {
            throw SpecError(
                "linux.intelRdt",
                "needs the resctrl file system, which is not mounted (mount -t resctrl resctrl /sys/fs/resctrl)")
        }
        self.root = root
        self.container = container
        self.settings = settings
    }

    private static func check(_ settings: Spec.Linux.IntelRDT) throws(SpecError) {
        let field = "linux.intelRdt"
        if let identifier = settings.closID, identifier != "/" {
            guard !identifier.isEmpty, !identifier.contains("/"), !identifier.utf8.contains(0),
                ![".", "..", "info", "mon_groups", "mon_data"].contains(identifier)
            else { throw SpecError("\(field).closID", "'\(identifier)' is not the name of a group") }
        }
        if let schema = settings.memBwSchema, !schema.isEmpty, !schema.hasPrefix("MB:") {
            throw SpecError("\(field).memBwSchema", "'\(schema)' does not begin with MB:")
        }
        var lines = (settings.schemata ?? []).enumerated().map { ("\(field).schemata[\($0)]", $1) }
        lines.append(("\(field).l3CacheSchema", settings.l3CacheSchema ?? ""))
        lines.append(("\(field).memBwSchema", settings.memBwSchema ?? ""))
        for (field, line) in lines where line.utf8.contains(where: { $0 == UInt8(ascii: "\n") || $0 == 0 }) {
            throw SpecError(field, "is more than a line")
        }
    }

    static func findRoot() -> String? {
        var mounts = try? MountInfo.current()
        return mounts?.next("resctrl")?.point
    }

    /// The group's directory below the mount; empty for the default group.
    private var group: String {
        switch settings.closID {
        case nil: container
        case "/": ""
        case .some(let identifier): identifier
        }
    }

    var directory: String { group.isEmpty ? root : "\(root)/\(group)" }
    /// Where what the container uses is counted.
    var counted: String { settings.enableMonitoring == true ? monitor : directory }

    private var monitor: String { "\(directory)/mon_groups/\(container)" }

    /// The lines for `schemata`, in the specification's order.
    private var schemata: [(field: String, line: String)] {
        var lines = [
            ("\(field).l3CacheSchema", settings.l3CacheSchema ?? ""),
            ("\(field).memBwSchema", settings.memBwSchema ?? ""),
        ]
        lines += (settings.schemata ?? []).enumerated().map { ("\(field).schemata[\($0)]", $1) }
        return lines.filter { !$0.1.isEmpty }
    }

    /// Makes what has to be made, before there is a process for it. What was made is in `made` also when it is an error.
    mutating func make() throws(SpecError) {
        let isThere = unsafe access(directory, F_OK) == 0
        let name = settings.closID == nil ? field : "\(field).closID"
        if settings.closID == nil || (!isThere && !schemata.isEmpty) {
            // One with the container's name that is there already is somebody else's, and would not be removed with it.
            guard unsafe mkdir(directory, 0o755) == 0 else { throw failure(name, "make \(directory)") }
            if settings.closID == nil { made.append(group) }
            do throws(SpecError) {
                try write()
            } catch {
                _ = unsafe rmdir(directory)
                throw error
            }
        } else if !isThere {
            throw SpecError(name, "there is no group '\(group)' in \(root), and nothing that one could be made with")
        } else {
            try compare()
        }
        if settings.enableMonitoring == true {
            guard unsafe mkdir(monitor, 0o755) == 0 else {
                throw failure("\(field).enableMonitoring", "make \(monitor)")
            }
            made.append(group.isEmpty ? "mon_groups/\(container)" : "\(group)/mon_groups/\(container)")
        }
    }

    /// Changes what there is already.
    ///
    /// - Returns: What the group had before, for `putBack`.
    /// - Throws: `SpecError` that names the field. What was changed before the line that is refused is taken back.
    func update() throws(SpecError) -> [Substring] {
        guard unsafe access(directory, F_OK) == 0 else {
            throw SpecError(field, "the container has no group '\(group)' in \(root)")
        }
        let before = Self.lines(of: "\(directory)/schemata")
        do throws(SpecError) {
            try write()
        } catch {
            putBack(before)
            throw error
        }
        return before
    }

    /// Gives the group again what it had, as far as the kernel takes it.
    func putBack(_ before: [Substring]) {
        let now = Self.lines(of: "\(directory)/schemata")
        for line in before where !now.contains(line) {
            try? Descriptor.open("\(directory)/schemata", O_WRONLY).write(text: "\(line)\n")
        }
    }

    /// The kernel's files, one to a line, without the blanks that put resources' names below each other.
    static func lines(of path: String) -> [Substring] {
        let bytes = (try? Descriptor.open(path).readAll(limit: 1 << 20)) ?? []
        return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { $0.drop { $0 == " " } }
    }

    /// Each line in a write of its own, which is what the kernel answers for.
    private func write() throws(SpecError) {
        for (field, line) in schemata {
            do throws(SystemError) {
                try Descriptor.open("\(directory)/schemata", O_WRONLY).write(text: "\(line)\n")
            } catch {
                throw failure(field, "write '\(line)' to \(directory)/schemata", error.errno)
            }
        }
    }

    /// A group that others made is not changed: it is to be what the document says already. The kernel fills numbers up
    /// with zeros or blanks, and a document may be about some of the caches only.
    private func compare() throws(SpecError) {
        guard !schemata.isEmpty else { return }
        var present: [String: String] = [:]
        for line in Self.lines(of: "\(directory)/schemata") { present.merge(Self.values(String(line))) { $1 } }
        for (field, line) in schemata {
            for (key, value) in Self.values(line) where present[key] != value {
                throw SpecError(
                    field, "'\(line)' is not what the group '\(group)' has: \(key)=\(present[key] ?? "nothing")")
            }
        }
    }

    /// Of a line `L3:0=7f0;1=1f`, by resource and cache: `L3:0`.
    private static func values(_ line: String) -> [String: String] {
        var values: [String: String] = [:]
        let parts = line.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return [line: ""] }
        for entry in parts[1].split(separator: ";") {
            let pair = entry.split(separator: "=", maxSplits: 1)
            guard pair.count == 2 else { return [line: ""] }
            let number = pair[1].filter { $0 != " " }.lowercased().drop { $0 == "0" }
            values["\(parts[0].filter { $0 != " " }):\(pair[0].filter { $0 != " " })"] =
                number.isEmpty ? "0" : String(number)
        }
        return values
    }

    /// Assigns a process, whose children inherit it. The corresponding file is `tasks`.
    func add(process: Int32) throws(SpecError) {
        for directory in settings.enableMonitoring == true ? [directory, monitor] : [directory] {
            do throws(SystemError) {
                try Descriptor.open("\(directory)/tasks", O_WRONLY).write(text: "\(process)")
            } catch {
                throw failure(field, "write \(process) to \(directory)/tasks", error.errno)
            }
        }
    }

    /// Removes directories that were made for a container, the innermost first; one that is gone is fine.
    static func remove(_ made: [String], root: String? = ResctrlGroup.findRoot()) throws(SystemError) {
        guard let root else { return }
        var error: SystemError?
        for group in made.reversed() where unsafe rmdir("\(root)/\(group)") != 0 && swn_errno() != ENOENT {
            error = error ?? SystemError("delete", "\(root)/\(group)", errno: .last)
        }
        if let error { throw error }
    }

    /// With what the kernel says about it (info/last_cmd_status).
    private func failure(_ field: String, _ operation: String, _ errno: Errno = .last) -> SpecError {
        let bytes = (try? Descriptor.open("\(root)/info/last_cmd_status").readAll(limit: 4096)) ?? []
        let words = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        let hint = words.isEmpty || words == "ok" ? nil : words
        return SpecError(field, SystemError(operation, errno: errno, hint: hint).description)
    }
}
