import CLinux
import Foundation
import TestSupport
import Testing

@Suite("swrun: rules of Landlock, by annotation")
struct RuntimeLandlockTests {
    private static let annotation = "org.swnet.landlock"
    private static let kernel = swn_landlock_version()
    private static let isThere: ConditionTrait = .enabled(if: kernel >= 1, "this kernel has no Landlock")

    /// The change to a document that puts a JSON text into the annotation.
    private static func change(_ rules: String, _ more: String = ".") -> String {
        ".annotations[\"\(annotation)\"] = (\(rules) | tojson) | \(more)"
    }

    /// To cut a file short is a right of its own since version 3.
    private static let truncating = kernel >= 3 ? #", "LANDLOCK_ACCESS_FS_TRUNCATE""# : ""

    private static let writing = #"""
        {ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_WRITE_FILE", "LANDLOCK_ACCESS_FS_MAKE_REG", "LANDLOCK_ACCESS_FS_REMOVE_FILE"\#(truncating)]},
         rules: {pathBeneath: [{allowedAccess: ["LANDLOCK_ACCESS_FS_WRITE_FILE", "LANDLOCK_ACCESS_FS_MAKE_REG"\#(truncating)], paths: ["/data", "/dev/null"]}]},
         disableBestEffort: true}
        """#

    @Test(isThere) func `files are changed where a rule allows it, by the program and by what is run later`()
        async throws
    {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.change(Self.writing))
            try await host.must([
                "bash", "-ec",
                "mkdir -p /run/bundle/rootfs/data /run/bundle/rootfs/other; echo old >/run/bundle/rootfs/other/file",
            ])
            // Started in two steps, so that the rules wait with the process.
            try await bundle.create()
            try await bundle.must("start", "box")
            let look =
                "cat /other/file; echo x >/data/file && echo made; echo x >/dev/null && echo null; (echo x >/other/file) 2>&1; (echo x >/other/new) 2>&1; rm /data/file 2>&1; cat /other/file"
            let inside = try await bundle.swrun("exec", "box", "sh", "-c", look)
            #expect(
                inside.lines.filter { ["old", "made", "null"].contains($0) } == ["old", "made", "null", "old"],
                "\(inside)")
            #expect(inside.lines.filter { $0.contains("ermission denied") }.count == 3, "\(inside)")
            #expect(
                try await host.must(["ls", "/run/bundle/rootfs/other", "/run/bundle/rootfs/data"]).contains("file"))
            try await bundle.must("delete", "--force", "box")
            // The first process is under them too, and without no_new_privs.
            let other = try await RuntimeBundle(
                host, look, Self.change(Self.writing, ".process.noNewPrivileges = false"))
            let result = try await other.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.lines.filter { $0.contains("ermission denied") }.count == 3, "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(isThere) func `a link out of the root leads nowhere else than in the root`() async throws {
        try await TestHost.with { host in
            let rules = #"""
                {ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_READ_FILE"]},
                 rules: {pathBeneath: [{allowedAccess: ["LANDLOCK_ACCESS_FS_READ_FILE"], paths: ["/link", "/bin", "/lib", "/usr"]}]}}
                """#
            let change = Self.change(
                rules, #".mounts += [{destination: "/mnt", type: "bind", source: "/run/secret", options: ["bind"]}]"#)
            let bundle = try await RuntimeBundle(host, "cat /etc/data/file; cat /mnt/file", change)
            try await host.must([
                "bash", "-ec",
                """
                cd /run/bundle/rootfs; mkdir -p etc/data mnt usr lib; echo mine >etc/data/file
                mkdir /run/secret; echo secret >/run/secret/file; ln -s /../../../etc/data link
                """,
            ])
            let inside = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(inside.output == "mine" && inside.errors.contains("ermission denied"), "\(inside)")
            // The host's directory of that name is not there for it, and what /proc leads to is not followed.
            for target in ["/run/secret", "/proc/1/root/etc", "/proc/self/root"] {
                try await host.must(["ln", "-sfn", target, "/run/bundle/rootfs/link"])
                expectRefusal(
                    try await bundle.swrun("run", "--bundle", "/run/bundle", "box"), status: 1,
                    names: Self.annotation, "/link")
            }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(.enabled(if: kernel >= 6, "this kernel has no Landlock of version 6"))
    func `ports and signals`() async throws {
        try await TestHost.with { host in
            let rules = #"""
                {ruleset: {handledAccessNet: ["LANDLOCK_ACCESS_NET_BIND_TCP"], scoped: ["LANDLOCK_SCOPE_SIGNAL"]},
                 rules: {netPort: [{allowedAccess: ["LANDLOCK_ACCESS_NET_BIND_TCP"], ports: [8080]}]}}
                """#
            let bundle = try await RuntimeBundle(host, "sleep 1000", Self.change(rules))
            try await bundle.create()
            try await bundle.must("start", "box")
            let inside = try await bundle.swrun(
                "exec", "box", "sh", "-c",
                "timeout 1 socat TCP-LISTEN:8080 - </dev/null; [ $? -ge 124 ] && echo listened; timeout 1 socat TCP-LISTEN:8081 - </dev/null 2>&1 | grep -o 'ermission denied'; kill -0 1 2>&1 | grep -o 'not permitted'"
            )
            #expect(inside.lines == ["listened", "ermission denied", "not permitted"], "\(inside)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(
        isThere,
        arguments: [
            (#""{\"ruleset\"""#, ""),
            (#"({ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_FLY"]}} | tojson)"#, ".ruleset.handledAccessFS[0]"),
            (#"({ruleset: {handledAcessFS: ["LANDLOCK_ACCESS_FS_EXECUTE"]}} | tojson)"#, "handledAcessFS"),
            (#"({ruleset: {}} | tojson)"#, ".ruleset"),
            (#"({rules: {}} | tojson)"#, "ruleset"),
            (#"({ruleset: {handledAccessFS: "LANDLOCK_ACCESS_FS_EXECUTE"}} | tojson)"#, ".ruleset.handledAccessFS"),
            (
                #"({ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_EXECUTE"]}, rules: {pathBeneath: [{allowedAccess: ["LANDLOCK_ACCESS_FS_READ_DIR"], paths: ["/"]}]}} | tojson)"#,
                ".rules.pathBeneath[0].allowedAccess[0]"
            ),
            (
                #"({ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_EXECUTE"]}, rules: {pathBeneath: [{allowedAccess: ["LANDLOCK_ACCESS_FS_EXECUTE"], paths: ["bin"]}]}} | tojson)"#,
                ".rules.pathBeneath[0].paths[0]"
            ),
            (
                #"({ruleset: {handledAccessNet: ["LANDLOCK_ACCESS_NET_BIND_TCP"]}, rules: {netPort: [{allowedAccess: ["LANDLOCK_ACCESS_NET_BIND_TCP"], ports: [65536]}]}} | tojson)"#,
                ".rules.netPort[0].ports[0]"
            ),
            (
                #"({ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_EXECUTE"]}, rules: {pathBeneath: [{allowedAccess: ["LANDLOCK_ACCESS_FS_EXECUTE"], paths: ["/nowhere"]}]}} | tojson)"#,
                "/nowhere"
            ),
        ])
    func `rules that cannot be meant are refused by name`(text: String, name: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", ".annotations[\"\(Self.annotation)\"] = \(text)")
            expectRefusal(
                try await bundle.swrun("run", "--bundle", "/run/bundle", "box"), status: 1, names: Self.annotation, name
            )
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(isThere) func `a program that may not be executed is not`() async throws {
        try await TestHost.with { host in
            let rules = #"{ruleset: {handledAccessFS: ["LANDLOCK_ACCESS_FS_EXECUTE"]}}"#
            let bundle = try await RuntimeBundle(host, "echo ran", Self.change(rules))
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                result.status == 126 && result.errors.contains("permission denied") && result.output == "", "\(result)")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
