import CLinux
import Foundation
import ImageArchive
import ImageStore
import TestSupport
import Testing

/// Layers as honest programs write them: every kind of file with everything it carries.
@Suite(.enabled(if: isRoot, needsRoot)) struct LayerTests {
    let fixture: ArchiveFixture

    init() throws { fixture = try ArchiveFixture() }

    @Test func everyKindOfFileArrivesWithItsMetadata() throws {
        var tar = TarBuilder()
        let capability: [UInt8] = [1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        tar.add("./", type: "5", mode: 0o751, user: 7, group: 8, modified: 5)
        tar.add("./bin/", type: "5", mode: 0o2775, user: 1, group: 2, modified: 1_234_567)
        tar.add(
            "./bin/tool", mode: 0o4755, user: 1000, group: 1001, modified: 77, content: "program",
            records: [("SCHILY.xattr.security.capability", capability), ("SCHILY.xattr.user.note", Array("hi".utf8))])
        tar.add("./bin/link", type: "2", user: 5, group: 6, modified: 99, link: "/etc/passwd")
        tar.add("./bin/hard", type: "1", link: "./bin/tool")
        tar.add("./null", type: "3", mode: 0o666, group: 9, device: (1, 3))
        tar.add("./disk", type: "4", mode: 0o660, device: (8, 300))
        tar.add("./fifo", type: "6", mode: 0o600)
        tar.add("./precise", content: "x", records: [("mtime", Array("12.345678901".utf8))])
        tar.add("./big", user: 3_000_000, group: 4_000_000_000, content: "y")
        tar.add("./sticky", type: "5", mode: 0o1777, modified: 42)
        tar.add("./sticky/inside", content: "z")
        let root = try fixture.unpack(tar.finished)

        let top = try #require(status(root))
        #expect(top.permissions == 0o751 && top.st_uid == 7 && top.st_gid == 8 && top.st_mtim.tv_sec == 5)
        let bin = try #require(status("\(root)/bin"))
        #expect(bin.permissions == 0o2775 && bin.st_mtim.tv_sec == 1_234_567)
        let tool = try #require(status("\(root)/bin/tool"))
        #expect(tool.permissions == 0o4755 && tool.st_uid == 1000 && tool.st_gid == 1001 && tool.st_mtim.tv_sec == 77)
        #expect(attribute("security.capability", of: "\(root)/bin/tool") == capability)
        #expect(attribute("user.note", of: "\(root)/bin/tool") == Array("hi".utf8))
        #expect(status("\(root)/bin/hard")?.st_ino == tool.st_ino)
        let link = try #require(status("\(root)/bin/link"))
        #expect(link.type == S_IFLNK && link.st_uid == 5 && link.st_gid == 6 && link.st_mtim.tv_sec == 99)
        #expect(try FileManager.default.destinationOfSymbolicLink(atPath: "\(root)/bin/link") == "/etc/passwd")
        let null = try #require(status("\(root)/null"))
        #expect(
            null.type == S_IFCHR && null.st_rdev == swn_makedev(1, 3) && null.permissions == 0o666 && null.st_gid == 9)
        let disk = try #require(status("\(root)/disk"))
        #expect(disk.type == S_IFBLK && disk.st_rdev == swn_makedev(8, 300))
        #expect(status("\(root)/fifo")?.type == S_IFIFO)
        let precise = try #require(status("\(root)/precise"))
        #expect(precise.st_mtim.tv_sec == 12 && precise.st_mtim.tv_nsec == 345_678_901)
        let big = try #require(status("\(root)/big"))
        #expect(big.st_uid == 3_000_000 && big.st_gid == 4_000_000_000)
        let sticky = try #require(status("\(root)/sticky"))
        #expect(sticky.permissions == 0o1777 && sticky.st_mtim.tv_sec == 42)
        #expect(contents("\(root)/sticky/inside") == "z")
    }

    @Test func namesMayBeLongDeepAndNoText() throws {
        var tar = TarBuilder()
        let long = Array(repeating: "directory-with-a-long-name", count: 40).joined(separator: "/")
        let binary: [UInt8] = [0xff, 0xfe, 0x01, 0x80]
        tar.add("\(long)/file", content: "deep", records: [])
        tar.add(binary, content: Array("binary".utf8))
        tar.add(binary + binary, content: Array("pax".utf8), records: [("path", binary + binary)])
        tar.add("häuser/ß", content: "text", records: [("path", Array("häuser/ß".utf8))])
        tar.add("link", type: "2", link: String(repeating: "t", count: 3000))
        tar.add(String(repeating: "n", count: 255), content: "longest")
        let root = try fixture.unpack(tar.finished)
        #expect(contents("\(root)/\(long)/file") == "deep")
        #expect(contents("\(root)/häuser/ß") == "text")
        #expect(contents("\(root)/" + String(repeating: "n", count: 255)) == "longest")
        var target = [CChar](repeating: 0, count: 4096)
        #expect(readlink("\(root)/link", &target, target.count) == 3000)
        for (name, text) in [(binary, "binary"), (binary + binary, "pax")] {
            let path = Array("\(root)/".utf8) + name + [0]
            let file = path.withUnsafeBufferPointer { bytes in
                bytes.withMemoryRebound(to: CChar.self) {
                    swn_openat(AT_FDCWD, $0.baseAddress, O_RDONLY | O_CLOEXEC, 0)
                }
            }
            var buffer = [UInt8](repeating: 0, count: 16)
            let count = read(file, &buffer, 16)
            close(file)
            #expect(count > 0 && String(decoding: buffer[..<max(0, count)], as: UTF8.self) == text)
        }
        // And all of it can be removed again.
        #expect(try fixture.store.remove("test") { _ in [] }.count == 3)
        #expect(status(root) == nil)
    }

    @Test func parentsWithoutEntriesAreMadeOpenToAll() throws {
        let old = umask(0o077)
        defer { umask(old) }
        var tar = TarBuilder()
        tar.add("a/b/file", content: "x")
        tar.add("a/", type: "5", mode: 0o700, modified: 3)
        let root = try fixture.unpack(tar.finished)
        #expect(status("\(root)/a/b")?.permissions == 0o755)
        #expect(status("\(root)/a")?.permissions == 0o700)
        #expect(status("\(root)/a")?.st_mtim.tv_sec == 3)
        #expect(status(root)?.permissions == 0o755)
        #expect(contents("\(root)/a/b/file") == "x")
    }

    @Test func laterEntriesReplaceEarlierOnes() throws {
        var tar = TarBuilder()
        tar.add("file", content: "first")
        tar.add("file", content: "second")
        tar.add("dir/", type: "5")
        tar.add("dir/child", content: "x")
        tar.add("dir", content: "file now")
        tar.add("link", type: "2", link: "file")
        tar.add("link", content: "no link any more")
        tar.add("again/", type: "5", mode: 0o700)
        tar.add("again/kept", content: "k")
        tar.add("again/", type: "5", mode: 0o711)
        let root = try fixture.unpack(tar.finished)
        #expect(contents("\(root)/file") == "second")
        #expect(contents("\(root)/dir") == "file now")
        #expect(contents("\(root)/link") == "no link any more")
        #expect(contents("\(root)/again/kept") == "k")
        #expect(status("\(root)/again")?.permissions == 0o711)
    }

    @Test func linksOfTheLayerAreFollowedAsInAContainer() throws {
        var tar = TarBuilder()
        tar.add("usr/lib/", type: "5")
        tar.add("lib", type: "2", link: "usr/lib")
        tar.add("absolute", type: "2", link: "/usr/lib")
        tar.add("climbing", type: "2", link: "../../../../../usr/lib")
        tar.add("lib/one", content: "1")
        tar.add("absolute/two", content: "2")
        tar.add("climbing/three", content: "3")
        tar.add("four", type: "1", link: "lib/one")
        let root = try fixture.unpack(tar.finished)
        for (name, text) in [("one", "1"), ("two", "2"), ("three", "3")] {
            #expect(contents("\(root)/usr/lib/\(name)") == text)
        }
        #expect(contents("\(root)/four") == "1")
        #expect(status("\(root)/lib")?.type == S_IFLNK)
    }

    @Test func whiteoutsBecomeThoseOfOverlayfs() throws {
        var tar = TarBuilder()
        tar.add("etc/.wh.passwd")
        tar.add("opaque/", type: "5")
        tar.add("opaque/.wh..wh..opq")
        tar.add("opaque/new", content: "n")
        tar.add("replaced/", type: "5")
        tar.add("replaced/new", content: "n")
        tar.add(".wh.replaced")
        tar.add(".wh.early")
        tar.add("early/", type: "5")
        tar.add("early/new", content: "n")
        tar.add(".wh.implicit")
        tar.add("implicit/new", content: "n")
        tar.add("file", content: "f")
        tar.add(".wh.file")
        tar.add(".wh..wh.plnk", type: "5")
        tar.add(".wh..wh.aufs")
        let root = try fixture.unpack(tar.finished)
        let passwd = try #require(status("\(root)/etc/passwd"))
        #expect(passwd.type == S_IFCHR && passwd.st_rdev == 0)
        for name in ["opaque", "replaced", "early", "implicit"] {
            #expect(attribute("trusted.overlay.opaque", of: "\(root)/\(name)") == Array("y".utf8), "\(name)")
            #expect(contents("\(root)/\(name)/new") == "n")
        }
        #expect(contents("\(root)/file") == "f")
        let names = try FileManager.default.contentsOfDirectory(atPath: root)
        #expect(!names.contains { $0.hasPrefix(".wh.") }, "\(names)")
    }

    @Test func sparseFilesStaySparse() async throws {
        let path = "\(fixture.directory)/sparse"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for format in ["gnu", "posix"] {
            let made = try await Command.run([
                "sh", "-c",
                "cd \(path) && truncate -s 300M f && printf middle | dd of=f bs=1 seek=200000000 conv=notrunc status=none"
                    + " && tar -S --format=\(format) -cf ../layer.tar f",
            ])
            #expect(made.status == 0, "\(made)")
            let bytes = Array(try #require(FileManager.default.contents(atPath: "\(fixture.directory)/layer.tar")))
            let root = try fixture.unpack(bytes)
            let file = try #require(status("\(root)/f"))
            #expect(file.st_size == 300 << 20)
            #expect(file.st_blocks * 512 < 1 << 20)
            let compared = try await Command.run(["cmp", "\(root)/f", "\(path)/f"])
            #expect(compared.status == 0, "\(compared)")
        }
    }

    @Test func attributesThatOverlayfsOwnsAreNotTaken() throws {
        var tar = TarBuilder()
        tar.add(
            "dir/", type: "5",
            records: [
                ("SCHILY.xattr.trusted.overlay.redirect", Array("/etc".utf8)),
                ("SCHILY.xattr.trusted.overlay.opaque", Array("y".utf8)),
                ("SCHILY.xattr.trusted.mine", Array("t".utf8)),
            ])
        let root = try fixture.unpack(tar.finished)
        #expect(attribute("trusted.overlay.redirect", of: "\(root)/dir") == nil)
        #expect(attribute("trusted.overlay.opaque", of: "\(root)/dir") == nil)
        #expect(attribute("trusted.mine", of: "\(root)/dir") == Array("t".utf8))
    }

    @Test(arguments: ["gzip", "bzip2", "xz", "zstd"])
    func compressedArchivesAreTheSameImage(program: String) async throws {
        try #require(isInstalled(program), "tools/test installs it")
        var tar = TarBuilder()
        tar.add("file", content: String(repeating: "hello ", count: 100_000))
        let plain = try fixture.unpack(tar.finished)
        let path = try fixture.file("compressed", tar.finished)
        let made = try await Command.run(["sh", "-c", "\(program) -c \(path) > \(path).z"])
        #expect(made.status == 0, "\(made)")
        let packed = try fixture.unpack(Array(try #require(FileManager.default.contents(atPath: "\(path).z"))))
        #expect(packed == plain)
    }

    @Test func seventyThousandEntries() async throws {
        let path = "\(fixture.directory)/many.tar"
        let script = """
            import io, sys, tarfile
            with tarfile.open(sys.argv[1], "w", format=tarfile.USTAR_FORMAT) as tar:
                for d in range(70):
                    i = tarfile.TarInfo(f"d{d}"); i.type = tarfile.DIRTYPE; i.mode = 0o755; i.mtime = d; tar.addfile(i)
                    for f in range(999):
                        i = tarfile.TarInfo(f"d{d}/f{f}"); i.size = 1; tar.addfile(i, io.BytesIO(b"x"))
            """
        let made = try await Command.run(["python3", "-c", script, path])
        #expect(made.status == 0, "\(made)")
        let start = Date()
        let image = try ImageImport().run(.path(path), into: fixture.store, as: nil).image
        print("70,000 entries unpacked in \(Int(-start.timeIntervalSinceNow * 1000)) ms")
        let root = try #require(fixture.store.layerDirectories(of: image).first)
        #expect(contents("\(root)/d69/f998") == "x")
        #expect(status("\(root)/d69")?.st_mtim.tv_sec == 69)
    }
}
