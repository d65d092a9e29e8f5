import JSONCoding

/// The OCI image configuration (config.md of the image specification), whose digest is the image's id.
///
/// docker's `application/vnd.docker.container.image.v1+json` is the same document with members that we do not need.
public struct ImageDocument: Codable, Hashable, Sendable {
    public var created: String?
    public var author: String?
    public var architecture: String
    public var os: String
    public var variant: String?
    public var config: ImageConfig?
    public var rootfs: RootFileSystem
    public var history: [History]?

    /// The layers, lowest first, by the digest of their uncompressed archives.
    public struct RootFileSystem: Codable, Hashable, Sendable {
        public var type: String
        public var diffIDs: [Digest]

        private enum CodingKeys: String, CodingKey {
            case type
            case diffIDs = "diff_ids"
        }

        public init(diffIDs: [Digest]) {
            type = "layers"
            self.diffIDs = diffIDs
        }
    }

    /// How a layer came to be.
    public struct History: Codable, Hashable, Sendable {
        public var created: String?
        public var createdBy: String?
        public var author: String?
        public var comment: String?
        public var emptyLayer: Bool?

        private enum CodingKeys: String, CodingKey {
            case created, author, comment
            case createdBy = "created_by"
            case emptyLayer = "empty_layer"
        }

        public init(created: String?, createdBy: String? = nil, comment: String? = nil) {
            self.created = created
            self.createdBy = createdBy
            self.comment = comment
        }
    }

    public init(architecture: String, os: String, config: ImageConfig, diffIDs: [Digest]) {
        self.architecture = architecture
        self.os = os
        self.config = config
        rootfs = RootFileSystem(diffIDs: diffIDs)
    }

    /// Reads the document.
    ///
    /// - Throws: `ImageStoreError` (`damaged`) that names the member that is missing or of the wrong type.
    public init(parsing bytes: [UInt8], of name: String) throws(ImageStoreError) {
        self = try decodeJSON(ImageDocument.self, from: bytes, name: "image configuration \(name)")
        guard rootfs.type == "layers" else {
            throw ImageStoreError(
                .damaged, "image configuration \(name): rootfs.type is '\(rootfs.type)', not 'layers'")
        }
    }

    /// The document's bytes, the same for the same contents.
    public func encoded() throws -> [UInt8] { try encodeJSON(self) }
}

/// Decodes one JSON document, with an error that says what is wrong with which member.
public func decodeJSON<Value: Decodable>(
    _ type: Value.Type, from bytes: [UInt8], name: String
) throws(ImageStoreError) -> Value {
    do throws(JSONCodingError) {
        return try JSONDecoding.decode(type, from: bytes)
    } catch {
        throw ImageStoreError(.damaged, "\(name): \(error)")
    }
}

/// Encodes a document with its members in a fixed order.
public func encodeJSON(_ value: some Encodable) throws -> [UInt8] {
    try JSONEncoding.encode(value, layout: .init(isIndented: false, isSorted: true))
}
