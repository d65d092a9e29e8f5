import ImageStore

/// An image that an archive promises, before any of its layers has been read.
struct ImagePlan {
    struct Layer {
        /// Its file in the source.
        var member: String
        var diffID: Digest
        /// What the manifest says about the file; nil in a docker archive, which says nothing.
        var blob: Blob?
    }

    struct Blob: Hashable {
        var digest: Digest
        var size: Int64
        var compression: Compression
    }

    var id: Digest
    /// The configuration's bytes, whose digest the id is.
    var bytes: [UInt8]
    var document: ImageDocument
    /// Lowest first.
    var layers: [Layer]
    var references: [ImageReference]

    /// - Parameter files: The layers' files, lowest first, without their digests.
    init(
        bytes: [UInt8], name: String, files: [(member: String, blob: Blob?)], references: [ImageReference],
        limits: ArchiveLimits
    ) throws {
        id = try digest(of: bytes, name: name)
        self.bytes = bytes
        document = try ImageDocument(parsing: bytes, of: name)
        self.references = references
        guard document.os == "linux" else {
            throw ImageArchiveError(name, "is for \(printable(document.os.utf8)), not for linux")
        }
        let diffIDs = document.rootfs.diffIDs
        guard diffIDs.count == files.count else {
            throw ImageArchiveError(
                name, "names \(diffIDs.count) layers, and its manifest has \(files.count)")
        }
        guard files.count <= limits.layers else {
            throw ImageArchiveError(name, "has \(files.count) layers, more than the limit of \(limits.layers)")
        }
        layers = zip(files, diffIDs).map { Layer(member: $0.member, diffID: $1, blob: $0.blob) }
    }
}
