import CLinux
import Foundation
import LinuxSystem
import Testing

/// A directory of the test's own, removed with everything in it.
func withScratchDirectory<Result>(_ body: (String) throws -> Result) throws -> Result {
    let path = FileManager.default.temporaryDirectory.path + "/linuxsystem-" + randomHex(bytes: 8)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(path)
}

@Suite("directories")
struct DirectoryTests {
    @Test func `a replaced file is whole, has its mode, and leaves no temporary name`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.replaceFile("record", with: Array("old".utf8))
            try directory.replaceFile("record", with: Array("new".utf8), mode: 0o600)
            #expect(try String(contentsOfFile: path + "/record", encoding: .utf8) == "new")
            let attributes = try FileManager.default.attributesOfItem(atPath: path + "/record")
            #expect((attributes[.posixPermissions] as? NSNumber)?.intValue == 0o600)
            let names = try directory.entries()
            #expect(names == ["record"])
        }
    }

    @Test(arguments: [0, 1, 9, 10, 11, 300])
    func `more entries than so many are there or not`(count: Int) throws {
        try withScratchDirectory { path in
            // Of every length that a name can have.
            for number in 0..<count {
                let name = "\(number)".padding(toLength: 4 + number % 251, withPad: "-", startingAt: 0)
                try Data().write(to: URL(fileURLWithPath: "\(path)/\(name)"))
            }
            let directory = try Descriptor.openDirectory(path)
            for most in [0, 1, 9, 10, 11, 299, 300] {
                let has = try directory.hasEntries(moreThan: most)
                #expect(has == (count > most), "\(count) entries, \(most)")
            }
        }
    }

    /// openat2(2) gives up with EAGAIN on a `..` when anything was renamed or mounted while it looked.
    @Test func `a path with dots is found while others rename`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.makeDirectory("inner")
            let (one, other) = (path + "/one", path + "/other")
            #expect(FileManager.default.createFile(atPath: one, contents: nil))
            // Ends when the file is gone.
            Thread.detachNewThread {
                while unsafe rename(one, other) == 0 && rename(other, one) == 0 {}
            }
            defer { while unsafe unlink(one) != 0 && unlink(other) != 0 {} }
            for _ in 0..<20_000 {
                _ = try Descriptor.open("inner/../inner/..", O_PATH, within: directory)
            }
        }
    }

    @Test func `a file that cannot replace its target leaves no temporary name`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.makeDirectory("taken")
            try directory.makeDirectory("taken/inside")
            #expect(throws: SystemError.self) {
                try Descriptor.openDirectory(path).replaceFile("taken", with: Array("x".utf8))
            }
            let names = try directory.entries()
            #expect(names == ["taken"])
        }
    }

    @Test func `a tree is removed without following links out of it`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.makeDirectory("outside")
            try directory.replaceFile("outside/precious", with: Array("x".utf8))
            try directory.makeDirectory("tree")
            try directory.makeDirectory("tree/deep")
            symlink("../../outside", path + "/tree/deep/link")
            symlink(path + "/outside", path + "/tree/absolute")
            try directory.removeTree("tree")
            let names = try directory.entries()
            #expect(names == ["outside"])
            let kept = directory.contains("outside/precious")
            #expect(kept)
            try directory.removeTree("tree")
        }
    }

    @Test func `a tree whose name is a link loses the link only`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.makeDirectory("outside")
            symlink("outside", path + "/tree")
            try directory.removeTree("tree")
            let names = try directory.entries()
            #expect(names == ["outside"])
        }
    }

    @Test func `a path inside a root cannot leave it`() throws {
        try withScratchDirectory { path in
            try FileManager.default.createDirectory(atPath: path + "/root/etc", withIntermediateDirectories: true)
            try Data("inside".utf8).write(to: URL(fileURLWithPath: path + "/root/secret"))
            try Data("outside".utf8).write(to: URL(fileURLWithPath: path + "/secret"))
            symlink("../../../secret", path + "/root/etc/climb")
            symlink("/secret", path + "/root/etc/absolute")
            symlink("/proc/self/root", path + "/root/etc/magic")
            let root = try Descriptor.openDirectory(path + "/root")
            for name in ["etc/climb", "etc/absolute", "../secret", "/secret"] {
                let bytes = try Descriptor.open(name, O_RDONLY, within: root).readAll()
                #expect(String(decoding: bytes, as: UTF8.self) == "inside", "\(name)")
            }
            #expect(throws: SystemError.self) {
                try Descriptor.open("etc/magic", O_RDONLY, within: Descriptor.openDirectory(path + "/root")).readAll()
            }
        }
    }

    @Test func `a file over the limit is refused instead of read`() throws {
        try withScratchDirectory { path in
            let directory = try Descriptor.openDirectory(path)
            try directory.replaceFile("large", with: [UInt8](repeating: 0, count: 100_000))
            let large = try directory.readFile("large")
            #expect(large?.count == 100_000)
            #expect(throws: SystemError.self) {
                try Descriptor.openDirectory(path).readFile("large", limit: 50_000)
            }
            let missing = try directory.readFile("missing")
            #expect(missing == nil)
        }
    }

    @Test func `an error names the operation, the object and the kernel's answer`() {
        #expect {
            _ = try Descriptor.open("/nonexistent/file").rawValue
        } throws: { error in
            "\(error)" == "open /nonexistent/file: no such file or directory"
        }
    }
}
