import Foundation
import LinuxSystem
import Testing

struct MountInfoTests {
    private static let text = """
        23 1 8:1 / / rw - ext4 /dev/root rw
        24 23 0:20 / /proc rw,nosuid shared:5 master:3 propagate_from:2 - proc proc rw
        30 23 0:26 /box /a\\040b\\134c\\011 rw,relatime - cgroup2 cgroup2 rw,nsdelegate
        31 23 0:26 / /a\\040b\\134c\\011 rw - cgroup2 none rw
        nonsense
         - cgroup
        35 31 0:32 / /short rw - cgroup
        36 31 0:20 / /unnamed rw - proc  rw
        37 31 0:32 / /last rw - tmpfs tmpfs rw,size=64k
        """

    private func all(_ type: StaticString = "", _ text: String = text) -> [MountInfo.Mount] {
        var mounts = MountInfo(Array(text.utf8))
        var list: [MountInfo.Mount] = []
        while let mount = mounts.next(type) { list.append(mount) }
        return list
    }

    @Test func readsLines() {
        #expect(all().map(\.point) == ["/", "/proc", "/a b\\c\t", "/a b\\c\t", "/unnamed", "/last"])
        #expect(all().map(\.root) == ["/", "/", "/box", "/", "/", "/"])
        #expect(all().map(\.type) == ["ext4", "proc", "cgroup2", "cgroup2", "proc", "tmpfs"])
        #expect(all("proc").map(\.options) == ["rw", "rw"])
        #expect(all().last?.options == "rw,size=64k")
    }

    @Test func choosesByTheBeginningOfTheType() {
        #expect(all("cgroup").map(\.type) == ["cgroup2", "cgroup2"])
        #expect(all("cgroup2").map(\.root) == ["/box", "/"])
        #expect(all("cgroup3").isEmpty && all("tmpfsx").isEmpty)
    }

    @Test func theLastMountOfAPlaceIsSeen() {
        let mounts = MountInfo(Array(Self.text.utf8))
        #expect(mounts.root(at: "/a b\\c\t") == "/")
        #expect(mounts.root(at: "/nothing") == nil)
    }

    @Test(arguments: [
        "", "\n\n", " ", "-", " - ", "1 2 3 4 5 6", "1 2 3 4 5 6 -", "1 2 3 4 5 6 - t", "\\", "1 2 3 \\ \\04 6 - t s",
    ])
    func hasNothingInWhatIsNoList(_ text: String) {
        #expect(all("", text).isEmpty)
    }

    /// As util-linux reads the same file.
    @Test func agreesWithFindmnt() throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/findmnt")
        process.arguments = ["-rno", "TARGET,FSTYPE", "--kernel"]
        let pipe = Pipe()
        process.standardOutput = pipe
        try process.run()
        let output = try #require(try pipe.fileHandleForReading.readToEnd())
        process.waitUntilExit()
        let theirs = String(decoding: output, as: UTF8.self).split(separator: "\n").map(String.init)
        var mounts = try MountInfo.current()
        var ours: [String] = []
        while let mount = mounts.next() { ours.append("\(mount.point) \(mount.type)") }
        #expect(Set(ours).intersection(theirs) == Set(theirs.filter { !$0.contains("\\x") }))
    }
}
