import CLinux
public import LinuxSystem
import SystemPackage

/// A change to the store in progress: a directory of its own below `tmp/`, and the lock that says its maker lives.
///
/// What goes into the store is made in that directory and renamed into place by `commit`. When the transaction goes out
/// of scope the directory goes too; when the process is killed, the next transaction finds the lock free and removes it.
public struct ImageTransaction: ~Copyable {
    /// The work directory, on the store's file system.
    public let directory: Descriptor
    /// Its path, for messages.
    public let path: String

    let store: ImageStore
    let name: String
    private let lock: FileLock
    /// The parent of `directory`, kept open so that the clean-up needs no path.
    let parent: Descriptor

    fileprivate init(
        store: ImageStore, name: String, directory: consuming Descriptor, parent: consuming Descriptor,
        lock: consuming FileLock
    ) {
        self.store = store
        self.name = name
        self.path = "\(store.root)/tmp/\(name)"
        self.directory = directory
        self.parent = parent
        self.lock = lock
    }

    deinit { try? parent.removeTree(name) }
}

extension ImageStore {
    /// Starts a change, and clears away what killed processes left.
    public func begin() throws -> ImageTransaction {
        let transaction = try makeTransaction()
        for leftover in try transaction.collect() { try transaction.directory.removeTree(leftover) }
        return transaction
    }

    private func makeTransaction() throws -> ImageTransaction {
        // Sessions are made under the store's lock, and looked for under it, so that nobody takes a young one for dead.
        let guardLock = try lock(.exclusive)
        defer { withExtendedLifetime(guardLock) {} }
        // Nobody else: images hold secrets in their environment and set-user-id programs in their layers.
        for part in ["references", "images", "layers"] { _ = try openMakingDirectories("\(root)/\(part)", mode: 0o700) }
        let parent = try openMakingDirectories("\(root)/tmp", mode: 0o700)
        let name = randomHex(bytes: 8)
        try parent.makeDirectory(name, mode: 0o700)
        let directory = try Descriptor.open(name, O_DIRECTORY | O_PATH | O_NOFOLLOW, relativeTo: parent.rawValue)
        try directory.makeDirectory("pins")
        let lock = try FileLock("lock", in: directory.rawValue)
        return ImageTransaction(store: self, name: name, directory: directory, parent: parent, lock: lock)
    }
}

// MARK: Layers

extension ImageTransaction {
    /// Whether a layer is in the store already; if so it stays there for as long as this transaction lives.
    public borrowing func keepLayer(_ diffID: Digest) throws -> Bool {
        let guardLock = try store.lock(.shared)
        defer { withExtendedLifetime(guardLock) {} }
        guard let layers = try store.open("layers"), layers.contains(diffID.hex) else { return false }
        try Descriptor.open("pins", O_DIRECTORY | O_PATH, relativeTo: directory.rawValue).makeDirectory(diffID.hex)
        return true
    }

    /// Bytes of the files in a layer of the store.
    public borrowing func layerSize(_ diffID: Digest) throws -> Int64 {
        let bytes = try Descriptor.open("\(store.root)/layers/\(diffID.hex)/size").readAll(limit: 64)
        return Int64(String(decoding: bytes, as: UTF8.self)) ?? 0
    }

    /// Makes the directory in which a layer is to be unpacked, and opens its root.
    ///
    /// - Parameter staging: A name of the caller's choice, to be given to `addLayer`.
    public borrowing func makeLayer(_ staging: String) throws -> Descriptor {
        try directory.makeDirectory(staging)
        let layer = try Descriptor.open(staging, O_DIRECTORY | O_PATH, relativeTo: directory.rawValue)
        try layer.makeDirectory("fs")
        let root = try Descriptor.open("fs", O_RDONLY | O_DIRECTORY | O_NOFOLLOW, relativeTo: layer.rawValue)
        // Whatever the caller's umask is: this becomes the root of containers.
        guard fchmod(root.rawValue, 0o755) == 0 else {
            throw SystemError("chmod", "\(path)/\(staging)/fs", errno: .last)
        }
        return root
    }

    /// Declares a layer complete. It goes into the store with the image that has it, or not at all.
    public borrowing func addLayer(_ staging: String, diffID: Digest, size: Int64) throws {
        let layer = try Descriptor.open(staging, O_DIRECTORY | O_PATH, relativeTo: directory.rawValue)
        try layer.replaceFile("size", with: Array(String(size).utf8))
        guard renameat(directory.rawValue, staging, directory.rawValue, Self.staged(diffID)) == 0 else {
            throw SystemError("rename layer to", "\(path)/\(Self.staged(diffID))", errno: .last)
        }
    }

    private static func staged(_ diffID: Digest) -> String { "staged-\(diffID.hex)" }

    /// Moves the layers of an image that the store lacks into it. The caller holds the store's lock.
    ///
    /// The same layer, put there by someone else meanwhile, is kept and ours dropped: they are equal by their digest.
    private borrowing func moveLayers(of image: Image) throws {
        let layers = try Descriptor.openDirectory("\(store.root)/layers")
        for layer in image.layers where !layers.contains(layer.hex) {
            guard directory.contains(Self.staged(layer)) else {
                throw ImageStoreError(.damaged, "add image \(image.id): layer \(layer) is not in the store")
            }
            guard renameat(directory.rawValue, Self.staged(layer), layers.rawValue, layer.hex) == 0 else {
                throw SystemError("rename layer to", "\(store.root)/layers/\(layer.hex)", errno: .last)
            }
        }
    }

    /// Waits until what was written is on the disk, so that no file of a committed layer is empty after a power cut.
    private borrowing func synchronize() throws(SystemError) {
        let handle = try Descriptor.open(".", O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue)
        guard syncfs(handle.rawValue) == 0 else { throw SystemError("synchronize", path, errno: .last) }
    }
}

// MARK: Images

extension ImageTransaction {
    /// Adds an image whose layers are all in the store or were added here, and gives it names.
    ///
    /// - Parameter document: The configuration document's bytes, of which `image.id` has to be the digest.
    /// - Returns: The names that meant another image before, with that image's id.
    @discardableResult
    public borrowing func commit(
        _ image: Image, document: [UInt8], references: [ImageReference]
    ) throws -> [ImageReference: Digest] {
        let staging = "image-\(image.id.hex)"
        try directory.makeDirectory(staging)
        let record = try Descriptor.open(staging, O_DIRECTORY | O_PATH, relativeTo: directory.rawValue)
        try record.replaceFile("config.json", with: document)
        try record.replaceFile("image.json", with: try encodeJSON(image))
        try synchronize()
        let guardLock = try store.lock(.exclusive)
        defer { withExtendedLifetime(guardLock) {} }
        try moveLayers(of: image)
        let images = try Descriptor.openDirectory("\(store.root)/images")
        if !images.contains(image.id.hex) {
            guard renameat(directory.rawValue, staging, images.rawValue, image.id.hex) == 0 else {
                throw SystemError("rename image to", "\(store.root)/images/\(image.id.hex)", errno: .last)
            }
        }
        return try point(references, to: image.id)
    }

    /// Gives an image of the store more names.
    @discardableResult
    public borrowing func tag(_ id: Digest, _ references: [ImageReference]) throws -> [ImageReference: Digest] {
        let guardLock = try store.lock(.exclusive)
        defer { withExtendedLifetime(guardLock) {} }
        guard try store.image(id: id) != nil else { throw ImageStoreError(.notFound, "no such image: \(id)") }
        return try point(references, to: id)
    }

    private borrowing func point(
        _ references: [ImageReference], to id: Digest
    ) throws -> [ImageReference: Digest] {
        let known = try store.references()
        let links = try Descriptor.openDirectory("\(store.root)/references")
        var replaced: [ImageReference: Digest] = [:]
        for reference in references {
            if let old = known[reference], old != id { replaced[reference] = old }
            try directory.remove("link")
            try directory.makeSymbolicLink("link", to: "../images/\(id.hex)")
            guard renameat(directory.rawValue, "link", links.rawValue, reference.key) == 0 else {
                throw SystemError("name image", reference.description, errno: .last)
            }
        }
        return replaced
    }
}
