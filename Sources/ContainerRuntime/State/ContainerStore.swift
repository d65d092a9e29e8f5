import CLinux
public import LinuxSystem
import SystemPackage

/// The directory in which containers are remembered: one directory for each, on a file system that a boot empties.
public struct ContainerStore: Hashable, Sendable {
    /// For example `/run/swrun`; made when the first container is.
    public let path: String

    public init(_ path: String) { self.path = path }

    /// Checks an identifier as runc does: letters, digits and `_+-.`, and no name that leads elsewhere.
    public static func validate(_ identifier: String) throws(ContainerError) {
        let isValid = identifier.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "_+-.".utf8.contains(byte)
            }
        }
        // What begins with a dot is the store's own.
        guard isValid, !identifier.isEmpty, !identifier.hasPrefix("."), identifier.utf8.count < 256 else {
            throw ContainerError(
                .invalid,
                "invalid container ID format: '\(identifier)' (invalid characters: 1 to 255 of a-z A-Z 0-9 _ + - . and no dot first)"
            )
        }
    }

    /// Takes a name for a new container, locked.
    ///
    /// - Throws: `ContainerError` when it is taken; `SystemError`.
    public func reserve(_ identifier: String) throws -> StoredContainer {
        try Self.validate(identifier)
        let root = try openMaking()
        while true {
            guard unsafe mkdirat(root.rawValue, identifier, 0o700) == 0 else {
                if swn_errno() == EEXIST { throw ContainerError.exists }
                throw SystemError("mkdir", "\(path)/\(identifier)", errno: .last)
            }
            do {
                let directory = try StoredContainer.open(identifier, in: root)
                try StoredContainer.lock(directory, identifier)
                // Between the two a `delete` may have taken the empty directory for the rest of a crash.
                if try directory.status().st_nlink > 0 {
                    return StoredContainer(identifier, directory: directory, root: root)
                }
            } catch {
                _ = unsafe unlinkat(root.rawValue, identifier, AT_REMOVEDIR)
                throw error
            }
        }
    }

    private func openMaking() throws(SystemError) -> Descriptor {
        do throws(SystemError) {
            return try openMakingDirectories(path, mode: 0o700)
        } catch {
            guard error.operation == "mkdir", error.errno == .permissionDenied, geteuid() != 0 else { throw error }
            var error = error
            error.hint = "who is not root remembers containers in $XDG_RUNTIME_DIR, or where --root says"
            throw error
        }
    }

    /// Removes what has a container's name and cannot be one: a file or a link that somebody has put there.
    func removeStray(_ identifier: String) throws(SystemError) {
        try Descriptor.openDirectory(path).remove(identifier)
    }

    /// Finds a container.
    ///
    /// - Throws: `ContainerError` when there is none; `SystemError`.
    public func open(_ identifier: String) throws -> StoredContainer {
        try Self.validate(identifier)
        do throws(SystemError) {
            let root = try Descriptor.openDirectory(path)
            let directory = try StoredContainer.open(identifier, in: root)
            return StoredContainer(identifier, directory: directory, root: root)
        } catch {
            if error.errno == .noSuchFileOrDirectory { throw ContainerError.notFound }
            throw error
        }
    }

    /// The names of all containers, sorted; none when there is no directory.
    public func identifiers() throws(SystemError) -> [String] {
        do throws(SystemError) {
            return try Descriptor.openDirectory(path).entries().filter { (try? Self.validate($0)) != nil }
        } catch {
            if error.errno == .noSuchFileOrDirectory { return [] }
            throw SystemError("list", path, errno: error.errno)
        }
    }
}
