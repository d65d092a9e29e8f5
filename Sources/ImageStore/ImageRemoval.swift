import CLinux
import LinuxSystem
import SystemPackage

/// A container that was made from an image.
public struct ImageUser: Hashable, Sendable {
    /// What a message calls it: the container's short id or name.
    public var name: String
    public var isRunning: Bool

    public init(name: String, isRunning: Bool) {
        self.name = name
        self.isRunning = isRunning
    }
}

/// What the removal of an image did, in the words of `docker rmi`.
public enum ImageRemoval: Hashable, Sendable, CustomStringConvertible {
    case untagged(ImageReference)
    case deleted(Digest)
    /// A layer that no other image has.
    case deletedLayer(Digest)

    public var description: String {
        switch self {
        case .untagged(let reference): "Untagged: \(reference.familiar)"
        case .deleted(let id), .deletedLayer(let id): "Deleted: \(id)"
        }
    }
}

extension ImageStore {
    /// Takes a name from an image and, when that was its last, removes the image and the layers only it has.
    ///
    /// Naming the image by its id removes it whole, and all its names when `force` is set. An image that containers were
    /// made from stays, as `docker rmi` has it; with `force` and if none of them runs it loses its names only, because
    /// the containers' root file systems are stacked on its layers.
    ///
    /// - Parameter users: The containers made from an image. It is called with the store locked.
    /// - Throws: `ImageStoreError`: `notFound`, or `conflict` with what to do.
    public func remove(
        _ text: String, force: Bool = false, users: (Digest) throws -> [ImageUser]
    ) throws -> [ImageRemoval] {
        // The transaction's directory takes what is removed, so that a reader never sees half of it.
        let transaction = try begin()
        return try transaction.remove(text, force: force, users: users)
    }
}

extension ImageTransaction {
    fileprivate borrowing func remove(
        _ text: String, force: Bool, users: (Digest) throws -> [ImageUser]
    ) throws -> [ImageRemoval] {
        let guardLock = try store.lock(.exclusive)
        defer { withExtendedLifetime(guardLock) {} }
        guard let (image, reference) = try store.find(text) else {
            throw ImageStoreError(.notFound, "no such image: \(text)")
        }
        let all = try store.references(of: image.id)
        let remaining = reference.map { name in all.filter { $0.key != name.key } } ?? []
        if reference == nil, all.count > 1, !force {
            throw ImageStoreError(
                .conflict,
                "remove image \(image.id.short): it has several names, \(all.map(\.familiar).joined(separator: ", "))"
                    + " (remove them one by one, or all with -f)")
        }
        let containers = remaining.isEmpty ? try users(image.id) : []
        if let user = containers.first(where: \.isRunning) ?? containers.first, user.isRunning || !force {
            let advice =
                user.isRunning ? "stop and remove it first" : "remove it first, or use -f to take the name only"
            throw ImageStoreError(
                .conflict,
                "remove image \(text): container \(user.name) \(user.isRunning ? "runs" : "was made") from it (\(advice))"
            )
        }
        var result: [ImageRemoval] = []
        let links = try Descriptor.openDirectory("\(store.root)/references")
        for name in reference.map({ [$0] }) ?? all {
            try links.remove(name.key)
            result.append(.untagged(name))
        }
        guard remaining.isEmpty, containers.isEmpty else { return result }
        try discard("images", image.id.hex)
        result.append(.deleted(image.id))
        let orphans = try unusedLayers()
        for layer in image.layers.reversed() where orphans.contains(layer) { result.append(.deletedLayer(layer)) }
        for layer in orphans { try discard("layers", layer.hex) }
        return result
    }

    /// Moves an object out of the store; it is deleted with the transaction's directory, when the lock is free again.
    @discardableResult
    private borrowing func discard(_ part: String, _ name: String) throws(SystemError) -> String {
        let target = "removed-\(part)-\(name)"
        let source = try Descriptor.openDirectory("\(store.root)/\(part)")
        guard renameat(source.rawValue, name, directory.rawValue, target) == 0 else {
            throw SystemError("remove", "\(store.root)/\(part)/\(name)", errno: .last)
        }
        return target
    }

    /// Finds what killed processes left, their directories and layers that nobody needs, and moves it here.
    ///
    /// - Returns: The names it now has in `directory`, to be deleted when the store's lock is free again.
    borrowing func collect() throws -> [String] {
        let guardLock = try store.lock(.exclusive)
        defer { withExtendedLifetime(guardLock) {} }
        var found: [String] = []
        for session in try store.list("tmp") where session != name {
            // A directory without the file is one whose maker was killed early, since it makes both under the lock.
            guard let lock = try FileLock.attempt("\(store.root)/tmp/\(session)/lock") else { continue }
            found.append("dead-\(session)")
            guard renameat(parent.rawValue, session, directory.rawValue, "dead-\(session)") == 0 else {
                throw SystemError("remove", "\(store.root)/tmp/\(session)", errno: .last)
            }
            withExtendedLifetime(lock) {}
        }
        for layer in try unusedLayers() { found.append(try discard("layers", layer.hex)) }
        return found
    }

    /// The layers that belong to no image and that no living transaction has pinned.
    private borrowing func unusedLayers() throws -> Set<Digest> {
        var used: Set<String> = []
        for image in try store.images() { used.formUnion(image.layers.map(\.hex)) }
        for session in try store.list("tmp") {
            used.formUnion(try store.list("tmp/\(session)/pins"))
        }
        return Set(try store.list("layers").filter { !used.contains($0) }.compactMap { Digest(hex: $0) })
    }
}
