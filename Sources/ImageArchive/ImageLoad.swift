public import ImageStore
import CLinux
import LinuxSystem
import SystemPackage

/// Adds the images of an archive that `docker save`, `podman save`, `skopeo` or a builder wrote: a docker archive or an
/// OCI layout, as a tar archive (plain or compressed) or as a directory.
public struct ImageLoad: Sendable {
    public var limits = ArchiveLimits()
    /// The name for images of an OCI layout that gives them none, or only a tag.
    public var name: ImageReference?

    public init() {}

    /// An image that was loaded.
    public struct Result: Sendable {
        public var image: Image
        /// The names that the archive gave it.
        public var references: [ImageReference]
        /// Names that meant another image before, and that image.
        public var replaced: [ImageReference: Digest]
    }

    /// Reads the archive and adds its images.
    ///
    /// Every image is checked as far as it can be before the first layer is unpacked. The layers have to have the
    /// digests that the configuration names, so that what is added is what the id says.
    ///
    /// - Throws: `ImageArchiveError`, `ImageStoreError` or `SystemError`; nothing is left of the images then that were
    ///   not complete. Equivalent to `docker load`.
    public func run(
        _ input: ArchiveInput, into store: ImageStore, progress: @escaping (ArchiveProgress) -> Void = { _ in }
    ) throws -> [Result] {
        try requireRoot()
        let opened = try input.open()
        let transaction = try store.begin()
        let source = try self.source(opened, transaction, progress)
        let plans = try self.plans(source)
        let sizes = try addLayers(of: plans, from: source, transaction, progress)
        var results: [Result] = []
        for plan in plans {
            let size = plan.layers.reduce(0) { $0 + sizes[$1.diffID, default: 0] }
            let image = Image(id: plan.id, document: plan.document, size: size)
            let replaced = try transaction.commit(image, document: plan.bytes, references: plan.references)
            results.append(Result(image: image, references: plan.references, replaced: replaced))
        }
        return results
    }

    private func plans(_ source: any ImageSource) throws -> [ImagePlan] {
        // docker writes both kinds into one archive since 25.0; its own manifest has the names people gave.
        if let bytes = try source.document(DockerArchive.manifest) {
            return try DockerArchive.plans(source, bytes, limits: limits)
        }
        if let bytes = try source.document(OCILayout.index) {
            return try OCILayout.plans(source, bytes, limits: limits, name: name)
        }
        if try source.document("repositories") != nil {
            throw ImageArchiveError(source.name, "was written by a docker older than 1.10, which is not supported")
        }
        throw ImageArchiveError(
            source.name,
            "is neither a docker archive nor an OCI layout: it has no manifest.json and no index.json"
                + " (a root file system is taken by import)")
    }

    private func source(
        _ input: ArchiveInput.Opened, _ transaction: borrowing ImageTransaction,
        _ progress: (ArchiveProgress) -> Void
    ) throws -> any ImageSource {
        switch input {
        case .directory(let file, let name): return DirectoryImageSource(file, name: name, limits: limits)
        case .file(let file, let name, let start):
            return try TarImageSource(file, name: name, from: start, limits: limits)
        case .pipe(let file, let name):
            let copy = OpenFile(
                try Descriptor.open(
                    "input", O_RDWR | O_CREAT | O_EXCL, mode: 0o600, relativeTo: transaction.directory.rawValue))
            try self.copy(FileStream(file, name: name, from: nil), to: copy, progress)
            return try TarImageSource(copy, name: name, from: 0, limits: limits)
        }
    }

    private func copy(_ stream: FileStream, to file: OpenFile, _ progress: (ArchiveProgress) -> Void) throws {
        var total: Int64 = 0
        while true {
            let chunk = unsafe try stream.next()
            if unsafe chunk.isEmpty { break }
            total += Int64(chunk.count)
            guard total <= limits.bytes else {
                throw ImageArchiveError(stream.name, "is longer than the limit of \(limits.bytes) bytes")
            }
            unsafe try file.descriptor.writeAll(chunk)
            progress(.copying(bytes: total))
        }
        guard total > 0 else { throw ImageArchiveError(stream.name, "is empty") }
    }

    /// Unpacks the layers that the store lacks.
    ///
    /// - Returns: Bytes of the files in each layer.
    private func addLayers(
        of plans: [ImagePlan], from source: any ImageSource, _ transaction: borrowing ImageTransaction,
        _ progress: @escaping (ArchiveProgress) -> Void
    ) throws -> [Digest: Int64] {
        var sizes: [Digest: Int64] = [:]
        var wanted: [String: ImagePlan.Layer] = [:]
        var planned: Set<Digest> = []
        for layer in plans.flatMap(\.layers) {
            if let other = wanted[layer.member], other.diffID != layer.diffID || other.blob != layer.blob {
                throw ImageArchiveError(
                    "\(source.name): \(printable(layer.member.utf8))", "is used as two different layers")
            }
            guard planned.insert(layer.diffID).inserted else { continue }
            if try transaction.keepLayer(layer.diffID) {
                sizes[layer.diffID] = try transaction.layerSize(layer.diffID)
                progress(.present(layer: layer.diffID))
            } else {
                wanted[layer.member] = layer
            }
        }
        if wanted.isEmpty { return sizes }
        var count = 0
        let members = try source.members(Set(wanted.keys))
        while let (member, stream) = try members.next() {
            guard let layer = wanted[member] else { continue }
            count += 1
            let staging = "layer-\(count)"
            let root = try transaction.makeLayer(staging)
            let size = try unpack(layer, stream, root, progress)
            try transaction.addLayer(staging, diffID: layer.diffID, size: size)
            progress(.unpacked(layer: layer.diffID, bytes: size))
            sizes[layer.diffID] = size
        }
        return sizes
    }

    private func unpack(
        _ layer: ImagePlan.Layer, _ stream: any ByteStream, _ root: consuming Descriptor,
        _ progress: @escaping (ArchiveProgress) -> Void
    ) throws -> Int64 {
        let unpacker = LayerUnpacker(
            limits: limits, compression: layer.blob?.compression, declaredSize: layer.blob?.size)
        let result = try unpacker.unpack(ProgressStream(stream, layer: layer.diffID, progress: progress), into: root)
        if let blob = layer.blob, blob.digest != result.blob {
            throw ImageArchiveError(stream.name, "has digest \(result.blob), and its manifest names \(blob.digest)")
        }
        guard result.diffID == layer.diffID else {
            throw ImageArchiveError(
                stream.name, "unpacks to digest \(result.diffID), and the image names \(layer.diffID)")
        }
        return result.size
    }
}
