import CLinux
import Foundation
import ImageArchive
import ImageStore
import TestSupport
import Testing

/// Layers as nobody honest writes them: none of them may touch anything outside, or leave anything behind.
@Suite(.enabled(if: isRoot, needsRoot)) struct HostileLayerTests {
    let fixture: ArchiveFixture
    /// A directory next to the store that must not change.
    let outside: String

    init() throws {
        fixture = try ArchiveFixture()
        outside = fixture.directory + "/outside"
        _ = try fixture.file("outside/secret", Array("secret".utf8))
    }

    private func expectOutsideIsUntouched(_ location: SourceLocation = #_sourceLocation) throws {
        let names = try FileManager.default.contentsOfDirectory(atPath: outside)
        #expect(names == ["secret"], sourceLocation: location)
        #expect(contents("\(outside)/secret") == "secret", sourceLocation: location)
        #expect(status("\(outside)/secret")?.st_nlink == 1, sourceLocation: location)
    }

    /// A path from a layer's root to the directory outside.
    private var climbing: String { String(repeating: "../", count: 30) + outside.dropFirst() }

    @Test(arguments: ["../evil", "a/../../evil", "./../evil", "..", "a/../.."])
    func relativePathsOutOfTheRootAreRefused(path: String) throws {
        var tar = TarBuilder()
        tar.add("fine", content: "x")
        tar.add(path, content: "evil")
        try fixture.expectRefusal(tar.finished, "layer.tar: entry \(path)", "leads out of the layer")
    }

    @Test func absolutePathsStayInside() throws {
        var tar = TarBuilder()
        tar.add("\(outside)/secret", content: "evil")
        tar.add("/../../etc/evil", content: "evil")
        let root = try fixture.unpack(tar.finished)
        #expect(contents("\(root)\(outside)/secret") == "evil")
        #expect(contents("\(root)/etc/evil") == "evil")
        try expectOutsideIsUntouched()
    }

    @Test func aLinkIsNoWayOut() throws {
        for target in [outside, climbing] {
            var tar = TarBuilder()
            tar.add("link", type: "2", link: target)
            tar.add("link/evil", content: "evil")
            try fixture.expectRefusal(tar.finished, "layer.tar: entry link/evil: open link: not a directory")
        }
        for target in [outside, climbing] {
            var tar = TarBuilder()
            // The link's target exists below the root: then it is followed there, as in a container.
            tar.add("\(outside)/", type: "5")
            tar.add("link", type: "2", link: target)
            tar.add("link/secret", content: "evil")
            let root = try fixture.unpack(tar.finished)
            #expect(contents("\(root)\(outside)/secret") == "evil")
        }
        try expectOutsideIsUntouched()
    }

    @Test func aFileIsNotWrittenThroughALink() throws {
        var tar = TarBuilder()
        tar.add("link", type: "2", link: "\(outside)/secret")
        tar.add("link", content: "evil")
        tar.add("self", type: "2", link: "self")
        let root = try fixture.unpack(tar.finished)
        #expect(contents("\(root)/link") == "evil")
        try expectOutsideIsUntouched()
        tar.add("self/file", content: "x")
        #expect(throws: ImageArchiveError.self) { try self.fixture.unpack(tar.finished) }
    }

    @Test func magicLinksAreNotFollowed() throws {
        for target in ["/proc/self/root", "/proc/self/cwd", "/proc/1/root\(outside)"] {
            var tar = TarBuilder()
            tar.add("link", type: "2", link: target)
            tar.add("link/evil", content: "evil")
            try fixture.expectRefusal(tar.finished, "entry link/evil")
        }
        try expectOutsideIsUntouched()
    }

    @Test func hardLinksStayInside() throws {
        var tar = TarBuilder()
        tar.add("hard", type: "1", link: climbing + "/secret")
        try fixture.expectRefusal(tar.finished, "entry hard", "out of the layer")
        tar = TarBuilder()
        tar.add("hard", type: "1", link: "\(outside)/secret")
        try fixture.expectRefusal(tar.finished, "entry hard: link to \(outside)/secret", "no such file")
        tar = TarBuilder()
        tar.add("link", type: "2", link: outside)
        tar.add("hard", type: "1", link: "link/secret")
        try fixture.expectRefusal(tar.finished, "entry hard: link to link/secret")
        // A hard link to a symbolic link is a second name of the link itself.
        tar = TarBuilder()
        tar.add("link", type: "2", link: "\(outside)/secret")
        tar.add("hard", type: "1", link: "link")
        tar.add("hard", content: "evil")
        try fixture.unpack(tar.finished)
        try expectOutsideIsUntouched()
        tar = TarBuilder()
        tar.add("dir/", type: "5")
        tar.add("hard", type: "1", link: "dir")
        #expect(throws: ImageArchiveError.self) { try self.fixture.unpack(tar.finished) }
    }

    @Test func whiteoutsStayInside() throws {
        var tar = TarBuilder()
        tar.add("link", type: "2", link: outside)
        tar.add("link/.wh.secret")
        try fixture.expectRefusal(tar.finished, "entry link/.wh.secret")
        tar = TarBuilder()
        tar.add("\(outside)/", type: "5")
        tar.add("link", type: "2", link: climbing)
        tar.add("link/.wh.secret")
        tar.add("link/.wh..wh..opq")
        let root = try fixture.unpack(tar.finished)
        #expect(status("\(root)\(outside)/secret")?.type == S_IFCHR)
        #expect(attribute("trusted.overlay.opaque", of: outside) == nil)
        try expectOutsideIsUntouched()
        for name in [".wh.", ".wh..", ".wh...", "dir/.wh..", "dir/.wh..."] {
            var tar = TarBuilder()
            tar.add(name)
            if name == ".wh.." || name == "dir/.wh.." { continue }
            #expect(throws: ImageArchiveError.self, "\(name)") { try self.fixture.unpack(tar.finished) }
        }
    }

    @Test func theRootCannotBeReplaced() throws {
        for (type, link) in [("2" as Character, outside), ("0", ""), ("1", "x"), ("3", "")] {
            var tar = TarBuilder()
            tar.add("./", type: type, link: link)
            do {
                let root = try fixture.unpack(tar.finished)
                #expect(status(root)?.type == S_IFDIR)
            } catch {
                #expect("\(error)".contains("replace the root"), "\(error)")
            }
        }
        try expectOutsideIsUntouched()
    }

    @Test func ownersThatMeanNobodyAreRefused() throws {
        for user in [4_294_967_295, 4_294_967_296] {
            var tar = TarBuilder()
            tar.add("file", user: user)
            try fixture.expectRefusal(tar.finished, "entry file: chown to \(user):0")
        }
    }

    @Test func namesCannotDriveATerminal() throws {
        var tar = TarBuilder()
        tar.add("../\u{1b}]0;title\u{7}\u{202e}x", content: "x")
        try fixture.expectRefusal(tar.finished, #"entry ../\u{1b}]0;title\u{7}\u{202e}x"#)
    }

    @Test func archivesThatAreCutShortAreRefused() async throws {
        var tar = TarBuilder()
        tar.add("first", content: String(repeating: "a", count: 10_000))
        tar.add("second", content: String(repeating: "b", count: 10_000))
        let bytes = tar.bytes
        try fixture.expectRefusal([], "layer.tar: is empty")
        try fixture.expectRefusal(bytes, "without an end-of-archive mark after 2 entries")
        try fixture.expectRefusal(Array(bytes[..<15_000]), "layer.tar: entry second", "cut short")
        try fixture.expectRefusal(Array(bytes[..<11_000]), "layer.tar: entry after first", "cut short")
        try fixture.expectRefusal(Array("no archive at all".utf8), "layer.tar: is not a tar archive")
        let noise = (0..<4096).map { _ in UInt8.random(in: 0...255) }
        try fixture.expectRefusal(noise, "layer.tar: is not a tar archive")
        // A compressed archive, cut anywhere.
        let path = try fixture.file("whole.tar", tar.finished)
        for program in ["gzip", "bzip2", "xz", "zstd"] where isInstalled(program) {
            let made = try await Command.run(["sh", "-c", "\(program) -c \(path) > \(path).z"])
            #expect(made.status == 0, "\(made)")
            let packed = Array(try #require(FileManager.default.contents(atPath: "\(path).z")))
            for length in [packed.count / 2, packed.count - 1] {
                try fixture.expectRefusal(Array(packed[..<length]), "layer.tar: ")
            }
        }
    }

    @Test func damagedHeadersAreRefused() throws {
        var tar = TarBuilder()
        tar.add("first", content: "a")
        tar.add("second", content: "b")
        var bytes = tar.finished
        bytes[1024 + 100] ^= 0xff
        try fixture.expectRefusal(bytes, "layer.tar: entry after first", "damaged")
    }

    @Test func bombsAreRefusedEarly() async throws {
        // 10 GB of zeros in 10 MB: a header and 160 times the same gzip member.
        let size = 160 * (64 << 20)
        var tar = TarBuilder()
        tar.add("zeros".utf8, declaredSize: size)
        let header = try fixture.file("header", tar.bytes)
        let bomb = "\(fixture.directory)/bomb.tar.gz"
        let made = try await Command.run(
            [
                "sh", "-c",
                "gzip -c \(header) > \(bomb); head -c 64M /dev/zero | gzip -9 > \(bomb).part;"
                    + " for i in $(seq 160); do cat \(bomb).part; done >> \(bomb)",
            ])
        #expect(made.status == 0, "\(made)")
        let bytes = Array(try #require(FileManager.default.contents(atPath: bomb)))
        #expect(bytes.count < 12 << 20)
        let start = Date()
        try fixture.expectRefusal(bytes, "layer.tar: ", "decompression bomb")
        print("a bomb of 10 GB refused after \(Int(-start.timeIntervalSinceNow * 1000)) ms")
        var limits = ArchiveLimits()
        limits.ratio = 1_000_000
        limits.bytes = 100 << 20
        try fixture.expectRefusal(bytes, "entry zeros", "claims \(size) bytes", limits: limits)
        limits.ratioFloor = 1 << 30
        var small = TarBuilder()
        for number in 0..<200 { small.add("file\(number)".utf8, content: [UInt8](repeating: 0, count: 1 << 20)) }
        try fixture.expectRefusal(small.finished, "more than the limit of \(100 << 20) bytes", limits: limits)
    }

    @Test func tooManyEntriesAreRefused() throws {
        var limits = ArchiveLimits()
        limits.entries = 100
        var tar = TarBuilder()
        for number in 0..<101 { tar.add("file\(number)") }
        try fixture.expectRefusal(tar.finished, "entry file100", "limit of 100 entries", limits: limits)
    }

    @Test func aFullDiskLeavesNothing() async throws {
        let disk = fixture.directory + "/store"
        try FileManager.default.createDirectory(atPath: disk, withIntermediateDirectories: true)
        // A file system of 4 MB, in a mount namespace of a child's so that it is gone with it.
        var tar = TarBuilder()
        tar.add("a/big".utf8, content: (0..<(8 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })
        let archive = try fixture.file("big.tar", tar.finished)
        let result = try await Command.run([
            "unshare", "-m", "sh", "-c",
            "mount -t tmpfs -o size=4m none \(disk) && \(Products.path("swbox-image")) import --root \(disk) \(archive) big;"
                + " echo status $?; find \(disk) -mindepth 2 | sed 's/^/left /'",
        ])
        #expect(result.standardError.contains("big.tar: entry a/big: write: no space left on device"), "\(result)")
        #expect(result.output == "status 1", "\(result)")
    }
}
