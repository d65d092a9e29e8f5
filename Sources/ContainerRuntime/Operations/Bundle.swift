import CLinux
import JSONCoding
import LinuxSystem
import RuntimeSpec
import SystemPackage

extension Spec {
    /// Whether the container has a pid namespace to itself.
    var hasOwnProcesses: Bool { linux?.namespace(.pid).map { ($0.path ?? "").isEmpty } ?? false }
    /// Whether it has a mount namespace to itself.
    var ownsMounts: Bool { linux?.namespace(.mount).map { ($0.path ?? "").isEmpty } ?? false }
    /// crun's annotation for podman's `--group-add keep-groups`.
    var keepsGroups: Bool { annotations?["run.oci.keep_original_groups"] == "1" }
}

/// A directory with a `config.json`, read and checked.
struct Bundle {
    /// Absolute.
    var path: String
    var spec: Spec
    /// The document as it was read; with what was added where an ordinary user's container could not do without.
    var bytes: [UInt8]

    /// - Throws: `SystemError` for a file that cannot be read, `ContainerError` that names the file and the field.
    init(_ options: CreateOptions) throws {
        let directory = try Descriptor.openDirectory(options.bundle)
        let folder = try directory.path()
        var file = ""
        let opened = try Self.open(options.document, in: folder, &file)
        path = folder
        bytes = try opened.readAll(limit: StoredContainer.documentLimit)
        do {
            spec = try Spec(json: bytes)
            try spec.validate()
            spec.linux?.resources?.omitZeros(version: spec.ociVersion)
        } catch {
            throw ContainerError(.invalid, "\(file): \(error)")
        }
        if let user = try OrdinaryUser.current(), spec.complete(for: user) { bytes = spec.json.bytes }
        if options.listenDescriptors > 0 {
            // For a program that a service manager would have started with these sockets (sd_listen_fds(3)).
            let variables = ["LISTEN_FDS=\(options.listenDescriptors)", "LISTEN_PID=1"]
            let names = options.listenNames.map { ["LISTEN_FDNAMES=\($0)"] } ?? []
            let environment = spec.process?.env ?? []
            spec.process?.env = environment + variables + names
        }
    }

    /// Opens the document that is named from where the command is given, as for crun; or in the bundle where there is none.
    ///
    /// - Parameter file: Its path, for messages.
    private static func open(
        _ document: String?, in folder: String, _ file: inout String
    ) throws(SystemError) -> Descriptor {
        if let document {
            file = document
            do throws(SystemError) {
                return try Descriptor.open(file)
            } catch {
                let isAbsolute = document.utf8.first == UInt8(ascii: "/")
                guard error.errno == .noSuchFileOrDirectory, !isAbsolute else { throw error }
            }
        }
        file = "\(folder)/\(document ?? "config.json")"
        return try Descriptor.open(file)
    }

    /// Whether somebody outside of the container may change files that it executes, or sees its processes.
    var sharesWritableFiles: Bool {
        let isBound = (spec.mounts ?? []).contains { mount in
            mount.type == "bind" || (mount.options ?? []).contains { $0 == "bind" || $0 == "rbind" }
        }
        let pid = spec.linux?.namespace(.pid)
        return isBound || !spec.ownsMounts || pid == nil || !(pid?.path ?? "").isEmpty
    }

    /// Whether something may run in the container before its program, although nobody waits for `start`: hooks do, from
    /// the image too, and others may do for them what they like while the container counts as created.
    func mayBeEnteredEarly(_ usesSystemd: Bool) -> Bool { usesSystemd || !(spec.hooks?.isEmpty ?? true) }

    func record(_ identifier: String) -> StateRecord {
        let root = spec.root?.path ?? ""
        return StateRecord(
            ociVersion: spec.ociVersion, id: identifier, pid: 0, startTime: 0, bundle: path,
            rootfs: root.utf8.first == UInt8(ascii: "/") ? root : "\(path)/\(root)",
            created: Timestamp.now(nanoseconds: true),
            owner: UInt32(getauxval(UInt(AT_UID))), hasHooks: !(spec.hooks?.isEmpty ?? true),
            annotations: spec.annotations)
    }

    /// A terminal of a container that nobody stays with has to go somewhere.
    ///
    /// - Parameter name: What the runtime is called.
    func requireConsole(_ socket: String?, of name: String, isDetached: Bool) throws(ContainerError) {
        let hasTerminal = spec.process?.terminal ?? false
        if isDetached, hasTerminal, socket == nil {
            throw ContainerError(
                .invalid,
                "process.terminal: cannot allocate tty if \(name) will detach without setting console socket (--console-socket)"
            )
        }
        if socket != nil, !(isDetached && hasTerminal) {
            throw ContainerError(
                .invalid, "cannot use console socket if \(name) will not detach or allocate tty (process.terminal)")
        }
    }
}
