import CLinux
import Foundation
import ImageArchive
import ImageStore
import LinuxSystem
import TestSupport
import Testing

/// A store and a directory for archives, both gone after the test.
final class ArchiveFixture {
    let directory: String
    let store: ImageStore

    init() throws {
        directory = NSTemporaryDirectory() + "/image-archive-" + randomHex(bytes: 6)
        store = ImageStore(root: directory + "/store")
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    }

    deinit {
        try? Descriptor.openDirectory(NSTemporaryDirectory()).removeTree(
            directory.components(separatedBy: "/").last ?? "x")
    }

    /// Writes a file and returns its path.
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
        let path = "\(directory)/\(name)"
        try FileManager.default.createDirectory(
            atPath: URL(filePath: path).deletingLastPathComponent().path(), withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: path))
        return path
    }

    /// Imports an archive and returns the directory of its layer.
    @discardableResult
    func unpack(_ bytes: [UInt8], limits: ArchiveLimits = ArchiveLimits(), changes: [String] = []) throws -> String {
        var task = ImageImport()
        task.limits = limits
        task.changes = changes
        let image = try task.run(.path(file("layer.tar", bytes)), into: store, as: ImageReference(parsing: "test"))
            .image
        return try #require(store.layerDirectories(of: image).first)
    }

    /// Loads an archive or a directory.
    func load(_ path: String, limits: ArchiveLimits = ArchiveLimits(), name: String? = nil) throws -> [ImageLoad.Result]
    {
        var task = ImageLoad()
        task.limits = limits
        task.name = try name.map { try ImageReference(parsing: $0) }
        return try task.run(.path(path), into: store)
    }

    /// Expects an import to fail with an error that says all of `words`, and to leave nothing.
    func expectRefusal(
        _ bytes: [UInt8], _ words: String..., limits: ArchiveLimits = ArchiveLimits(),
        location: SourceLocation = #_sourceLocation
    ) throws {
        check(words, location) { try unpack(bytes, limits: limits) }
    }

    /// The same for a load.
    func expectLoadRefusal(
        _ path: String, _ words: String..., limits: ArchiveLimits = ArchiveLimits(),
        location: SourceLocation = #_sourceLocation
    ) {
        check(words, location) { try load(path, limits: limits) }
    }

    private func check(_ words: [String], _ location: SourceLocation, _ body: () throws -> some Any) {
        do {
            _ = try body()
            Issue.record("nothing was refused", sourceLocation: location)
        } catch {
            for word in words where !word.isEmpty && !"\(error)".contains(word) {
                Issue.record("'\(error)' does not say '\(word)'", sourceLocation: location)
            }
            #expect(!"\(error)".contains("\n"), sourceLocation: location)
        }
        for part in ["images", "layers", "references", "tmp"] {
            let left = (try? FileManager.default.contentsOfDirectory(atPath: "\(store.root)/\(part)")) ?? []
            #expect(left.isEmpty, "\(part) has \(left)", sourceLocation: location)
        }
    }
}

/// What an entry of a tree is, without following links.
func status(_ path: String) -> stat? {
    var status = stat()
    return lstat(path, &status) == 0 ? status : nil
}

func attribute(_ name: String, of path: String) -> [UInt8]? {
    var value = [UInt8](repeating: 0, count: 4096)
    let count = lgetxattr(path, name, &value, value.count)
    return count < 0 ? nil : Array(value[..<count])
}

func contents(_ path: String) -> String? {
    FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) }
}

extension stat {
    var type: Int32 { Int32(bitPattern: st_mode) & S_IFMT }
    var permissions: Int { Int(st_mode) & 0o7777 }
}

/// Unpacking layers needs root.
let isRoot = geteuid() == 0
let needsRoot: Comment = "unpacking layers needs root"

func isInstalled(_ program: String) -> Bool {
    ["/usr/bin/", "/bin/", "/usr/local/bin/"].contains { FileManager.default.isExecutableFile(atPath: $0 + program) }
}
