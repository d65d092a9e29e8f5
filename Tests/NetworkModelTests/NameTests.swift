import Addressing
import NetworkModel
import Testing

@Suite struct NameTests {
    @Test(arguments: ["a", "bridge", "lab0", "my-net_1.2", "0", String(repeating: "x", count: 63)])
    func acceptsNetworkNames(name: String) throws { try NetworkName.check(name) }

    @Test(arguments: [
        "", "host", "none", "default", "-a", ".a", "a/b", "a b", "a:b", "é", "..", "a\n",
        String(repeating: "x", count: 64),
    ])
    func refusesNetworkNames(name: String) {
        #expect(throws: NetworkError.self) { try NetworkName.check(name) }
    }

    @Test func namesBridges() throws {
        let subnets: [Subnet] = []
        #expect(Network(name: "bridge", subnets: subnets).bridgeName == "sw-bridge")
        #expect(Network(name: "twelve-chars", subnets: subnets).bridgeName == "sw-twelve-chars")
        let long = try #require(Network(name: "thirteen-char", subnets: subnets).bridgeName)
        #expect(long.hasPrefix("sw-") && long.utf8.count == 13)
        #expect(long != Network(name: "thirteen-chas", subnets: subnets).bridgeName)
    }

    @Test func parsesModes() throws {
        #expect(try NetworkMode(parsing: "host") == .host)
        #expect(try NetworkMode(parsing: "none") == .none)
        #expect(try NetworkMode(parsing: "default") == .networks(["bridge"]))
        #expect(try NetworkMode(parsing: "lab0") == .networks(["lab0"]))
        #expect(try NetworkMode(parsing: "container:web") == .container("web"))
        #expect(throws: NetworkError.self) { try NetworkMode(parsing: "container:") }
        #expect(throws: NetworkError.self) { try NetworkMode(parsing: "no such") }
    }

    @Test func parsesSandboxes() throws {
        #expect(try SandboxReference(parsing: "web") == SandboxReference(name: "web"))
        #expect(try SandboxReference(parsing: "container:web") == SandboxReference(name: "web", location: .recorded))
        #expect(try SandboxReference(parsing: "pid:12") == SandboxReference(name: "pid:12", location: .process(12)))
        #expect(
            try SandboxReference(parsing: "/run/netns/a")
                == SandboxReference(name: "a", location: .path("/run/netns/a")))
        #expect(
            try SandboxReference(parsing: "/var/run/netns/a")
                == SandboxReference(name: "a", location: .path("/run/netns/a")))
        #expect(
            try SandboxReference(parsing: "/proc/5/ns/net")
                == SandboxReference(name: "/proc/5/ns/net", location: .path("/proc/5/ns/net")))
        for text in ["", "pid:", "pid:0", "pid:-1", "pid:x", "container:", "a/b", ".hidden", "a b"] {
            #expect(throws: NetworkError.self, "\(text)") { try SandboxReference(parsing: text) }
        }
    }

    @Test func keysAreFileNames() {
        #expect(SandboxReference.key(forName: "web") == "web")
        #expect(SandboxReference.key(forName: "web.1") == "web.1")
        #expect(SandboxReference.key(forName: "/proc/5/ns/net") == "%2fproc%2f5%2fns%2fnet")
        #expect(SandboxReference.key(forName: "%2f") == "%252f")
        #expect(SandboxReference.key(forName: "..") == "%2e.")
    }
}
