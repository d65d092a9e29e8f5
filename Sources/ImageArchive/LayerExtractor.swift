import CLinux
import LinuxSystem
import SystemPackage

/// Makes the files of a layer below one directory, whatever the archive says, and nowhere else.
///
/// Directories on the way are opened by the kernel as if the layer's root were the root of the file system
/// (`RESOLVE_IN_ROOT`), so that a link of the layer is followed as it would be in a container, and never out. The last
/// component is never followed. Whiteouts become those of overlayfs (image-spec layer.md, "Whiteouts";
/// Documentation/filesystems/overlayfs.rst).
final class LayerExtractor {
    /// Bytes of the files so far, holes included.
    private(set) var size: Int64 = 0
    private(set) var entries = 0
    private let root: LayerDirectory
    private let name: String
    private let limits: ArchiveLimits
    /// Set at the end, because making a file in a directory changes its time.
    private var directoryTimes: [EntryPath: TarEntry.Time] = [:]
    /// Entries of one directory follow each other, so the last one is kept open.
    private var lastParent: (path: EntryPath, directory: LayerDirectory)?

    /// - Parameter name: The archive, for messages.
    init(into root: consuming Descriptor, name: String, limits: ArchiveLimits) {
        self.root = LayerDirectory(root)
        self.name = name
        self.limits = limits
    }

    /// Makes one entry.
    ///
    /// - Throws: `ImageArchiveError` that names the entry.
    func extract(_ entry: TarEntry, from archive: TarReader) throws {
        entries += 1
        guard entries <= limits.entries else {
            throw refusal(entry, "the archive has more than the limit of \(limits.entries) entries")
        }
        guard let path = EntryPath(entry.path) else { throw refusal(entry, "the path leads out of the layer") }
        do throws(SystemError) {
            guard let base = path.name else { return try extractRoot(entry) }
            let parent = try openParent(path.parent)
            if base.starts(with: Self.whiteoutPrefix) { return try makeWhiteout(base, in: parent) }
            try makeRoom(for: entry, base, in: parent)
        } catch {
            throw refusal(entry, "\(error)")
        }
        try make(entry, at: path, from: archive)
    }

    /// Sets the times of directories. Call it after the last entry.
    func finish() throws {
        for (path, time) in directoryTimes {
            // A directory that a later entry replaced has no time to set.
            guard let directory = try? open(path, extra: path.components.isEmpty ? 0 : O_NOFOLLOW) else { continue }
            guard unsafe futimens(directory.descriptor.rawValue, timespecs(time)) == 0 else {
                throw ImageArchiveError(name, entry: path.text, "\(SystemError("set time", errno: .last))")
            }
        }
    }

    private func refusal(_ entry: TarEntry, _ reason: String) -> ImageArchiveError {
        ImageArchiveError(name, entry: printable(entry.path), reason)
    }
}

// MARK: Places

extension LayerExtractor {
    /// Opens a directory of the layer, following its links within its root.
    private func open(_ path: EntryPath, extra: Int32 = 0) throws(SystemError) -> LayerDirectory {
        let bytes = cString(path.bytes)
        let flags = UInt64(O_RDONLY | O_DIRECTORY | O_CLOEXEC | extra)
        let resolve = UInt64(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)
        let number = unsafe swn_openat2(root.descriptor.rawValue, bytes, flags, 0, resolve)
        guard number >= 0 else { throw SystemError("open", path.text, errno: .last) }
        return LayerDirectory(Descriptor(owning: number))
    }

    private func openParent(_ path: EntryPath) throws(SystemError) -> LayerDirectory {
        if path.components.isEmpty { return root }
        if let lastParent, lastParent.path == path { return lastParent.directory }
        var directory: LayerDirectory
        do throws(SystemError) {
            directory = try open(path)
        } catch {
            guard error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory else { throw error }
            directory = try makeParents(path)
        }
        lastParent = (path, directory)
        return directory
    }

    /// Makes the directories that the archive has no entries for, or not yet.
    private func makeParents(_ path: EntryPath) throws(SystemError) -> LayerDirectory {
        var directory = root
        for count in 1...path.components.count {
            let prefix = path.prefix(count)
            let base = Array(path.components[count - 1])
            do throws(SystemError) {
                directory = try open(prefix)
                continue
            } catch {
                guard error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory else { throw error }
            }
            switch try directory.status(base) {
            case nil:
                directory = try directory.makeImplicitDirectory(base)
            case .some(let status) where status.isWhiteout:
                // The layer replaces what was there below by a directory, and named it removed first.
                try directory.remove(base)
                directory = try directory.makeImplicitDirectory(base)
                try directory.makeOpaque()
            case .some:
                throw SystemError("open", prefix.text, errno: .notDirectory)
            }
        }
        return directory
    }

    /// Removes what an earlier entry of the same name made, except a directory that is to be one again.
    private func makeRoom(for entry: TarEntry, _ base: [UInt8], in parent: LayerDirectory) throws(SystemError) {
        guard let status = try parent.status(base) else { return }
        let isDirectory = entry.kind == .directory
        if isDirectory, status.type == S_IFDIR { return }
        try parent.remove(base)
        // The directory that is kept open may have been in there.
        lastParent = nil
        if isDirectory, status.isWhiteout {
            try parent.makeDirectory(base, mode: 0o700)
            try parent.openDirectory(base).makeOpaque()
        }
    }
}

// MARK: Whiteouts

extension LayerExtractor {
    private static let whiteoutPrefix = Array(".wh.".utf8)
    private static let metadataPrefix = Array(".wh..wh.".utf8)
    private static let opaqueName = Array(".wh..wh..opq".utf8)

    private func makeWhiteout(_ base: [UInt8], in parent: LayerDirectory) throws(SystemError) {
        if base == Self.opaqueName { return try parent.makeOpaque() }
        // What aufs kept for itself means nothing to others.
        if base.starts(with: Self.metadataPrefix) { return }
        let hidden = Array(base.dropFirst(Self.whiteoutPrefix.count))
        guard !hidden.isEmpty, hidden != Array(".".utf8), hidden != Array("..".utf8) else {
            throw SystemError("whiteout", printable(base), errno: .invalidArgument, hint: "it names no file")
        }
        // A whiteout hides what layers below have, not what this one has: a file hides it anyway, a directory has to.
        guard let status = try parent.status(hidden) else {
            return try parent.makeNode(hidden, type: S_IFCHR)
        }
        if status.type == S_IFDIR { try parent.openDirectory(hidden).makeOpaque() }
    }
}

// MARK: Files

extension LayerExtractor {
    private func extractRoot(_ entry: TarEntry) throws(SystemError) {
        guard entry.kind == .directory else {
            throw SystemError("replace the root", errno: .notDirectory)
        }
        try finishDirectory(root, entry, at: EntryPath.root)
    }

    private func make(_ entry: TarEntry, at path: EntryPath, from archive: TarReader) throws {
        do {
            guard let base = path.name else { return }
            let parent = try openParent(path.parent)
            switch entry.kind {
            case .file: try makeFile(entry, base, in: parent, from: archive)
            case .directory:
                if try parent.status(base) == nil { try parent.makeDirectory(base, mode: 0o700) }
                try finishDirectory(try parent.openDirectory(base), entry, at: path)
            case .hardLink: try makeHardLink(entry, base, in: parent)
            case .symbolicLink:
                try parent.makeSymbolicLink(base, to: entry.linkTarget)
                try finishNode(entry, base, in: parent)
            case .fifo: try makeNode(entry, base, in: parent, type: S_IFIFO)
            case .characterDevice(let major, let minor):
                try makeNode(entry, base, in: parent, type: S_IFCHR, device: swn_makedev(major, minor))
            case .blockDevice(let major, let minor):
                try makeNode(entry, base, in: parent, type: S_IFBLK, device: swn_makedev(major, minor))
            case .other(let type): throw refusal(entry, "it is of an unknown type (0\(String(type, radix: 8)))")
            }
        } catch let error as SystemError {
            throw refusal(entry, "\(error)")
        }
    }

    private func makeFile(_ entry: TarEntry, _ base: [UInt8], in parent: LayerDirectory, from archive: TarReader) throws
    {
        guard entry.size >= 0, entry.size <= limits.bytes else {
            throw refusal(entry, "it claims \(entry.size) bytes, more than the limit of \(limits.bytes)")
        }
        let file = try parent.makeFile(base)
        var end: Int64 = 0
        while let (bytes, offset) = unsafe try archive.data() {
            guard offset >= end, offset <= entry.size - Int64(bytes.count) else {
                throw refusal(entry, "its data is not where its size says")
            }
            unsafe try write(bytes, at: offset, to: file, entry)
            end = offset + Int64(bytes.count)
        }
        if end < entry.size, ftruncate(file.rawValue, Int(entry.size)) != 0 {
            throw SystemError("extend to \(entry.size) bytes", errno: .last)
        }
        size += entry.size
        let (user, group) = try owner(entry)
        guard fchown(file.rawValue, user, group) == 0 else { throw SystemError("chown", errno: .last) }
        guard fchmod(file.rawValue, entry.mode) == 0 else { throw SystemError("chmod", errno: .last) }
        // After the owner: a change of owner removes security.capability.
        try setAttributes(entry) { name, value in unsafe fsetxattr(file.rawValue, cString(name), value, value.count, 0)
        }
        guard unsafe futimens(file.rawValue, timespecs(entry.modified)) == 0 else {
            throw SystemError("set time", errno: .last)
        }
    }

    private func write(
        _ bytes: UnsafeRawBufferPointer, at offset: Int64, to file: borrowing Descriptor, _ entry: TarEntry
    )
        throws
    {
        var rest = unsafe bytes
        var position = offset
        while unsafe !rest.isEmpty {
            let number = file.rawValue
            let count = retryingOnInterrupt { unsafe pwrite(number, rest.baseAddress, rest.count, Int(position)) }
            guard count > 0 else { throw SystemError("write", errno: .last) }
            unsafe rest = unsafe UnsafeRawBufferPointer(rebasing: rest[count...])
            position += Int64(count)
        }
    }

    private func makeHardLink(_ entry: TarEntry, _ base: [UInt8], in parent: LayerDirectory) throws {
        guard let target = EntryPath(entry.linkTarget), let name = target.name else {
            throw refusal(entry, "it links to \(printable(entry.linkTarget)), out of the layer")
        }
        do throws(SystemError) {
            // The parent of the target is not made when it is missing: there would be nothing to link to.
            let directory = target.parent.components.isEmpty ? root : try open(target.parent)
            try parent.makeHardLink(base, to: name, in: directory)
        } catch {
            throw refusal(entry, "link to \(printable(entry.linkTarget)): \(error)")
        }
    }

    private func makeNode(
        _ entry: TarEntry, _ base: [UInt8], in parent: LayerDirectory, type: Int32, device: UInt64 = 0
    ) throws {
        try parent.makeNode(base, type: type, device: device)
        try finishNode(entry, base, in: parent)
    }

    private func finishNode(_ entry: TarEntry, _ base: [UInt8], in parent: LayerDirectory) throws {
        let (user, group) = try owner(entry)
        try parent.setOwner(base, user: user, group: group, mode: entry.kind == .symbolicLink ? nil : entry.mode)
        try setAttributes(entry) { name, value in parent.setAttribute(name, value, of: base) }
        try parent.setTime(base, entry.modified)
    }

    private func finishDirectory(_ directory: LayerDirectory, _ entry: TarEntry, at path: EntryPath) throws(SystemError)
    {
        let number = directory.descriptor.rawValue
        let (user, group) = try owner(entry)
        guard fchown(number, user, group) == 0 else { throw SystemError("chown", errno: .last) }
        guard fchmod(number, entry.mode) == 0 else { throw SystemError("chmod", errno: .last) }
        try setAttributes(entry) { name, value in unsafe fsetxattr(number, cString(name), value, value.count, 0) }
        directoryTimes[path] = entry.modified
    }

    private func owner(_ entry: TarEntry) throws(SystemError) -> (user: UInt32, group: UInt32) {
        // The largest number means "leave it alone" to chown.
        guard let user = UInt32(exactly: entry.user), let group = UInt32(exactly: entry.group), user != .max,
            group != .max
        else { throw SystemError("chown to \(entry.user):\(entry.group)", errno: .invalidArgument) }
        return (user, group)
    }

    private func setAttributes(
        _ entry: TarEntry, _ set: (_ name: [UInt8], _ value: [UInt8]) -> Int32
    ) throws(SystemError) {
        for (name, value) in entry.extendedAttributes where !isOwnedByHost(name) {
            if set(name, value) == 0 { continue }
            let error = Errno.last
            // The file system has none of that kind, or not for this type of file: docker lets that pass as well.
            if error == .notSupported || (error == .notPermitted && name.starts(with: "user.".utf8)) { continue }
            throw SystemError("set attribute", printable(name), errno: error)
        }
    }

    /// Attributes that a layer must not bring along: overlayfs would take them for its own, and labels are the host's.
    private func isOwnedByHost(_ name: [UInt8]) -> Bool {
        ["trusted.overlay.", "user.overlay."].contains { name.starts(with: $0.utf8) }
            || ["security.selinux", "system.nfs4_acl"].contains { name.elementsEqual($0.utf8) }
    }
}

extension EntryPath {
    static let root = EntryPath(components: [])
}
