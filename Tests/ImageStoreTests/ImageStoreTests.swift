import Foundation
import ImageStore
import LinuxSystem
import Testing

/// The store itself, filled through its own transactions with layers that hold one file each.
@Suite final class ImageStoreTests {
    let root: String
    let store: ImageStore

    init() throws {
        root = NSTemporaryDirectory() + "/image-store-" + randomHex(bytes: 6)
        store = ImageStore(root: root)
    }

    deinit { try? FileManager.default.removeItem(atPath: root) }

    private func digest(_ number: Int) throws -> Digest {
        let text = String(number, radix: 16)
        return try #require(Digest(hex: text + String(repeating: "0", count: 64 - text.count)))
    }

    @discardableResult
    private func add(_ number: Int, layers: [Int], names: [String]) throws -> Image {
        let transaction = try store.begin()
        let ids = try layers.map(digest)
        for id in ids where try !transaction.keepLayer(id) {
            let directory = try transaction.makeLayer("layer")
            try directory.replaceFile("file", with: Array(id.hex.utf8))
            try transaction.addLayer("layer", diffID: id, size: 64)
        }
        let document = ImageDocument(architecture: "amd64", os: "linux", config: ImageConfig(), diffIDs: ids)
        let image = Image(id: try digest(number), document: document, size: Int64(64 * ids.count))
        let references = try names.map { try ImageReference(parsing: $0) }
        try transaction.commit(image, document: try document.encoded(), references: references)
        return image
    }

    private func entries(_ directory: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: "\(root)/\(directory)").sorted()
    }

    private func remove(_ text: String, force: Bool = false, users: [ImageUser] = []) throws -> [String] {
        try store.remove(text, force: force) { _ in users }.map(\.description)
    }

    @Test func anEmptyStoreHasNothing() throws {
        #expect(try store.image("redis") == nil)
        #expect(try store.images() == [])
        #expect(try store.references() == [:])
        #expect(throws: ImageStoreError.self) { try self.remove("redis") }
    }

    @Test func findsByNameAndId() throws {
        let image = try add(0xabc1, layers: [1, 2], names: ["redis", "localhost:5000/a/b:1"])
        try add(0xabc2, layers: [1], names: ["other"])
        for text in [
            "redis", "redis:latest", "docker.io/library/redis", "localhost:5000/a/b:1", "abc1", "sha256:abc1",
            image.id.hex, image.id.description,
        ] {
            #expect(try store.image(text) == image, "\(text)")
        }
        for text in ["redis:1", "localhost:5000/a/b", "abd", String(repeating: "0", count: 64)] {
            #expect(try store.image(text) == nil, "\(text)")
        }
        #expect(throws: ImageStoreError.self) { try self.store.image("abc") }
        #expect(throws: ImageStoreError.self) { try self.store.image("Bad Name") }
        #expect(store.layerDirectories(of: image).allSatisfy { FileManager.default.fileExists(atPath: $0 + "/file") })
        #expect(try store.references(of: image.id).map(\.familiar) == ["redis:latest", "localhost:5000/a/b:1"])
        #expect(try entries("tmp") == [])
    }

    @Test func aNameMovesToTheNewestImage() throws {
        try add(0xa, layers: [1], names: ["redis"])
        try add(0xb, layers: [2], names: ["redis"])
        #expect(try store.image("redis")?.id == digest(0xb))
        #expect(try store.images().count == 2)
        #expect(try store.references(of: digest(0xa)) == [])
        #expect(try remove("a000") == ["Deleted: \(digest(0xa))", "Deleted: \(digest(1))"])
        #expect(try entries("layers") == [digest(2).hex])
    }

    @Test func removesNamesThenImagesThenLayers() throws {
        let image = try add(0xa, layers: [1, 2], names: ["one", "two"])
        try add(0xb, layers: [1, 3], names: ["three"])
        #expect(throws: ImageStoreError.self) { try self.remove(image.id.hex) }
        #expect(try remove("one") == ["Untagged: one:latest"])
        #expect(try remove("two") == ["Untagged: two:latest", "Deleted: \(image.id)", "Deleted: \(digest(2))"])
        #expect(try store.image("two") == nil)
        #expect(try entries("layers") == [digest(1).hex, digest(3).hex])
        #expect(try remove("three").count == 4)
        #expect(try entries("layers") == [])
        #expect(try entries("images") == [])
        #expect(try entries("tmp") == [])
    }

    @Test func anImageInUseStays() throws {
        let image = try add(0xa, layers: [1], names: ["one", "two"])
        let stopped = [ImageUser(name: "web", isRunning: false)]
        let running = stopped + [ImageUser(name: "db", isRunning: true)]
        #expect(try remove("two", users: running) == ["Untagged: two:latest"])
        let conflict = #expect(throws: ImageStoreError.self) { try self.remove("one", users: stopped) }
        #expect(conflict?.description.contains("container web") == true)
        let busy = #expect(throws: ImageStoreError.self) { try self.remove("one", force: true, users: running) }
        #expect(busy?.description.contains("container db") == true)
        #expect(try remove("one", force: true, users: stopped) == ["Untagged: one:latest"])
        #expect(try store.image(id: image.id) == image)
        #expect(try remove(image.id.hex) == ["Deleted: \(image.id)", "Deleted: \(digest(1))"])
    }

    @Test func forceRemovesEveryName() throws {
        let image = try add(0xa, layers: [], names: ["one", "two"])
        #expect(
            try remove("a0", force: true)
                == ["Untagged: one:latest", "Untagged: two:latest", "Deleted: \(image.id)"])
        #expect(try entries("references") == [])
    }

    @Test func aLivingTransactionKeepsItsLayers() throws {
        try add(0xa, layers: [1, 2], names: ["one"])
        let transaction = try store.begin()
        #expect(try transaction.keepLayer(digest(1)))
        #expect(try !transaction.keepLayer(digest(7)))
        #expect(try remove("one") == ["Untagged: one:latest", "Deleted: \(digest(0xa))", "Deleted: \(digest(2))"])
        #expect(try entries("layers") == [digest(1).hex])
        withExtendedLifetime(transaction) {}
    }

    @Test func whatADeadProcessLeftIsCollected() throws {
        try add(0xa, layers: [1], names: ["one"])
        let deep = "\(root)/tmp/dead/layer/fs/" + Array(repeating: "d", count: 1200).joined(separator: "/")
        try FileManager.default.createDirectory(atPath: "\(root)/tmp/young", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(atPath: deep, withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: "\(root)/tmp/dead/pins/\(digest(9).hex)", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: "\(root)/layers/\(digest(9).hex)/fs", withIntermediateDirectories: true)
        try FileManager.default.createSymbolicLink(atPath: "\(root)/tmp/dead/layer/link", withDestinationPath: "/etc")
        try Data().write(to: URL(filePath: "\(root)/tmp/dead/lock"))
        _ = try store.begin()
        #expect(try entries("tmp") == [])
        #expect(try entries("layers") == [digest(1).hex])
        #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
    }

    @Test func anImageWithoutItsLayerIsRefused() throws {
        let transaction = try store.begin()
        let document = ImageDocument(
            architecture: "amd64", os: "linux", config: ImageConfig(), diffIDs: [try digest(1)])
        let image = Image(id: try digest(0xa), document: document, size: 0)
        #expect(throws: ImageStoreError.self) {
            try transaction.commit(image, document: try document.encoded(), references: [])
        }
        #expect(try store.images() == [])
    }

    @Test func aDamagedRecordIsNamed() throws {
        let image = try add(0xa, layers: [], names: ["one"])
        try Data("{".utf8).write(to: URL(filePath: "\(root)/images/\(image.id.hex)/image.json"))
        let error = #expect(throws: ImageStoreError.self) { try self.store.image("one") }
        #expect(error?.description.contains("image.json: is not JSON") == true)
    }
}
