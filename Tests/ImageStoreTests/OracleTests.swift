import Foundation
import ImageArchive
import ImageStore
import TestSupport
import Testing

/// The field's own tools as the judges: skopeo and umoci write the archives, umoci and tar unpack them for comparison.
@Suite(.enabled(if: isRoot && isInstalled("umoci") && isInstalled("skopeo"), "needs root, skopeo and umoci"))
struct OracleTests {
    let fixture: ArchiveFixture

    init() throws { fixture = try ArchiveFixture() }

    @discardableResult
    private func shell(_ script: String) async throws -> String {
        let result = try await Command.run(["sh", "-ec", "cd \(fixture.directory)\n" + script])
        #expect(result.status == 0, "\(result)")
        return result.standardOutput
    }

    /// Makes an OCI layout `oci` with the image `x`, whose three layers add, change, hide and replace.
    private func makeImage() async throws {
        try await shell(
            """
            mkdir one two three; cd one
            mkdir -p bin etc/deep var/empty usr/lib replaced/by gone
            echo tool > bin/tool; chmod 4755 bin/tool; ln bin/tool bin/hard; ln -s ../bin/tool etc/link
            ln -s usr/lib lib; echo lib > usr/lib/x; echo hidden > etc/passwd; echo deep > etc/deep/file
            mkfifo fifo; mknod null c 1 3; mknod disk b 8 1; echo g > gone/file; echo r > replaced/by/dir
            chown -R 12:34 usr; chmod 1777 var/empty; truncate -s 1M var/sparse; setfattr -n user.k -v v bin/tool || true
            touch -d 2001-02-03T04:05:06 bin/tool etc usr/lib; cd ..
            cd two; mkdir -p etc usr/lib; echo new > etc/new; touch etc/.wh.passwd .wh.gone; echo y > usr/lib/y
            touch -d 2002-02-03T04:05:06 etc usr/lib; cd ..
            cd three; mkdir -p etc/deep; touch etc/deep/.wh..wh..opq; echo only > etc/deep/only; echo file > replaced
            touch .wh.fifo; cd ..
            umoci init --layout oci; umoci new --image oci:x
            for l in one two three; do
                tar --xattrs --numeric-owner -C $l -cf $l.tar .
                umoci raw add-layer --image oci:x $l.tar
            done
            umoci config --image oci:x --config.cmd /bin/tool --config.env A=b --config.user 12:34 --config.workingdir /etc
            """)
    }

    /// Everything that can be seen of a tree, one line an entry.
    private static let list = """
        find . -mindepth 1 \\( -type d -printf '%P|%y|%m|%U:%G|%T@\\n' -o -printf '%P|%y|%m|%U:%G|%s|%l|%T@|%n\\n' \\) | sort
        find . -type f -exec sha256sum {} + | sort
        find . \\( -type b -o -type c \\) -exec stat -c '%n %t:%T' {} + | sort
        """

    @Test func aStackOfLayersIsTheTreeThatUmociUnpacks() async throws {
        try await makeImage()
        let results = try fixture.load("\(fixture.directory)/oci", name: "x")
        let image = try #require(results.first?.image)
        #expect(image.config.command == ["/bin/tool"])
        #expect(image.config.environment.contains("A=b"))
        #expect(image.config.user == "12:34")
        let lower = fixture.store.layerDirectories(of: image).reversed().joined(separator: ":")
        try await shell("umoci unpack --image oci:x bundle")
        let theirs = try await shell("cd bundle/rootfs\n" + Self.list)
        // In a mount namespace of the shell's own, so that nothing stays mounted.
        let ours = try await shell(
            """
            mkdir merged
            cat > list <<'END'
            mount -t overlay -o ro,lowerdir=\(lower) none merged; cd merged
            \(Self.list)
            END
            unshare -m sh -e list
            """)
        #expect(theirs.contains("bin/tool|f|4755"))
        #expect(difference(theirs, ours) == [])
    }

    @Test func aLayerIsTheTreeThatTarUnpacks() async throws {
        try await makeImage()
        let bytes = Array(try #require(FileManager.default.contents(atPath: "\(fixture.directory)/one.tar")))
        let root = try fixture.unpack(bytes)
        try await shell("mkdir tarred; tar --xattrs --numeric-owner -p -C tarred -xf one.tar")
        let list = Self.list + "\ngetfattr -R -h -d -m - . 2>/dev/null | sort || true"
        let theirs = try await shell("cd tarred\n" + list)
        let ours = try await shell("cd \(root)\n" + list)
        #expect(difference(theirs, ours) == [])
    }

    @Test func skopeosArchivesAreTheSameImage() async throws {
        try await makeImage()
        try await shell(
            """
            skopeo copy -q oci:oci:x docker-archive:docker.tar:me/app:1
            skopeo copy -q oci:oci:x oci-archive:oci.tar:me/app:2
            skopeo copy -q oci:oci:x oci:copy:me/app:3
            skopeo copy -q --dest-compress-format zstd --dest-compress oci:oci:x oci:zstd:me/app:4 || cp -r copy zstd
            tar -C copy -cf copy.tar .
            gzip -k docker.tar
            """)
        let first = try #require(try fixture.load("\(fixture.directory)/oci").first)
        let names = ["docker.tar": "1", "oci.tar": "2", "copy": "3", "copy.tar": "3", "docker.tar.gz": "1"]
        for (name, tag) in names {
            let results = try fixture.load("\(fixture.directory)/\(name)")
            #expect(results.map { $0.references.map(\.familiar) } == [["me/app:\(tag)"]], "\(name)")
            // skopeo writes the configuration anew for docker archives, with the same layers.
            #expect(results.first?.image.layers == first.image.layers, "\(name)")
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: "\(fixture.store.root)/layers").count == 3)
        _ = try fixture.load("\(fixture.directory)/zstd")
    }

    /// Lines that only one of two texts has.
    private func difference(_ theirs: String, _ ours: String) -> [String] {
        let (a, b) = (Set(theirs.components(separatedBy: "\n")), Set(ours.components(separatedBy: "\n")))
        return a.subtracting(b).map { "theirs: \($0)" }.sorted() + b.subtracting(a).map { "ours: \($0)" }.sorted()
    }
}
