import TestSupport
import Testing

/// Something else lies in the place of a folder of records: a link that leads elsewhere is not followed.
@Suite("strange folders", .timeLimit(.minutes(10)))
struct StrangeFolderTests {
    private static let kinds = ["echo x >", "mkfifo", "ln -s /nowhere", "ln -s /run/outside/folder"]

    /// Has somebody else's folder, with entries of all names that are ours.
    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80", "[::1]:8081:80")
        try await host.must([
            "bash", "-ec",
            """
            mkdir -p /run/outside/folder/{lab,leases}; cd /run/outside/folder
            for name in web 1 tcp-8081 10.44.0.2 lab/leases leases/10.44.0.2; do ln -s web $name; done
            echo mine > mine
            """,
        ])
    }

    private func outside(_ host: NetworkHost) async throws -> String {
        try await host.must(["find", "/run/outside/folder", "-printf", "%y %p %l %T@\n"])
    }

    @Test(arguments: kinds)
    func `are told, and made again`(kind: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let theirs = try await outside(host)
            for folder in [
                "relays", "namespaces", "names", "names-internal", "dhcp", "dhcp6", "networks", "networks/lab",
                "networks/lab/leases", "networks/lab/strangers", "networks/other",
            ] {
                let note: Comment = "\(folder) as \(kind)"
                let path = "/run/swnet/\(folder)"
                try await host.must(["bash", "-c", "rm -rf \(path); \(kind) \(path)"])
                let found = try await host.swnet("check")
                #expect(found.status == 1 && found.output == "folder \(path): it is none", "\(note): \(found)")
                #expect(try await host.net("repair", "--dry-run").hasPrefix("would repair \(found.output) ("), note)
                if !folder.contains("/") {
                    for words in [["publish", "web", "81:80"], ["ls"], ["gc"], ["disconnect", "lab", "web"]] {
                        let refused = try await host.swnet(words)
                        #expect(
                            refused.status == 1 && refused.errors.contains("\(path): it is none (swnet repair)"),
                            "\(note): \(refused)")
                    }
                }
                let repaired = try await host.swnet("repair")
                #expect(
                    repaired.status == 0 && repaired.output.contains("repaired folder \(path): it is none"),
                    "\(note): \(repaired)")
                #expect(try await host.net("check") == "", note)
                #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web", note)
                #expect(try await host.answer("TCP:[::1]:8081")?.hasSuffix("web") == true, note)
                for line in ["publish", "unpublish"] { try await host.net(line, "web", "[::1]:82:80", "81:80") }
                #expect(try await outside(host) == theirs, note)
            }
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            #expect(try await host.nothingLeft() == [])
        }
    }

    @Test(arguments: kinds)
    func `that nobody can make again are a person's`(kind: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let theirs = try await outside(host)
            for (path, words) in [
                ("/run/swnet/sandboxes", "put the records back, or give up all sandboxes"),
                ("/var/lib/swnet/networks", "put the folder back, which has the definitions of all networks"),
                ("/run/swnet", "rm /run/swnet; swnet repair"),
            ] {
                // A link is another way to name a root.
                if kind.contains("outside") && !path.contains("sandboxes") { continue }
                try await host.must(["bash", "-c", "mv \(path) /run/kept; \(kind) \(path)"])
                let before = try await host.must(["bash", "-c", "ip -o link; nft list ruleset"])
                for line in [["check"], ["repair"], ["publish", "web", "81:80"], ["ls"]] {
                    let told = try await host.swnet(line)
                    #expect(told.status == 1, "\(path) as \(kind): \(told)")
                    #expect((told.output + told.errors).contains(words), "\(path) as \(kind): \(told)")
                    #expect(!told.errors.contains("/proc/"), "\(path) as \(kind): \(told)")
                }
                #expect(try await host.must(["bash", "-c", "ip -o link; nft list ruleset"]) == before)
                try await host.must(["bash", "-c", "rm -rf \(path); mv /run/kept \(path)"])
                #expect(try await host.net("check") == "")
            }
            // Sandboxes can be given up.
            try await host.must(["bash", "-c", "rm -r /run/swnet/sandboxes; \(kind) /run/swnet/sandboxes"])
            try await host.must(["rm", "/run/swnet/sandboxes"])
            try await host.net("repair")
            #expect(try await host.net("check") == "")
            #expect(try await outside(host) == theirs)
        }
    }

    /// What a folder without the mark of this boot holds is forgotten: only what can be ours.
    @Test func `no folder of somebody else's becomes a run root`() async throws {
        try await NetworkHost.with { host in
            try await host.must(["bash", "-c", "mkdir -p /run/theirs/networks; echo mine > /run/theirs/networks.list"])
            let found = try await host.swnet("--run-root", "/run/theirs", "check")
            #expect(found.status == 1 && found.errors.contains("choose an empty folder as --run-root"), "\(found)")
            #expect(try await host.must(["cat", "/run/theirs/networks.list"]) == "mine")
            #expect(try await host.must(["ls", "-A", "/run/theirs"]) == "networks\nnetworks.list")
            try await host.must(["rm", "/run/theirs/networks.list"])
            #expect(try await host.net("--run-root", "/run/theirs", "check") == "")
            // Records of a boot that is over.
            try await host.must(["ln", "-sfn", "another", "/run/theirs/boot"])
            try await host.must(["mkdir", "/run/theirs/networks/lab"])
            #expect(try await host.net("--run-root", "/run/theirs", "check") == "")
            #expect(try await host.must(["ls", "/run/theirs/networks"]) == "")
        }
    }
}
