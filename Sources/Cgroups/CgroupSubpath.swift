import CLinux
import LinuxSystem
import SystemPackage

/// A cgroup inside another one, for certain controllers or for all: runc's `[CONTROLLER[,CONTROLLER…]:]PATH`.
public struct CgroupSubpath: Hashable, Sendable {
    /// v1's names; empty for every hierarchy.
    public let controllers: Set<String>
    /// Empty for the cgroup itself.
    public let components: [String]

    /// - Throws: `CgroupError` with EINVAL for a path that leads out.
    public init(_ text: String) throws(CgroupError) {
        let colon = text.firstIndex(of: ":")
        controllers = Set((colon.map { text[..<$0] } ?? "").split(separator: ",").map(String.init))
        let path = colon.map { text[text.index(after: $0)...] } ?? text[...]
        components = path.split(separator: "/").filter { $0 != "." }.map(String.init)
        guard !components.contains(".."), !path.utf8.contains(0) else {
            // The words of runc and of crun.
            throw CgroupError(
                "read path", "'\(text)'", errno: .invalidArgument,
                hint: "bad sub cgroup path: `..` components are not allowed")
        }
    }

    /// Of names that the kernel gave.
    private init(components: [String]) {
        controllers = []
        self.components = components
    }

    /// Where a further process of a container goes when its cgroup can hold none: one whose controllers are shared out
    /// among cgroups inside has no processes of its own (cgroup-v2.rst, "No Internal Process Constraint"). A systemd in the
    /// container makes it such.
    ///
    /// - Parameter process: The container's first process.
    /// - Returns: The cgroup that it is in, as with runc; nil where the container's own will do.
    public init?(in cgroup: Cgroup, beside process: Int32) {
        guard let directory = cgroup.unifiedDirectory,
            let shared = try? directory.words("cgroup.subtree_control"), !shared.isEmpty,
            let bytes = try? Descriptor.open("/proc/\(process)/cgroup").readAll()
        else { return nil }
        let lines = String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        guard let line = lines.first(where: { $0.hasPrefix("0::/") }) else { return nil }
        let place = line.dropFirst("0::".count).split(separator: "/").map(String.init)
        // What is mounted here may be a part of the hierarchy; the path begins below.
        let own = cgroup.path.components
        guard let start = place.indices.first(where: { place[$0...].starts(with: own) }) else { return nil }
        self.init(components: Array(place[start...].dropFirst(own.count)))
    }

    func directory(in cgroup: CgroupDirectory) -> CgroupDirectory {
        var directory = cgroup
        directory.path = ([cgroup.path] + components).joined(separator: "/")
        return directory
    }
}

extension Cgroup {
    /// Opens what a child needs to enter cgroups inside this one, which exist.
    ///
    /// - Parameter subpaths: Where to; a hierarchy that none is about is entered at the cgroup itself, and so is one that
    ///   lacks a path which is about all of them, unless they all do.
    /// - Parameter byWriting: Whether the child enters v2's by a file too. In the cgroup namespace of another, whose root is
    ///   that one's cgroup, the kernel clones nobody out of it (`nsdelegate`); what was opened outside leads there.
    /// - Throws: `CgroupError`; ENOENT for a path that is missing, EINVAL for a controller that this machine does not have.
    public func entrance(
        inside subpaths: [CgroupSubpath], byWriting: Bool = false
    ) throws(CgroupError) -> CgroupEntrance {
        if subpaths.isEmpty {
            return try Self.entrance(unified: unifiedDirectory, version1Directories, byWriting, name: path.description)
        }
        for name in subpaths.flatMap(\.controllers) where !root.hierarchies.contains(where: { $0.knows(name) }) {
            throw CgroupError(
                "join", path.description, errno: .invalidArgument, hint: "unknown controller \(name)")
        }
        let general = subpaths.last { $0.controllers.isEmpty && !$0.components.isEmpty }
        var isFound = general == nil
        func place(_ directory: CgroupDirectory, _ own: CgroupSubpath?) throws(CgroupError) -> CgroupDirectory {
            guard let subpath = own ?? general else { return directory }
            let place = subpath.directory(in: directory)
            if place.exists {
                isFound = true
                return place
            }
            guard own == nil else { throw Self.missing(place) }
            return directory
        }
        var places: [CgroupDirectory] = []
        for hierarchy in root.hierarchies {
            let directory = CgroupDirectory(mountPoint: hierarchy.mountPoint, path: path)
            let own = subpaths.last { $0.controllers.contains { hierarchy.knows($0) } }
            if directory.exists { places.append(try place(directory, own)) }
        }
        var unified: CgroupDirectory?
        if let directory = unifiedDirectory, directory.exists { unified = try place(directory, nil) }
        guard isFound, !places.isEmpty || unified != nil else {
            let directory = unifiedDirectory ?? version1Directories.first
            throw Self.missing(directory.flatMap { general?.directory(in: $0) ?? $0 })
        }
        return try Self.entrance(unified: unified, places, byWriting, name: path.description)
    }

    /// The same for a further process of a container, which goes where its first process is when the cgroup itself holds
    /// none any more.
    public func entrance(beside process: Int32) throws(CgroupError) -> CgroupEntrance {
        try entrance(inside: CgroupSubpath(in: self, beside: process).map { [$0] } ?? [])
    }

    private static func missing(_ directory: CgroupDirectory?) -> CgroupError {
        CgroupError(
            "error adding pid to \(directory?.path ?? "a cgroup")", directory?.name ?? "", errno: .noSuchFileOrDirectory
        )
    }

    /// Opens those of some directories that there are. The corresponding system call is `open`.
    private static func entrance(
        unified: CgroupDirectory?, _ version1: [CgroupDirectory], _ byWriting: Bool, name: String
    ) throws(CgroupError) -> CgroupEntrance {
        var directory: Int32 = -1
        var files: [Int32] = []
        do throws(SystemError) {
            if let unified, !byWriting {
                directory = try present { () throws(SystemError) in try Descriptor.openDirectory(unified.path) }
            }
            let written = byWriting ? unified.map { ["\($0.path)/cgroup.procs"] } ?? [] : []
            for path in version1.map({ "\($0.path)/tasks" }) + written {
                let file = try present { () throws(SystemError) in try Descriptor.open(path, O_WRONLY) }
                if file >= 0 { files.append(file) }
            }
        } catch {
            _ = CgroupEntrance(directory: directory, taskFiles: files)
            throw CgroupError("open", name, error)
        }
        guard directory >= 0 || !files.isEmpty else { throw missing(unified ?? version1.first) }
        return CgroupEntrance(directory: directory, taskFiles: files)
    }

    private static func present(_ open: () throws(SystemError) -> Descriptor) throws(SystemError) -> Int32 {
        do throws(SystemError) {
            return try open().release()
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return -1
        }
    }
}

extension CgroupHierarchy {
    fileprivate func knows(_ name: String) -> Bool { controllers.contains(name) }
}
