import TestSupport
import Testing

@Suite("images")
struct ImageTests {
    @Test(arguments: ["docker", "oci"])
    func `load of an archive: layers, whiteouts and the image's own defaults`(kind: String) async throws {
        try await TestHost.with { host in
            let loaded = try await host.box("load", "-i", "\(host.images)/\(kind).tar")
            #expect(loaded.contains("two:\(kind)"), "\(loaded)")
            let image = "two:\(kind)"
            let run = { (words: [String]) in
                try await host.must([Products.path("swbox"), "run", "--rm", "--net", "none"] + words)
            }
            #expect(try await run([image]) == "entry default")
            #expect(try await run([image, "other", "words"]) == "entry other words")
            #expect(try await run(["--entrypoint", "pwd", image]) == "/srv")
            #expect(try await run(["--entrypoint", "id", image]).contains("uid=1000(alice)"))
            #expect(try await run(["--entrypoint", "env", image]).contains("LAYERS=two"))
            #expect(try await run(["--entrypoint", "ls", image, "/srv"]) == "new")
            #expect(
                try await run(["--entrypoint", "sh", image, "-c", "ls /etc/group 2>&1 || echo gone"]).contains("gone"))
            let list = try await host.box("images")
            for column in ["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"] { #expect(list.contains(column)) }
            #expect(list.contains("two") && list.contains(kind))
            try await host.box("rmi", image)
            #expect(try await !host.box("images").contains("two"))
            // Nothing of it is left on disk.
            #expect(try await host.must(["sh", "-c", "find /var/lib/swbox -name busybox | wc -l"]) == "0")
        }
    }

    @Test func `import from standard input, and load of standard input`() async throws {
        try await TestHost.with { host in
            let imported = try await host.swbox("import", "-", "one:v1", input: .file("\(host.images)/tools.tar"))
            #expect(imported.status == 0 && imported.output.hasPrefix("sha256:"), "\(imported)")
            #expect(try await host.box("run", "--rm", "--net", "none", "one:v1", "echo", "hello") == "hello")
            let loaded = try await host.swbox("load", input: .file("\(host.images)/oci.tar"))
            #expect(loaded.status == 0 && loaded.output.contains("two:oci"), "\(loaded)")
            let id = imported.output.dropFirst("sha256:".count).prefix(12)
            #expect(try await host.box("images", "-q").contains(id))
            #expect(try await host.box("run", "--rm", "--net", "none", String(id), "echo", "by id") == "by id")
        }
    }

    @Test func `an image in use is not removed`() async throws {
        try await TestHost.with { host in
            try await host.importTools()
            try await host.detach("--name", "a", "tools", "sleep", "1000")
            expectRefusal(try await host.swbox("rmi", "tools"), status: 1, names: "tools")
            try await host.remove("a")
            try await host.box("rmi", "tools")
        }
    }

    @Test func `archives that are cut short or hostile are refused and leave nothing`() async throws {
        try await TestHost.with { host in
            try await host.shell(
                """
                mkdir -p /run/bad && cd /run/bad
                head -c 3000000 \(host.images)/tools.tar > short.tar
                head -c 1500000 \(host.images)/oci.tar > short-oci.tar
                head -c 100000 /dev/urandom > noise.tar
                : > empty.tar
                mkdir t && echo x > t/f
                tar -cPf up.tar --transform 's,^,../../../../,' t/f
                tar -cPf abs.tar --transform 's,^,/tmp/swbox-escape/,' t/f
                ln -s /tmp t/link && tar -cf link.tar t/link && mkdir t2 && mkdir -p t2/t/link && echo y > t2/t/link/swbox-escape
                tar -C t2 -rf link.tar t/link/swbox-escape
                """)
            for name in ["short", "noise"] {
                expectRefusal(
                    try await host.swbox("import", "/run/bad/\(name).tar", "bad"), status: nil,
                    names: "/run/bad/\(name).tar")
            }
            expectRefusal(
                try await host.swbox("load", "-i", "/run/bad/short-oci.tar"), status: nil, names: "short-oci.tar")
            expectRefusal(
                try await host.swbox("load", "-i", "/run/bad/tools-that-do-not-exist.tar"), status: nil,
                names: "tools-that-do-not-exist.tar")
            expectRefusal(
                try await host.swbox("load", "-i", "\(host.images)/tools.tar"), status: nil, names: "tools.tar")
            for name in ["up", "abs", "link"] {
                let result = try await host.swbox("import", "/run/bad/\(name).tar", "bad-\(name)")
                // Refused, or unpacked below the layer: both are safe, an escape is not.
                if result.status != 0 { expectRefusal(result, status: nil) }
                #expect(
                    try await host.shell("ls -d /tmp/swbox-escape* /run/f /var/lib/f /f 2>/dev/null").output.isEmpty,
                    "\(result)")
                if result.status == 0 { try await host.box("rmi", "bad-\(name)") }
            }
            #expect(try await host.box("images", "-q").isEmpty)
            let left = try await host.must([
                "sh", "-c", "find /var/lib/swbox -type f -size +0 ! -name '*.json' ! -name lock | head",
            ])
            #expect(left.isEmpty, "\(left)")
        }
    }
}
