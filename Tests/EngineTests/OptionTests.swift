import Engine
import NetworkModel
import Testing

@Suite struct OptionTests {
    @Test(
        arguments: [
            ("512m", 512 << 20), ("512M", 512 << 20), ("1g", 1 << 30), ("1.5g", 3 << 29), ("8388608", 8 << 20),
            ("64MiB", 64 << 20), ("64mb", 64 << 20), ("8192k", 8 << 20), ("1t", 1 << 40), ("8388608b", 8 << 20),
        ] as [(String, Int64)])
    func memory(_ text: String, _ bytes: Int64) throws {
        #expect(try MemorySize(parsing: text, flag: "-m").bytes == bytes)
    }

    @Test(arguments: ["", "m", "lots", "-1m", "1x", "1mm", "1m m", "5m", "nan", "inf", "1e30g", "0x10m", "٣m"])
    func badMemoryIsNamed(_ text: String) {
        let error = #expect(throws: EngineError.self) { try MemorySize(parsing: text, flag: "--memory") }
        #expect(error?.message.contains(text) == true && error?.message.contains("--memory") == true)
    }

    @Test func processors() throws {
        #expect(try CPUCount(parsing: "0.5", available: 2).quota == 50_000)
        #expect(try CPUCount(parsing: "2", available: 2).quota == 200_000)
        #expect(try CPUCount(parsing: "0.001", available: 2).quota == 1_000)
        for text in ["0", "-1", "many", "", "3", "1e1", "nan"] {
            #expect(throws: EngineError.self) { try CPUCount(parsing: text, available: 2) }
        }
    }

    @Test func volumes() throws {
        func parse(_ text: String) throws(EngineError) -> VolumeOption {
            try VolumeOption(parsing: text, relativeTo: "/home/me")
        }
        #expect(try parse("/a/b:/c") == VolumeOption(source: .path("/a/b"), destination: "/c"))
        #expect(
            try parse("/a/../b/:/c//d/./e:ro")
                == VolumeOption(source: .path("/b"), destination: "/c/d/e", isReadOnly: true))
        #expect(try parse("data:/c") == VolumeOption(source: .volume("data"), destination: "/c"))
        #expect(try parse("./x:/c") == VolumeOption(source: .path("/home/me/x"), destination: "/c"))
        #expect(try parse("../x:/c") == VolumeOption(source: .path("/home/x"), destination: "/c"))
        #expect(try parse("/data") == VolumeOption(source: .anonymous, destination: "/data"))
        #expect(try parse("/a:/b:rw,z").isReadOnly == false)
    }

    @Test(arguments: [
        "", "relative", "/tmp:relative", "/tmp:/x:bad", "/tmp:/x:ro:more", "bad name:/x", "/tmp:/", ":/x", "/tmp:",
        "a/b:/x", "/tmp:/..", "/tmp:/x:",
    ])
    func badVolumesAreNamed(_ text: String) {
        let error = #expect(throws: EngineError.self) { try VolumeOption(parsing: text, relativeTo: "/") }
        #expect(error?.message.contains("'\(text)'") == true)
    }

    @Test func environment() throws {
        let caller = { (name: String) in name == "SET" ? "value" : nil }
        #expect(try EnvironmentList.parse("A=1=2", caller: caller) == "A=1=2")
        #expect(try EnvironmentList.parse("SET", caller: caller) == "SET=value")
        #expect(try EnvironmentList.parse("UNSET", caller: caller) == "UNSET")
        #expect(throws: EngineError.self) { try EnvironmentList.parse("=x", caller: caller) }
        #expect(throws: EngineError.self) { try EnvironmentList.parse("", caller: caller) }

        var list = EnvironmentList(["A=1", "B=2", "A=3"])
        #expect(list.variables == ["A=3", "B=2"])
        list.set("B")
        list.set("C")
        list.setDefault("A=9")
        list.setDefault("D=4")
        #expect(list.variables == ["A=3", "D=4"])
        #expect(list["A"] == "3" && list["B"] == nil)
    }

    @Test func signals() throws {
        for (text, number): (String, Int32) in [
            ("TERM", 15), ("SIGTERM", 15), ("sigkill", 9), ("9", 9), ("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63),
        ] {
            #expect(try SignalName.number(parsing: text) == number, "\(text)")
        }
        for text in ["", "0", "65", "-9", "SIG", "SIGNOSUCH", "RTMIN+40", "RTMAX--1"] {
            #expect(throws: EngineError.self, "\(text)") { try SignalName.number(parsing: text) }
        }
    }

    @Test func capabilities() throws {
        func resolve(_ add: [String], _ drop: [String]) throws -> [String] {
            try CapabilityName.resolve(add: add, drop: drop)
        }
        #expect(try Set(resolve([], [])) == Set(CapabilityName.standard))
        #expect(try resolve([], ["ALL"]) == [])
        #expect(try resolve(["NET_ADMIN"], ["all"]) == ["CAP_NET_ADMIN"])
        #expect(try resolve(["cap_net_admin"], []).contains("CAP_NET_ADMIN"))
        #expect(try resolve(["ALL"], ["SYS_ADMIN"]) == CapabilityName.all.filter { $0 != "CAP_SYS_ADMIN" })
        #expect(try !resolve([], ["MKNOD"]).contains("CAP_MKNOD"))
        #expect(CapabilityName.all.count == 41 && Set(CapabilityName.standard).isSubset(of: CapabilityName.all))
        #expect(throws: EngineError(.invalid, "unknown capability 'NO_SUCH' for --cap-add")) {
            try resolve(["NO_SUCH"], [])
        }
    }

    @Test func names() {
        for name in ["a", "web-1", "A.b_c", "9"] { #expect(ContainerName.isValid(name)) }
        for name in ["", "-a", "_a", ".a", "a b", "a/b", "é", "a\n", String(repeating: "a", count: 129)] {
            #expect(!ContainerName.isValid(name), "\(name)")
        }
        for _ in 0..<50 {
            let name = ContainerName.random()
            #expect(ContainerName.isValid(name) && name.split(separator: "_").count == 2, "\(name)")
        }
    }

    @Test func contradictionsAreRefused() throws {
        func refuse(_ part: String, _ change: (inout RunOptions) throws -> Void) throws {
            var options = RunOptions(image: "x")
            try change(&options)
            let error = #expect(throws: EngineError.self) { try options.validate() }
            #expect(error?.message.contains(part) == true, "\(error?.message ?? "")")
        }
        try RunOptions(image: "x").validate()
        try refuse("host") {
            $0.network = .host
            $0.ports = [try PortRequest(parsing: "80:80")]
        }
        try refuse("bad name") { $0.name = "bad name" }
        try refuse("relative") { $0.workingDirectory = "relative" }
        try refuse("/x") { options in
            options.volumes = [
                .init(source: .anonymous, destination: "/x"), .init(source: .path("/a"), destination: "/x"),
            ]
        }
        try refuse("two words") { $0.hostname = "two words" }
        try refuse("NOSUCH") { $0.stopSignal = "NOSUCH" }
        try refuse("NO_SUCH_CAP") { $0.addedCapabilities = ["NO_SUCH_CAP"] }
    }
}
