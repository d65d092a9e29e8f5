import TestSupport
import Testing

/// Something else than a file lies where a record is, or is written: nobody waits for it or follows it, and what it was
/// is told and made again.
@Suite("strange files", .timeLimit(.minutes(10)))
struct StrangeFileTests {
    private static let kinds = [
        "mkfifo", "mkdir -p {}/x; touch", "ln -s /dev/zero", "ln -s /nowhere", "truncate -s 3G",
        // Somebody reads from it.
        "f() { mkfifo $1; sleep 1000 <>$1 & }; f",
    ]

    /// Shell that makes it, in the place of what is there.
    private static func make(_ kind: String, _ file: String) -> String {
        let words = kind.replacing("{}", with: file)
        return "rm -rf \(file); { \(words) \(file)\(kind.contains("{}") ? "/y" : ""); } >/dev/null 2>&1 </dev/null"
    }

    private func prepare(_ host: NetworkHost) async throws {
        try await host.net("create", "lab", "--subnet", "10.44.0.0/24", "--subnet", "fd00:44::/64")
        _ = try await host.serve("web", on: "lab")
        try await host.net("publish", "web", "8080:80")
    }

    /// - Returns: What it says; a command that waits for something is an error.
    private func swnet(_ words: String, _ host: NetworkHost) async throws -> CommandResult {
        let result = try await host.shell("timeout -s KILL 60 \(NetworkHost.swnet) \(words)")
        #expect(result.status != 137, "\(words)")
        return result
    }

    @Test(arguments: kinds)
    func `in the place of a record`(kind: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let namespace = try await host.must(["ls", "/run/swnet/namespaces"])
            for (file, words) in [
                ("forwarding", "host: read /run/swnet/forwarding: it is "),
                ("ports", "ports: the index does not match the records"),
                ("names/lab", "names of lab: the name server's file is not what is recorded"),
                ("names/aardvark.pid", "names of lab: the name server is not running"),
                ("names.resolvers", ""), ("names.starting", ""), ("repaired", ""), (".new", ""),
                ("namespaces/\(namespace)", "sandbox web: its network namespace is not recorded as its own"),
                ("networks/lab/leases/10.44.0.2", "web on lab: the lease of 10.44.0.2 is missing"),
                ("networks/lab/bridge", "network lab: it is not recorded which interface its bridge sw-lab is"),
            ] {
                let note: Comment = "\(file) as \(kind)"
                try await host.must(["bash", "-c", Self.make(kind, "/run/swnet/\(file)")])
                let found = try await swnet("check", host)
                #expect(found.status == (words.isEmpty ? 0 : 1) && found.output.contains(words), "\(note): \(found)")
                let repaired = try await swnet("repair", host)
                #expect(repaired.status == 0, "\(note): \(repaired)")
                let clean = try await swnet("check", host)
                #expect(clean.status == 0 && clean.output == "", "\(note): \(clean)")
                for line in ["publish web 81:80", "unpublish web 81:80"] {
                    let changed = try await swnet(line, host)
                    #expect(changed.status == 0, "\(note): \(changed)")
                }
            }
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "192.0.2.2 web")
            try await host.net("disconnect", "lab", "web")
            try await host.net("rm", "lab")
            let left = try await host.nothingLeft()
            #expect(left == [])
            #expect(try await host.must(["sysctl", "-n", "net.ipv4.ip_forward"]) == "0")
        }
    }

    @Test(arguments: kinds)
    func `in the place of what cannot be made again`(kind: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host)
            let isLink = kind.contains("ln")
            for (file, words) in [
                ("/run/swnet/sandboxes/web", "rm -r /run/swnet/sandboxes/web"),
                ("/var/lib/swnet/networks/lab.json", "network lab: its definition cannot be read"),
                ("/run/swnet/lock", "rm -r /run/swnet/lock"), ("/run/swnet/boot", "ln -s "),
            ] where !(isLink && file.hasSuffix("boot") || kind.contains("truncate") && file.hasSuffix("lock")) {
                try await host.must(["cp", "-a", file, "/run/kept"])
                try await host.must(["bash", "-c", Self.make(kind, file)])
                for line in ["check", "repair"] + (file.hasSuffix("json") ? [] : ["publish web 81:80"]) {
                    let told = try await swnet(line, host)
                    let text = told.output + told.errors
                    #expect(told.status == 1 && text.contains(file), "\(file) as \(kind): \(told)")
                    if line == "check" { #expect(text.contains(words), "\(file) as \(kind): \(told)") }
                }
                try await host.must(["bash", "-c", "rm -r \(file); mv /run/kept \(file)"])
                #expect(try await swnet("check", host).output == "")
            }
            // An intent was written before anything was done: one that is none was never begun.
            try await host.must(["bash", "-c", Self.make(kind, "/run/swnet/pending")])
            let told = try await swnet("check", host)
            #expect(told.status == 0 && told.errors.contains("read /run/swnet/pending: it is "), "\(told)")
            try await host.net("publish", "web", "81:80")
            #expect(try await host.swnet("check").errors == "")
            #expect(try await host.answer("TCP:192.0.2.1:81", at: .neighbour) == "192.0.2.2 web")
        }
    }
}
