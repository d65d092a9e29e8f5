import ImageStore

/// An OCI image layout: `index.json` names manifests, which name blobs by their digests (image-spec image-layout.md).
struct OCILayout {
    static let index = "index.json"

    private struct Version: Decodable { var imageLayoutVersion: String }

    private let source: any ImageSource
    private let limits: ArchiveLimits
    /// The name for an image that the layout gives none or only a tag.
    private let name: ImageReference?
    /// Platforms that were passed over, for the error when nothing is left.
    private var others: [String] = []
    private var plans: [Digest: ImagePlan] = [:]
    private var order: [Digest] = []

    private init(_ source: any ImageSource, limits: ArchiveLimits, name: ImageReference?) {
        self.source = source
        self.limits = limits
        self.name = name
    }

    /// The images for this machine that the layout promises.
    static func plans(
        _ source: any ImageSource, _ bytes: [UInt8], limits: ArchiveLimits, name: ImageReference?
    ) throws -> [ImagePlan] {
        let version = try decodeJSON(
            Version.self, from: try source.requiredDocument("oci-layout"), name: "\(source.name): oci-layout")
        guard version.imageLayoutVersion.hasPrefix("1.") else {
            throw ImageArchiveError(
                "\(source.name): oci-layout", "is of version \(printable(version.imageLayoutVersion.utf8)); 1 is known")
        }
        let document = try OCIDocument(parsing: bytes, of: "\(source.name): \(index)", type: nil)
        guard case .index(let manifests) = document else {
            throw ImageArchiveError("\(source.name): \(index)", "is not an index")
        }
        var layout = OCILayout(source, limits: limits, name: name)
        for descriptor in manifests { try layout.add(descriptor, named: [], depth: 0) }
        guard !layout.order.isEmpty else {
            let found = layout.others.isEmpty ? "" : " (it has \(Set(layout.others).sorted().joined(separator: ", ")))"
            throw ImageArchiveError(source.name, "has no image for \(Platform.host)\(found)")
        }
        return layout.order.compactMap { layout.plans[$0] }
    }

    private mutating func add(
        _ descriptor: ContentDescriptor, named outer: [ImageReference], depth: Int
    ) throws {
        let annotations = descriptor.annotations ?? [:]
        // Provenance and the like, which builders put next to the image it is about.
        if annotations["vnd.docker.reference.type"] != nil { return }
        if let platform = descriptor.platform, !platform.isHost {
            others.append(printable(platform.description.utf8))
            return
        }
        guard depth < 4 else { throw ImageArchiveError(source.name, "has indexes nested too deeply") }
        let known = MediaType.indexes.union(MediaType.manifests)
        guard known.contains(descriptor.mediaType) else {
            throw ImageArchiveError(
                "\(source.name): \(descriptor.blob)",
                "is of type \(printable(descriptor.mediaType.utf8)), which is neither an image nor an index")
        }
        let references = outer + (try reference(annotations).map { [$0] } ?? [])
        let document = try OCIDocument(
            parsing: try source.document(of: descriptor), of: "\(source.name): \(descriptor.blob)",
            type: descriptor.mediaType)
        switch document {
        case .index(let manifests):
            // The first that fits is the one to take; those after it may be worse variants.
            let count = order.count
            for inner in manifests where order.count == count {
                try add(inner, named: references, depth: depth + 1)
            }
        case .manifest(let config, let layers):
            try add(try plan(config, layers, references), for: descriptor.digest)
        }
    }

    /// The same manifest may be listed once for each of its names.
    private mutating func add(_ plan: ImagePlan, for manifest: Digest) throws {
        if plans[manifest] != nil {
            plans[manifest]?.references += plan.references
        } else {
            plans[manifest] = plan
            order.append(manifest)
        }
    }

    private func plan(
        _ config: ContentDescriptor, _ layers: [ContentDescriptor], _ references: [ImageReference]
    ) throws -> ImagePlan {
        guard MediaType.configs.contains(config.mediaType) else {
            throw ImageArchiveError(
                "\(source.name): \(config.blob)",
                "is of type \(printable(config.mediaType.utf8)), which is not the configuration of an image")
        }
        let files = try layers.map { layer in
            guard let compression = MediaType.compression(ofLayer: layer.mediaType) else {
                throw ImageArchiveError(
                    "\(source.name): \(layer.blob)", "is of type \(printable(layer.mediaType.utf8)), which is no layer")
            }
            guard layer.size >= 0, layer.size <= limits.bytes else {
                throw ImageArchiveError(
                    "\(source.name): \(layer.blob)",
                    "declares \(layer.size) bytes, more than the limit of \(limits.bytes)")
            }
            let blob = ImagePlan.Blob(digest: layer.digest, size: layer.size, compression: compression)
            return (member: layer.blob, blob: Optional(blob))
        }
        return try ImagePlan(
            bytes: try source.document(of: config), name: "\(source.name): \(config.blob)", files: files,
            references: references, limits: limits)
    }

    /// A name that the layout gives: containerd's annotation is a full one, the standard one may be only a tag.
    private func reference(_ annotations: [String: String]) throws -> ImageReference? {
        do throws(ImageStoreError) {
            if let full = annotations["io.containerd.image.name"] { return try ImageReference(parsing: full) }
            guard let text = annotations["org.opencontainers.image.ref.name"] else { return name }
            if text.contains("/") || text.contains(":") { return try ImageReference(parsing: text) }
            guard let name else { return nil }
            return try ImageReference(parsing: "\(name.familiarName):\(text)")
        } catch {
            throw ImageArchiveError("\(source.name): index.json", "\(error)")
        }
    }
}
