import ImageStore
import Testing

@Suite struct ImageDocumentTests {
    static let hex = String(repeating: "1f", count: 32)

    @Test func readsWhatDockerWrites() throws {
        let text = """
            {"architecture":"amd64","os":"linux","created":"2024-05-01T10:20:30.5+02:00","container":"x","docker_version":"1",
             "config":{"Hostname":"","User":"redis:redis","AttachStdin":false,"ExposedPorts":{"6379/tcp":{},"53/udp":{}},
               "Env":["PATH=/bin","A=b=c"],"Cmd":["redis-server"],"Entrypoint":["docker-entrypoint.sh"],"Image":"",
               "Volumes":{"/data":{}},"WorkingDir":"/data","OnBuild":null,"Labels":{"b":"2","a":"1"},"StopSignal":"SIGQUIT"},
             "history":[{"created":"2024-05-01T10:20:30Z","created_by":"ADD","empty_layer":true}],
             "rootfs":{"type":"layers","diff_ids":["sha256:\(Self.hex)"]}}
            """
        let document = try ImageDocument(parsing: Array(text.utf8), of: "x")
        let id = try #require(Digest(hex: Self.hex))
        let image = Image(id: id, document: document, size: 5)
        #expect(image.config.user == "redis:redis")
        #expect(image.config.exposedPorts == ["53/udp", "6379/tcp"])
        #expect(image.config.environment == ["PATH=/bin", "A=b=c"])
        #expect(image.config.command == ["redis-server"])
        #expect(image.config.entrypoint == ["docker-entrypoint.sh"])
        #expect(image.config.volumes == ["/data"])
        #expect(image.config.workingDirectory == "/data")
        #expect(image.config.labels == ["a": "1", "b": "2"])
        #expect(image.config.stopSignal == "SIGQUIT")
        #expect(image.created == 1_714_551_630)
        #expect(image.layers == [id])
    }

    @Test func acceptsAbsentAndNullMembers() throws {
        let text = """
            {"architecture":"amd64","os":"linux","config":{"Cmd":null,"Entrypoint":null,"Env":null,"Volumes":null,
             "ExposedPorts":null,"Labels":null,"User":null},"rootfs":{"type":"layers","diff_ids":[]}}
            """
        #expect(try ImageDocument(parsing: Array(text.utf8), of: "x").config == ImageConfig())
        let bare = #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
        #expect(try ImageDocument(parsing: Array(bare.utf8), of: "x").config == nil)
    }

    @Test(arguments: [
        ("", "is not JSON"), ("{", "is not JSON"), ("[]", "has to be an object"),
        (#"{"os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#, "architecture: missing"),
        (#"{"architecture":"a","os":"linux"}"#, "rootfs: missing"),
        (
            #"{"architecture":"a","os":"linux","rootfs":{"type":"layers","diff_ids":["sha256:1"]}}"#,
            "not a sha256 digest"
        ),
        (#"{"architecture":"a","os":"linux","rootfs":{"type":"x","diff_ids":[]}}"#, "not 'layers'"),
        (
            #"{"architecture":"a","os":"l","config":{"Cmd":"sh"},"rootfs":{"type":"layers","diff_ids":[]}}"#,
            "config.Cmd"
        ),
    ])
    func explainsWhatIsWrong(text: String, reason: String) {
        let error = #expect(throws: ImageStoreError.self) { try ImageDocument(parsing: Array(text.utf8), of: "x") }
        #expect(error?.kind == .damaged)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }

    @Test func survivesItsOwnEncoding() throws {
        var config = ImageConfig()
        config.entrypoint = ["/a b", "\"q\""]
        config.exposedPorts = ["80/tcp"]
        config.labels = ["x": "ü\n"]
        let id = try #require(Digest(hex: Self.hex))
        let document = ImageDocument(architecture: "amd64", os: "linux", config: config, diffIDs: [id])
        let bytes = try document.encoded()
        #expect(try ImageDocument(parsing: bytes, of: "x") == document)
        #expect(try document.encoded() == bytes)
    }

    @Test(
        arguments: [
            ("1970-01-01T00:00:00Z", 0), ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-21T04:00:01.123456789Z", 1_795_233_601),
            ("1969-12-31T23:59:59Z", -1), ("0001-01-01T00:00:00Z", -62_135_596_800),
            ("2024-01-01t00:00:00-05:30", 1_704_087_000),
        ] as [(String, Int64)])
    func readsTimes(text: String, seconds: Int64) {
        #expect(Timestamp.seconds(since1970: text) == seconds)
        if text.hasSuffix("Z"), !text.contains(".") { #expect(Timestamp.text(secondsSince1970: seconds) == text) }
    }

    @Test(arguments: [
        "", "2024", "2024-13-01T00:00:00Z", "2024-01-01 00:00:00Z", "2024-01-01T00:00:00", "x024-01-01T00:00:00Z",
    ])
    func refusesTimes(text: String) {
        #expect(Timestamp.seconds(since1970: text) == nil)
    }
}
