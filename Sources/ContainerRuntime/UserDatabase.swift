import CLinux
public import LinuxSystem
import SystemPackage

/// The users and groups in a container's `/etc/passwd` and `/etc/group`.
///
/// The files are read below the root, by descriptor, and taken apart here: the C library's functions would ask the
/// host, or load a library out of the image (CVE-2019-14271).
public struct UserDatabase: Sendable {
    private let passwd: [UInt8]
    private let group: [UInt8]

    public init(passwd: [UInt8], group: [UInt8]) {
        self.passwd = passwd
        self.group = group
    }

    /// Reads the files of a root that need not be mounted. A file that is missing is empty.
    public init(root: RootFilesystem) throws(SystemError) {
        let layers: [String] =
            switch root {
            case .directory(let path): [path]
            case .overlay(let overlay): (overlay.upper.map { [$0] } ?? []) + overlay.lower
            }
        passwd = try LayeredFile.read("etc/passwd", in: layers)
        group = try LayeredFile.read("etc/group", in: layers)
    }

    /// Finds a user by docker's grammar: `[USER[:GROUP]]`, each a name or a number; nothing is root.
    ///
    /// A number needs no entry. With a group given, that is the only one; else the user's own and those that list it.
    /// - Throws: `ContainerUserError` in docker's words.
    public func user(_ text: String) throws(ContainerUserError) -> ContainerUser {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let wanted = parts.first.map(String.init) ?? ""
        let number = try Self.number(wanted.isEmpty ? "0" : wanted)
        var user = ContainerUser(uid: number ?? 0, gid: 0)
        var name = ""
        if let entry = entry(passwd, columns: 6, where: { $0[0] == wanted || number.map { "\($0)" } == $0[2] }),
            let uid = UInt32(entry[2]), let gid = UInt32(entry[3])
        {
            user = ContainerUser(uid: uid, gid: gid, home: entry[5].isEmpty ? "/" : entry[5])
            name = entry[0]
        } else if number == nil {
            throw ContainerUserError(
                description: "unable to find user \(wanted): no matching entries in passwd file")
        }
        if parts.count == 2, !parts[1].isEmpty {
            user.gid = try groupNumber(String(parts[1]))
        } else if !name.isEmpty {
            user.additionalGroups = groups(of: name)
        }
        return user
    }

    /// The home directory of a user; `/` for one without an entry, as runc has it.
    static func home(of uid: UInt32, passwd: [UInt8]) -> String {
        let number = "\(uid)"
        let entry = UserDatabase(passwd: passwd, group: []).entry(passwd, columns: 6) { $0[2] == number }
        guard let home = entry?[5], home.utf8.first == UInt8(ascii: "/") else { return "/" }
        return home
    }

    /// The first name of a user; nil for one without an entry.
    static func name(of uid: UInt32, passwd: [UInt8]) -> String? {
        let number = "\(uid)"
        return UserDatabase(passwd: passwd, group: []).entry(passwd, columns: 3) { $0[2] == number }?[0]
    }

    /// The number of a group, by name or number.
    public func groupNumber(_ text: String) throws(ContainerUserError) -> UInt32 {
        let number = try Self.number(text)
        let entry = entry(group, columns: 3) { $0[0] == text || number.map { "\($0)" } == $0[2] }
        if let found = entry.flatMap({ UInt32($0[2]) }) ?? number { return found }
        throw ContainerUserError(description: "unable to find group \(text): no matching entries in group file")
    }

    private func groups(of name: String) -> [UInt32] {
        lines(group).compactMap { fields in
            guard fields.count > 3, fields[3].split(separator: ",").contains(where: { $0 == name }) else { return nil }
            return UInt32(fields[2])
        }
    }

    private func entry(_ file: [UInt8], columns: Int, where matches: ([String]) -> Bool) -> [String]? {
        lines(file).first { $0.count >= columns && matches($0) }
    }

    /// The entries, lazily: a large file is not taken apart for its first line.
    private func lines(_ file: [UInt8]) -> some Sequence<[String]> {
        file.split(separator: UInt8(ascii: "\n")).lazy.map { line in
            line.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
                .map { String(decoding: $0, as: UTF8.self) }
        }
    }

    private static func number(_ text: String) throws(ContainerUserError) -> UInt32? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        // The kernel reserves the highest number, and docker takes only those of a signed integer.
        guard let number = UInt32(text), number <= UInt32(Int32.max) else {
            throw ContainerUserError(description: "uids and gids must be in range 0-2147483647: \(text)")
        }
        return number
    }
}

/// A file of an overlay's layers, as the overlay would show it.
private enum LayeredFile {
    static func read(_ path: String, in layers: [String]) throws(SystemError) -> [UInt8] {
        let directory = path.split(separator: "/").dropLast().joined(separator: "/")
        for layer in layers {
            let root = try Descriptor.openDirectory(layer)
            let flags = UInt64(O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
            let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
            let number = unsafe swn_openat2(root.rawValue, path, flags, 0, resolve)
            if number >= 0 {
                let file = Descriptor(owning: number)
                guard try file.kind() == .regular else { return [] }
                return try file.readAll(limit: 16 << 20)
            }
            // ENXIO is a device without a driver: number 0:0 is overlayfs's mark for a removed file.
            guard swn_errno() == ENOENT || swn_errno() == ENOTDIR else { return [] }
            if isOpaque(directory, in: root) { return [] }
        }
        return []
    }

    /// Whether the layers below do not show in a directory (Documentation/filesystems/overlayfs.rst).
    private static func isOpaque(_ path: String, in root: borrowing Descriptor) -> Bool {
        let flags = UInt64(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        let number = unsafe swn_openat2(root.rawValue, path, flags, 0, UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS))
        guard number >= 0 else { return false }
        let directory = Descriptor(owning: number)
        var value: UInt8 = 0
        return unsafe fgetxattr(directory.rawValue, "trusted.overlay.opaque", &value, 1) == 1
            && value == UInt8(ascii: "y")
    }
}
