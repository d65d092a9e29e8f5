import ImageStore
import Testing

@Suite struct ImageReferenceTests {
    /// What docker's own grammar makes of a name: full form and familiar form.
    @Test(arguments: [
        ("redis", "docker.io/library/redis:latest", "redis:latest"),
        ("redis:7.2", "docker.io/library/redis:7.2", "redis:7.2"),
        ("library/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("docker.io/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("index.docker.io/library/redis", "docker.io/library/redis:latest", "redis:latest"),
        ("me/tool", "docker.io/me/tool:latest", "me/tool:latest"),
        ("library/a/b", "docker.io/library/a/b:latest", "library/a/b:latest"),
        ("localhost/tool", "localhost/tool:latest", "localhost/tool:latest"),
        ("localhost:5000/tool:1", "localhost:5000/tool:1", "localhost:5000/tool:1"),
        ("host:5000/a/b__c.d-e--f_g", "host:5000/a/b__c.d-e--f_g:latest", "host:5000/a/b__c.d-e--f_g:latest"),
        ("[::1]:5000/tool", "[::1]:5000/tool:latest", "[::1]:5000/tool:latest"),
        ("[::1]/tool:x", "[::1]/tool:x", "[::1]/tool:x"),
        ("quay.io/a/b:v1_2.3-4", "quay.io/a/b:v1_2.3-4", "quay.io/a/b:v1_2.3-4"),
        ("Registry/tool", "Registry/tool:latest", "Registry/tool:latest"),
        ("a", "docker.io/library/a:latest", "a:latest"),
    ])
    func parses(text: String, full: String, familiar: String) throws {
        let reference = try ImageReference(parsing: text)
        #expect(reference.description == full)
        #expect(reference.familiar == familiar)
        #expect(try ImageReference(parsing: full) == reference)
        #expect(try ImageReference(parsing: familiar) == reference)
    }

    @Test func keepsDigests() throws {
        let hex = String(repeating: "0a", count: 32)
        let pinned = try ImageReference(parsing: "redis@sha256:\(hex)")
        #expect(pinned.tag == nil)
        #expect(pinned.digest?.hex == hex)
        #expect(pinned.familiar == "redis@sha256:\(hex)")
        let both = try ImageReference(parsing: "redis:7@sha256:\(hex)")
        #expect(both.tag == "7")
        #expect(both.description == "docker.io/library/redis:7@sha256:\(hex)")
    }

    @Test(arguments: [
        "", ":", "redis:", ":tag", "Redis", "a/B", "redis:la test", "redis:-x", "redis:.x", "a//b", "/a", "a/", "a/b/",
        "-a", "a-", "a..b", "a___b", "a._b", "_a", "a b", "a\nb", "a,b", "a%2fb", "../a", "a/../b", "https://a/b",
        "redis@", "redis@sha256:12", "redis@md5:\(String(repeating: "0", count: 64))", "a@b@c", "host:port/a",
        "host:/a", "-host.com/a", "[::1/a", "host.com/", "ärger",
        String(repeating: "a", count: 64), String(repeating: "x", count: 300),
        "x:" + String(repeating: "t", count: 129),
        "x@sha256:" + String(repeating: "A", count: 64),
    ])
    func refuses(text: String) {
        let error = #expect(throws: ImageStoreError.self) { try ImageReference(parsing: text) }
        #expect(error?.kind == .invalidReference)
        #expect(error?.description.hasPrefix("invalid image reference '\(text)': ") == true)
    }
}
