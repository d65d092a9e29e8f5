import ContainerRuntime
import Foundation
import Testing

@Suite("users of a container")
struct UserDatabaseTests {
    private let users = UserDatabase(
        passwd: Array(
            """
            root:x:0:0:root:/root:/bin/sh
            broken line
            redis:x:102:103::/var/lib/redis:/usr/sbin/nologin
            7:x:500:501:a name of digits:/seven:
            big:x:4294967296:0::/:
            home:x:9:9:::

            """.utf8),
        group: Array("root:x:0:\nredis:x:103:\nadm:x:4:syslog,redis\ntty:x:5:redis\nx\n".utf8))

    @Test(arguments: [
        ("", ContainerUser(uid: 0, gid: 0, home: "/root")),
        ("root", ContainerUser(uid: 0, gid: 0, home: "/root")),
        ("0", ContainerUser(uid: 0, gid: 0, home: "/root")),
        ("redis", ContainerUser(uid: 102, gid: 103, additionalGroups: [4, 5], home: "/var/lib/redis")),
        ("102", ContainerUser(uid: 102, gid: 103, additionalGroups: [4, 5], home: "/var/lib/redis")),
        ("redis:tty", ContainerUser(uid: 102, gid: 5, home: "/var/lib/redis")),
        ("redis:77", ContainerUser(uid: 102, gid: 77, home: "/var/lib/redis")),
        ("1234", ContainerUser(uid: 1234, gid: 0)),
        ("1234:redis", ContainerUser(uid: 1234, gid: 103)),
        (":redis", ContainerUser(uid: 0, gid: 103, home: "/root")),
        ("7", ContainerUser(uid: 500, gid: 501, home: "/seven")),
        ("home", ContainerUser(uid: 9, gid: 9, home: "/")),
    ])
    func `is found by docker's grammar`(text: String, user: ContainerUser) throws {
        #expect(try users.user(text) == user)
    }

    @Test(arguments: [
        ("nosuch", "unable to find user nosuch: no matching entries in passwd file"),
        ("root:nosuch", "unable to find group nosuch: no matching entries in group file"),
        ("4294967295", "uids and gids must be in range 0-2147483647: 4294967295"),
        ("0:2147483648", "uids and gids must be in range 0-2147483647: 2147483648"),
        ("-1", "unable to find user -1: no matching entries in passwd file"),
        ("big", "unable to find user big: no matching entries in passwd file"),
    ])
    func `is refused in docker's words`(text: String, words: String) {
        #expect { try users.user(text) } throws: { "\($0)" == words }
    }

    @Test func `an overlay shows the topmost file, and nothing below a whiteout or a link out`() throws {
        let folder = NSTemporaryDirectory() + "users-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for layer in ["top", "middle", "bottom"] {
            try FileManager.default.createDirectory(atPath: "\(folder)/\(layer)/etc", withIntermediateDirectories: true)
        }
        try "a:x:1:1::/a:\n".write(toFile: "\(folder)/bottom/etc/passwd", atomically: false, encoding: .utf8)
        let layers = ["top", "middle", "bottom"].map { "\(folder)/\($0)" }
        func user() throws -> ContainerUser {
            try UserDatabase(root: .overlay(.init(lower: layers, upper: nil, work: nil))).user("a")
        }
        #expect(try user().uid == 1)
        // The host's file is not the container's.
        try FileManager.default.createSymbolicLink(
            atPath: "\(folder)/top/etc/passwd", withDestinationPath: "/proc/1/root/etc/passwd")
        #expect(throws: (any Error).self) { try UserDatabase(root: .directory(layers[0])).user("root1") }
        #expect(throws: (any Error).self) { try UserDatabase(root: .directory(layers[0])).user("daemon") }
        try FileManager.default.removeItem(atPath: "\(folder)/top/etc/passwd")
        try #require(mknod("\(folder)/middle/etc/passwd", S_IFCHR, 0) == 0)
        #expect(throws: ContainerUserError.self) { try user() }
    }
}
