import CLinux
import Crypto
import Foundation
import ImageArchive
import ImageStore
import TestSupport
import Testing

/// Docker archives and OCI layouts built by hand, right ones and such as nobody honest writes.
@Suite(.enabled(if: isRoot, needsRoot)) struct LoadTests {
    let fixture: ArchiveFixture

    init() throws { fixture = try ArchiveFixture() }

    private func hex(_ bytes: [UInt8]) -> String {
        SHA256.hash(data: bytes).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }

    private func layer(_ text: String) -> [UInt8] {
        var tar = TarBuilder()
        tar.add(text, content: text)
        return tar.finished
    }

    private func config(_ layers: [[UInt8]], os: String = "linux", architecture: String = "amd64") -> [UInt8] {
        let ids = layers.map { "\"sha256:\(hex($0))\"" }.joined(separator: ",")
        return Array(
            """
            {"architecture":"\(architecture)","os":"\(os)","config":{"Cmd":["run"]},"rootfs":{"type":"layers","diff_ids":[\(ids)]}}
            """.utf8)
    }

    /// A tar archive of files.
    private func archive(_ files: [(String, [UInt8])]) throws -> String {
        var tar = TarBuilder()
        for (name, bytes) in files { tar.add(name.utf8, content: bytes) }
        return try fixture.file("image.tar", tar.finished)
    }

    private func docker(_ config: [UInt8], _ layers: [[UInt8]], tags: String = "[\"a/b:1\"]", name: String? = nil)
        throws
        -> String
    {
        let files = layers.enumerated().map { ("\($0.offset)/layer.tar", $0.element) }
        let names = files.map { "\"\($0.0)\"" }.joined(separator: ",")
        let name = name ?? "\(hex(config)).json"
        let manifest = "[{\"Config\":\"\(name)\",\"RepoTags\":\(tags),\"Layers\":[\(names)]}]"
        return try archive(files + [(name, config), ("manifest.json", Array(manifest.utf8))])
    }

    // MARK: docker archives

    @Test func aDockerArchiveIsLoaded() throws {
        let layers = [layer("one"), layer("two")]
        let results = try fixture.load(docker(config(layers), layers, tags: "[\"a/b:1\",\"redis\"]"))
        #expect(results.map { $0.references.map(\.familiar) } == [["a/b:1", "redis:latest"]])
        let image = try #require(try fixture.store.image("redis"))
        #expect(image.id.hex == hex(config(layers)))
        #expect(image.config.command == ["run"])
        #expect(image.size == 6)
        #expect(try fixture.store.document(of: image.id) == config(layers))
        let roots = fixture.store.layerDirectories(of: image)
        #expect(contents("\(roots[0])/one") == "one" && contents("\(roots[1])/two") == "two")
    }

    @Test func layersAreShared() throws {
        let layers = [layer("one"), layer("two"), layer("one")]
        try _ = fixture.load(docker(config(layers), layers, tags: "[\"x\"]"))
        let others = [layer("one"), layer("three")]
        try _ = fixture.load(docker(config(others), others, tags: "[\"y\"]"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.store.root)/layers").count == 3)
        _ = try fixture.store.remove("x") { _ in [] }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.store.root)/layers").count == 2)
        let image = try #require(try fixture.store.image("y"))
        #expect(contents("\(fixture.store.layerDirectories(of: image)[0])/one") == "one")
    }

    @Test func aNameThatMovesIsReported() throws {
        let first = try fixture.load(docker(config([layer("one")]), [layer("one")]))
        let second = try fixture.load(docker(config([layer("two")]), [layer("two")]))
        #expect(second[0].replaced.map { $0.value } == [first[0].image.id])
        #expect(try fixture.load(docker(config([layer("two")]), [layer("two")]))[0].replaced.isEmpty)
    }

    @Test func wrongDigestsAreRefused() throws {
        let good = [layer("one"), layer("two")]
        fixture.expectLoadRefusal(
            try docker(config(good), [layer("one"), layer("evil")]), "image.tar: 1/layer.tar", "unpacks to digest")
        fixture.expectLoadRefusal(
            try docker(config(good), good, name: "\(hex(good[0])).json"), "which is not its name")
        fixture.expectLoadRefusal(try docker(config(good), [good[0]]), "names 2 layers, and its manifest has 1")
        fixture.expectLoadRefusal(try docker(config(good), [good[0], good[0] + [1]]), "unpacks to digest")
    }

    @Test func badDockerArchivesAreRefused() throws {
        let one = [layer("one")]
        fixture.expectLoadRefusal(
            try docker(config(one), one, tags: "[\"Bad Name\"]"), "invalid image reference 'Bad Name'")
        fixture.expectLoadRefusal(try docker(config(one, os: "windows"), one), "is for windows, not for linux")
        fixture.expectLoadRefusal(try docker(Array("{}".utf8), one), "missing")
        fixture.expectLoadRefusal(try archive([("manifest.json", Array("[]".utf8))]), "names no image")
        fixture.expectLoadRefusal(
            try archive([("manifest.json", Array("nonsense".utf8))]), "manifest.json: is not JSON")
        fixture.expectLoadRefusal(
            try archive([("other", [1])]), "image.tar: is neither a docker archive nor an OCI layout")
        fixture.expectLoadRefusal(
            try archive([("manifest.json", Array("[{\"Config\":\"../../etc/passwd\",\"Layers\":[]}]".utf8))]),
            "has no ../../etc/passwd")
        fixture.expectLoadRefusal(
            try archive([("manifest.json", [1]), ("manifest.json", [1])]),
            "entry manifest.json: is in the archive twice")
        fixture.expectLoadRefusal(fixture.directory + "/none", "none: no such file or directory")
        fixture.expectLoadRefusal(try archive([]), "image.tar: is empty")
        let whole = Array(try #require(FileManager.default.contents(atPath: docker(config(one), one))))
        fixture.expectLoadRefusal(try fixture.file("cut.tar", Array(whole[..<1200])), "cut.tar: ", "cut short")
    }

    @Test func linkedLayersAreFound() throws {
        let one = layer("one")
        let bytes = config([one])
        var tar = TarBuilder()
        tar.add("loop", type: "2", link: "loop")
        tar.add("old/layer.tar", type: "2", link: "../\(hex(one)).tar")
        tar.add("\(hex(one)).tar".utf8, content: one)
        tar.add("c.json".utf8, content: bytes)
        tar.add("manifest.json", content: "[{\"Config\":\"c.json\",\"RepoTags\":null,\"Layers\":[\"old/layer.tar\"]}]")
        let results = try fixture.load(fixture.file("linked.tar", tar.finished))
        #expect(results.map { $0.image.id.hex } == [hex(bytes)])
        #expect(try fixture.store.references().isEmpty)
        var loop = TarBuilder()
        loop.add("a", type: "2", link: "b")
        loop.add("b", type: "2", link: "a")
        loop.add("manifest.json", content: "[{\"Config\":\"a\",\"Layers\":[]}]")
        #expect(throws: ImageArchiveError.self) { try self.fixture.load(self.fixture.file("loop.tar", loop.finished)) }
    }

    @Test(arguments: ["gzip", "zstd"])
    func theWholeArchiveMayBeCompressed(program: String) async throws {
        try #require(isInstalled(program), "tools/test installs it")
        let layers = [layer("one")]
        let path = try docker(config(layers), layers)
        let made = try await Command.run(["sh", "-c", "\(program) -c \(path) > \(path).z"])
        #expect(made.status == 0, "\(made)")
        #expect(try fixture.load(path + ".z").map { $0.image.id.hex } == [hex(config(layers))])
    }

    @Test func anArchiveFromAPipeIsLoaded() async throws {
        let layers = [layer("one")]
        let path = try docker(config(layers), layers)
        let result = try await Command.run([
            "sh", "-c", "cat \(path) | \(Products.path("swbox-image")) load --root \(fixture.store.root)",
        ])
        #expect(result.status == 0 && result.output == "Loaded image: a/b:1", "\(result)")
        let cut = try await Command.run([
            "sh", "-c", "head -c 900 \(path) | \(Products.path("swbox-image")) load --root \(fixture.directory)/other",
        ])
        #expect(cut.status == 1 && cut.errors.hasPrefix("swbox: standard input: "), "\(cut)")
        let usage = try await Command.run([Products.path("swbox-image"), "load", "--nonsense"])
        #expect(usage.status == 125 && usage.errors.hasPrefix("swbox: "), "\(usage)")
    }

    // MARK: OCI layouts

    private struct Layout {
        var files: [(String, [UInt8])] = [("oci-layout", Array("{\"imageLayoutVersion\":\"1.0.0\"}".utf8))]
    }

    private func descriptor(_ type: String, _ bytes: [UInt8], _ more: String = "", size: Int? = nil) -> String {
        "{\"mediaType\":\"\(type)\",\"digest\":\"sha256:\(hex(bytes))\",\"size\":\(size ?? bytes.count)\(more)}"
    }

    private static let manifestType = "application/vnd.oci.image.manifest.v1+json"
    private static let indexType = "application/vnd.oci.image.index.v1+json"
    private static let configType = "application/vnd.oci.image.config.v1+json"
    private static let layerType = "application/vnd.oci.image.layer.v1.tar"

    private func manifest(_ config: [UInt8], _ layers: [[UInt8]], type: String = layerType, more: String = "")
        -> [UInt8]
    {
        let list = layers.map { descriptor(type, $0) }.joined(separator: ",")
        return Array(
            """
            {"schemaVersion":2,"mediaType":"\(Self.manifestType)","config":\(descriptor(Self.configType, config)),\
            "layers":[\(list)]\(more)}
            """.utf8)
    }

    private func index(_ descriptors: [String], more: String = "") -> [UInt8] {
        Array("{\"schemaVersion\":2,\"manifests\":[\(descriptors.joined(separator: ","))]\(more)}".utf8)
    }

    private func layout(_ index: [UInt8], blobs: [[UInt8]]) throws -> String {
        let files = blobs.map { ("blobs/sha256/\(hex($0))", $0) }
        return try archive(
            [("oci-layout", Array("{\"imageLayoutVersion\":\"1.0.0\"}".utf8)), ("index.json", index)] + files)
    }

    private func named(_ name: String) -> String {
        ",\"annotations\":{\"org.opencontainers.image.ref.name\":\"\(name)\"}"
    }

    @Test func anOCILayoutIsLoaded() throws {
        let layers = [layer("one")]
        let bytes = config(layers)
        let image = manifest(bytes, layers)
        let list = index([
            descriptor(Self.manifestType, image, named("me/app:2")),
            descriptor(Self.manifestType, image, named("me/app:3")),
        ])
        let results = try fixture.load(layout(list, blobs: layers + [bytes, image]))
        #expect(results.map { $0.references.map(\.familiar) } == [["me/app:2", "me/app:3"]])
        #expect(results[0].image.id.hex == hex(bytes))
        let tagged = index([descriptor(Self.manifestType, image, named("v1"))])
        #expect(try fixture.load(layout(tagged, blobs: layers + [bytes, image]))[0].references.isEmpty)
        let chosen = try fixture.load(layout(tagged, blobs: layers + [bytes, image]), name: "host/app")
        #expect(chosen[0].references.map(\.familiar) == ["host/app:v1"])
    }

    @Test func thePlatformIsChosen() throws {
        #if arch(x86_64)
        let (own, other) = ("amd64", "arm64")
        #else
        let (own, other) = ("arm64", "amd64")
        #endif
        func platform(_ architecture: String) -> String {
            ",\"platform\":{\"os\":\"linux\",\"architecture\":\"\(architecture)\"}"
        }
        let (one, two) = (layer("one"), layer("two"))
        let (ownConfig, otherConfig) = (config([one], architecture: own), config([two], architecture: other))
        let (ownImage, otherImage) = (manifest(ownConfig, [one]), manifest(otherConfig, [two]))
        let proof = manifest(Array("{}".utf8), [])
        let inner = index([
            descriptor(
                Self.manifestType, proof, ",\"annotations\":{\"vnd.docker.reference.type\":\"attestation-manifest\"}"),
            descriptor(Self.manifestType, otherImage, platform(other)),
            descriptor(Self.manifestType, ownImage, platform(own)),
        ])
        let outer = index([descriptor(Self.indexType, inner, named("multi:1"))])
        let blobs = [one, two, ownConfig, otherConfig, ownImage, otherImage, inner]
        let results = try fixture.load(layout(outer, blobs: blobs))
        #expect(results.map { $0.image.id.hex } == [hex(ownConfig)])
        #expect(results.first?.references.map(\.familiar) == ["multi:1"])
        _ = try fixture.store.remove("multi:1") { _ in [] }
        let foreign = index([descriptor(Self.manifestType, otherImage, platform(other))])
        fixture.expectLoadRefusal(
            try layout(foreign, blobs: blobs), "has no image for linux/\(own)", "it has linux/\(other)")
    }

    @Test func documentsThatAreTwoThingsAreRefused() throws {
        let layers = [layer("one")]
        let bytes = config(layers)
        let image = manifest(bytes, layers)
        let both = manifest(bytes, layers, more: ",\"manifests\":[\(descriptor(Self.manifestType, image))]")
        for type in [Self.manifestType, Self.indexType] {
            let list = index([descriptor(type, both)])
            fixture.expectLoadRefusal(try layout(list, blobs: layers + [bytes, image, both]), "")
        }
        fixture.expectLoadRefusal(
            try layout(index([descriptor(Self.manifestType, both)]), blobs: layers + [bytes, image, both]),
            "both an index and a manifest")
        let confused = index([descriptor(Self.manifestType, image)], more: ",\"layers\":[]")
        fixture.expectLoadRefusal(try layout(confused, blobs: layers + [bytes, image]), "both an index and a manifest")
        // An index that its descriptor calls a manifest, and the other way round.
        let inner = index([descriptor(Self.manifestType, image)])
        fixture.expectLoadRefusal(
            try layout(index([descriptor(Self.manifestType, inner)]), blobs: layers + [bytes, image, inner]), "promises"
        )
        fixture.expectLoadRefusal(
            try layout(index([descriptor(Self.indexType, image)]), blobs: layers + [bytes, image]),
            "its descriptor says")
        // index.json cannot be a manifest.
        fixture.expectLoadRefusal(try layout(image, blobs: layers + [bytes]), "index.json")
    }

    @Test func descriptorsHaveToBeRight() throws {
        let layers = [layer("one")]
        let bytes = config(layers)
        let image = manifest(bytes, layers)
        func load(_ list: [UInt8], _ blobs: [[UInt8]], _ words: String...) throws {
            let path = try layout(list, blobs: blobs)
            for word in words { fixture.expectLoadRefusal(path, word) }
        }
        try load(
            index([descriptor(Self.manifestType, image, size: 1)]), layers + [bytes, image],
            "its descriptor says 1 bytes")
        try load(index([descriptor(Self.manifestType, image)]), layers + [bytes], "has no blobs/sha256/\(hex(image))")
        try load(index([descriptor("text/plain", image)]), layers + [bytes, image], "neither an image nor an index")
        let gzip = manifest(bytes, layers, type: Self.layerType + "+gzip")
        try load(index([descriptor(Self.manifestType, gzip)]), layers + [bytes, gzip], "not compressed with gzip")
        let odd = manifest(bytes, layers, type: "application/octet-stream")
        try load(index([descriptor(Self.manifestType, odd)]), layers + [bytes, odd], "which is no layer")
        let sha512 = "{\"mediaType\":\"\(Self.manifestType)\",\"digest\":\"sha512:12\",\"size\":1}"
        try load(index([sha512]), layers, "'sha512:12' is not a sha256 digest")
        // A blob of the right size with other bytes, and one of another size.
        let other = layer("two")
        for (content, reason) in [
            (other, "unpacks to digest"), (other + [0], "descriptor declares"), (Array(other[..<1024]), ""),
        ] {
            let wrong: [(String, [UInt8])] = [("blobs/sha256/\(hex(layers[0]))", content)]
            let files = [bytes, image].map { ("blobs/sha256/\(hex($0))", $0) }
            let version: (String, [UInt8]) = ("oci-layout", Array("{\"imageLayoutVersion\":\"1.0.0\"}".utf8))
            let list: (String, [UInt8]) = ("index.json", index([descriptor(Self.manifestType, image)]))
            fixture.expectLoadRefusal(
                try archive(wrong + files + [version, list]), content.count == other.count ? "digest" : reason)
        }
        fixture.expectLoadRefusal(try archive([("index.json", index([]))]), "has no oci-layout")
        var deep = [bytes, image, index([descriptor(Self.manifestType, image)])]
        for _ in 0..<6 { deep.append(index([descriptor(Self.indexType, deep[deep.count - 1])])) }
        fixture.expectLoadRefusal(
            try layout(deep[deep.count - 1], blobs: layers + deep), "has indexes nested too deeply")
    }

    @Test func aDirectoryCannotLeadOut() throws {
        let secret = try fixture.file("secret.json", Array("[]".utf8))
        try FileManager.default.createDirectory(atPath: "\(fixture.directory)/oci", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(
            atPath: "\(fixture.directory)/oci/manifest.json", withDestinationPath: secret)
        fixture.expectLoadRefusal("\(fixture.directory)/oci", "has no manifest.json")
        try FileManager.default.removeItem(atPath: "\(fixture.directory)/oci/manifest.json")
        mkfifo("\(fixture.directory)/oci/manifest.json", 0o600)
        fixture.expectLoadRefusal("\(fixture.directory)/oci", "manifest.json: is not a regular file")
    }

    @Test func bigDocumentsAreRefused() throws {
        var limits = ArchiveLimits()
        limits.documentBytes = 1000
        let path = try archive([("manifest.json", [UInt8](repeating: 32, count: 300 << 10))])
        fixture.expectLoadRefusal(path, "entry manifest.json: is longer than 1000 bytes", limits: limits)
    }
}
