import ImageStore

/// What `docker save` and `podman save` write: `manifest.json` names configurations, layers and tags
/// (moby image/spec/spec.md, "Combined Image JSON + Filesystem Changeset Format").
struct DockerArchive {
    static let manifest = "manifest.json"

    private struct Item: Decodable {
        var Config: String
        var RepoTags: [String]?
        var Layers: [String]
    }

    /// The images that the archive promises.
    static func plans(_ source: any ImageSource, _ bytes: [UInt8], limits: ArchiveLimits) throws -> [ImagePlan] {
        let items = try decodeJSON([Item].self, from: bytes, name: "\(source.name): \(manifest)")
        guard !items.isEmpty else { throw ImageArchiveError("\(source.name): \(manifest)", "names no image") }
        return try items.map { item in
            let name = "\(source.name): \(printable(item.Config.utf8))"
            let config = try source.requiredDocument(item.Config)
            let found = try digest(of: config, name: name)
            // `HEX.json` or `blobs/sha256/HEX`: the name is the digest, and it has to be right.
            let file = item.Config.split(separator: "/").last ?? ""
            let hex = file.hasSuffix(".json") ? file.dropLast(".json".count) : file
            if let expected = Digest(hex: hex), expected != found {
                throw ImageArchiveError(name, "has digest \(found), which is not its name")
            }
            let references = try (item.RepoTags ?? []).map { text in
                do {
                    return try ImageReference(parsing: text)
                } catch {
                    throw ImageArchiveError("\(source.name): \(manifest)", "\(error)")
                }
            }
            return try ImagePlan(
                bytes: config, name: name, files: item.Layers.map { ($0, nil) }, references: references, limits: limits)
        }
    }
}
