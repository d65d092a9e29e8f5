import ImageStore

/// What an OCI document says about another: its type, digest and size (image-spec descriptor.md).
struct ContentDescriptor: Decodable {
    var mediaType: String
    var digest: Digest
    var size: Int64
    var platform: Platform?
    var annotations: [String: String]?

    /// Its file in an OCI layout.
    var blob: String { "blobs/sha256/\(digest.hex)" }
}

/// The types of content that are understood; docker's names for the same documents are taken as well.
enum MediaType {
    static let indexes: Set = [
        "application/vnd.oci.image.index.v1+json",
        "application/vnd.docker.distribution.manifest.list.v2+json",
    ]
    static let manifests: Set = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v2+json",
    ]
    static let configs: Set = [
        "application/vnd.oci.image.config.v1+json",
        "application/vnd.docker.container.image.v1+json",
    ]

    /// How a layer of a type is compressed; nil when the type is none of a layer.
    static func compression(ofLayer type: String) -> Compression? {
        switch type {
        case "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.nondistributable.v1.tar",
            "application/vnd.docker.image.rootfs.diff.tar":
            .plain
        case "application/vnd.oci.image.layer.v1.tar+gzip",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip":
            .gzip
        case "application/vnd.oci.image.layer.v1.tar+zstd",
            "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd":
            .zstd
        default: nil
        }
    }
}

/// An index or an image manifest: which of the two is decided by its members, and they have to agree with its type.
enum OCIDocument {
    case index([ContentDescriptor])
    case manifest(config: ContentDescriptor, layers: [ContentDescriptor])

    /// Reads a document.
    ///
    /// - Parameter type: The media type that the descriptor promised; nil for `index.json`.
    /// - Throws: When the document is both index and manifest, or neither, or not of the type: a document that two
    ///   readers may take for two things is refused (CVE-2021-41190).
    init(parsing bytes: [UInt8], of name: String, type: String?) throws {
        let members = try decodeJSON(Members.self, from: bytes, name: name)
        if let own = members.mediaType, let type, own != type {
            throw ImageArchiveError(
                name, "says it is \(printable(own.utf8)), and its descriptor says \(printable(type.utf8))")
        }
        let promised = type ?? members.mediaType ?? MediaType.indexes.first ?? ""
        guard !members.isBoth else {
            throw ImageArchiveError(name, "is both an index and a manifest, which no honest document is")
        }
        if MediaType.indexes.contains(promised), let manifests = members.manifests {
            self = .index(manifests)
        } else if MediaType.manifests.contains(promised), let config = members.config, let layers = members.layers {
            self = .manifest(config: config, layers: layers)
        } else {
            throw ImageArchiveError(name, "is not what its media type \(printable(promised.utf8)) promises")
        }
    }

    private struct Members: Decodable {
        var mediaType: String?
        var manifests: [ContentDescriptor]?
        var config: ContentDescriptor?
        var layers: [ContentDescriptor]?
        var isBoth: Bool

        private enum CodingKeys: String, CodingKey {
            case schemaVersion, mediaType, manifests, config, layers, fsLayers
        }

        init(from decoder: any Decoder) throws {
            let object = try decoder.container(keyedBy: CodingKeys.self)
            guard try object.decodeIfPresent(Int.self, forKey: .schemaVersion) == 2 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .schemaVersion, in: object, debugDescription: "only version 2 is known")
            }
            let isManifest = object.contains(.config) || object.contains(.layers) || object.contains(.fsLayers)
            isBoth = object.contains(.manifests) && isManifest
            mediaType = try object.decodeIfPresent(String.self, forKey: .mediaType)
            // A document that is both is refused whatever its members hold.
            guard !isBoth else { return }
            manifests = try object.decodeIfPresent([ContentDescriptor].self, forKey: .manifests)
            config = try object.decodeIfPresent(ContentDescriptor.self, forKey: .config)
            layers = try object.decodeIfPresent([ContentDescriptor].self, forKey: .layers)
        }
    }
}
