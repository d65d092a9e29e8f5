import CLinux
public import LinuxSystem
import SystemPackage

/// The images of this machine: names, configurations and unpacked layers below one directory.
///
///     references/NAME -> ../images/HEX      what a name means, replaced by rename
///     images/HEX/config.json                the configuration document, byte for byte; HEX is its sha256
///     images/HEX/image.json                 what a run needs of it (`Image`)
///     layers/HEX/fs                         a layer unpacked, shared by images; HEX is the sha256 of its archive
///     images.lock                           held while any of the above changes
///     tmp/ID                                work in progress, with the lock of whoever does it
///
/// Reading takes no lock, because every object appears and disappears by one rename. A lookup is one file read.
public struct ImageStore: Sendable {
    public let root: String

    public init(root: String = ImageStore.defaultRoot) { self.root = root }

    public static let defaultRoot = "/var/lib/swbox"
}

// MARK: Lookup

extension ImageStore {
    /// Finds an image by name, by id or by an unambiguous prefix of its id, as a person types it.
    ///
    /// - Returns: nil when there is none.
    /// - Throws: `ImageStoreError`: not a name, an ambiguous prefix, a damaged record.
    public func image(_ text: String) throws -> Image? {
        try find(text)?.image
    }

    /// The image of a full id; nil when it is not in the store.
    public func image(id: Digest) throws -> Image? {
        try record("images/\(id.hex)")
    }

    /// What a text that a person typed refers to, and whether it was understood as a name.
    func find(_ text: String) throws -> (image: Image, reference: ImageReference?)? {
        if let id = Digest(text) ?? Digest(hex: text) { return try image(id: id).map { ($0, nil) } }
        let reference: ImageReference
        do {
            reference = try ImageReference(parsing: text)
        } catch {
            if let found = try image(idPrefix: text) { return (found, nil) }
            throw error
        }
        if let found = try record("references/\(reference.key)") { return (found, reference) }
        return try image(idPrefix: text).map { ($0, nil) }
    }

    private func image(idPrefix text: String) throws -> Image? {
        let digits = text.hasPrefix(Digest.prefix) ? text.dropFirst(Digest.prefix.count) : text[...]
        guard (1...64).contains(digits.utf8.count), digits.utf8.allSatisfy(isLowerHexDigit) else { return nil }
        let matches = try list("images").filter { $0.hasPrefix(digits) }.compactMap { Digest(hex: $0) }
        guard matches.count < 2 else {
            throw ImageStoreError(
                .ambiguous,
                "image id \(digits) is ambiguous: it begins \(matches.map(\.short).joined(separator: ", "))")
        }
        return try matches.first.flatMap(image(id:))
    }

    /// Reads `image.json` of an image directory or of a link to one.
    private func record(_ directory: String) throws -> Image? {
        let path = "\(root)/\(directory)/image.json"
        let bytes: [UInt8]
        do {
            bytes = try Descriptor.open(path).readAll()
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
        return try decodeJSON(Image.self, from: bytes, name: path)
    }
}

// MARK: Contents

extension ImageStore {
    /// The directories of an image's layers, lowest first, to be stacked by an overlay.
    public func layerDirectories(of image: Image) -> [String] {
        image.layers.map { "\(root)/layers/\($0.hex)/fs" }
    }

    /// The configuration document of an image, byte for byte as it was loaded.
    ///
    /// - Throws: `SystemError`; ENOENT when the image is not in the store.
    public func document(of id: Digest) throws -> [UInt8] {
        try Descriptor.open("\(root)/images/\(id.hex)/config.json").readAll()
    }

    /// Every image, newest first; images without a name too.
    public func images() throws -> [Image] {
        try list("images").compactMap { name in
            // An image that is removed between the listing and the reading is no error.
            try Digest(hex: name).flatMap(image(id:))
        }
        .sorted { ($1.created ?? .min, $0.id.hex) < ($0.created ?? .min, $1.id.hex) }
    }

    /// Every name and the id it means.
    public func references() throws -> [ImageReference: Digest] {
        guard let directory = try open("references") else { return [:] }
        var result: [ImageReference: Digest] = [:]
        for key in try directory.entries() {
            guard let reference = ImageReference(key: key), let target = try directory.readSymbolicLink(key),
                let hex = target.split(separator: "/").last, let id = Digest(hex: hex)
            else { continue }
            result[reference] = id
        }
        return result
    }

    /// The names of one image, sorted.
    public func references(of id: Digest) throws -> [ImageReference] {
        try references().filter { $0.value == id }.keys.sorted { $0.description < $1.description }
    }

    /// Keeps images from being changed or removed while the lock is held (shared), or keeps others from looking that
    /// carefully while one changes them (exclusive).
    ///
    /// To start a container, hold the shared lock from the lookup until the container's record names the image.
    public func lock(_ mode: FileLock.Mode) throws(SystemError) -> FileLock {
        do throws(SystemError) {
            return try FileLock("\(root)/images.lock", mode)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            _ = try openMakingDirectories(root)
            return try FileLock("\(root)/images.lock", mode)
        }
    }

    /// The entries of a directory of the store; empty when it does not exist yet.
    func list(_ directory: String) throws(SystemError) -> [String] {
        try open(directory)?.entries() ?? []
    }

    func open(_ directory: String) throws(SystemError) -> Descriptor? {
        do throws(SystemError) {
            return try Descriptor.openDirectory("\(root)/\(directory)")
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw error
        }
    }
}
