import Addressing
import CNI
import JSONCoding
import Testing

@Suite("CNI requests") struct RequestTests {
    @Test func `commands are those of the specification`() throws {
        for name in ["ADD", "DEL", "CHECK", "GC", "STATUS", "VERSION"] {
            #expect(try CNIOperation { $0 == "CNI_COMMAND" ? name : nil }.rawValue == name)
        }
        for name in ["", "add", "REMOVE", "ADD "] {
            expectRefusal(4, "CNI_COMMAND") { _ = try CNIOperation { _ in name } }
        }
        expectRefusal(4, "CNI_COMMAND") { _ = try CNIOperation { _ in nil } }
    }

    @Test(arguments: [
        (CNIOperation.add, ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]),
        (.check, ["CNI_CONTAINERID", "CNI_NETNS", "CNI_IFNAME"]), (.delete, ["CNI_CONTAINERID", "CNI_IFNAME"]),
        (.collectGarbage, ["CNI_PATH"]), (.status, []),
    ])
    func `each operation has variables that it cannot do without`(operation: CNIOperation, required: [String]) throws {
        for variable in Requests.environment.keys where variable != "CNI_COMMAND" {
            for value in [nil, ""] as [String?] {
                if required.contains(variable) {
                    expectRefusal(4, variable) {
                        _ = try Requests.make(operation, [variable: value], Requests.document())
                    }
                } else {
                    _ = try Requests.make(operation, [variable: value], Requests.document())
                }
            }
        }
        // All that is missing is named at once.
        let none = Dictionary(uniqueKeysWithValues: required.map { ($0, String?.none) })
        if !required.isEmpty {
            expectRefusal(4, required.joined(separator: ", ")) {
                _ = try Requests.make(operation, none, Requests.document())
            }
        }
    }

    @Test func `container and interface have to be what they are called`() throws {
        for container in ["-a", "a/b", "a b", "..", "ä", "a\u{0}b", String(repeating: "a", count: 201)] {
            expectRefusal(4, "CNI_CONTAINERID") {
                _ = try Requests.make(.add, ["CNI_CONTAINERID": container], Requests.document())
            }
        }
        for container in ["a", "0", "A.b_c-d", String(repeating: "f", count: 64)] {
            let request = try Requests.make(.add, ["CNI_CONTAINERID": container], Requests.document())
            #expect(request.attachment?.container == container)
        }
        for interface in ["sixteen.letters.", "a/b", ".", "..", "a:b", "a b", "eth%d", "lo"] {
            expectRefusal(4, "CNI_IFNAME", interface) {
                _ = try Requests.make(.delete, ["CNI_IFNAME": interface], Requests.document())
            }
        }
    }

    @Test func `what is no configuration cannot be decoded`() throws {
        for text in ["", "{", "[]", "null", "\"lab\"", "{}}", "\u{FEFF}{}"] {
            expectRefusal(6) { _ = try Requests.make(.add, [:], text) }
        }
        expectRefusal(6, "name") { _ = try Requests.make(.add, [:], #"{"cniVersion": "1.0.0", "name": 5}"#) }
        expectRefusal(6, "cniVersion") { _ = try Requests.make(.add, [:], #"{"cniVersion": 1, "name": "lab"}"#) }
    }

    @Test func `a network has a name`() throws {
        expectRefusal(7, "name") { _ = try Requests.make(.delete, [:], #"{"cniVersion": "1.0.0"}"#) }
        for type in ["", #", "type": """#] {
            let document = #"{"cniVersion": "1.0.0", "name": "a"\#(type)}"#
            expectRefusal(7, "type") { _ = try Requests.make(.add, [:], document) }
            _ = try Requests.make(.delete, [:], document)
        }
        for name in ["", "-lab", "a/b", "../lab", "a b", "ö"] {
            expectRefusal(7, "name") {
                _ = try Requests.make(.delete, [:], #"{"cniVersion": "1.0.0", "name": "\#(name)"}"#)
            }
        }
    }

    @Test func `versions`() throws {
        for version in ["0.4.0", "1.0.0", "1.1.0"] {
            #expect(try Requests.make(.check, [:], Requests.document(version: version)).version.rawValue == version)
        }
        for version in ["0.1.0", "0.3.0", "0.3.1", "1.0.1", "1.2.0", "2.0.0"] {
            expectRefusal(1, version) { _ = try Requests.make(.add, [:], Requests.document(version: version)) }
        }
        for version in ["", "1", "1.0", "v1.0.0", "1.0.0-rc1", "one"] {
            expectRefusal(6, "cniVersion") { _ = try Requests.make(.add, [:], Requests.document(version: version)) }
        }
        // Its absence means the version that did not have it.
        expectRefusal(1, "0.1.0") { _ = try Requests.make(.add, [:], #"{"name": "lab"}"#) }
        for operation in [CNIOperation.collectGarbage, .status] {
            for version in ["0.4.0", "1.0.0"] {
                expectRefusal(1, version) { _ = try Requests.make(operation, [:], Requests.document(version: version)) }
            }
        }
    }

    @Test func `VERSION answers with what it was asked in`() throws {
        let versions = #""supportedVersions":["0.4.0","1.0.0","1.1.0"]"#
        for (input, version) in [
            (#"{"cniVersion": "1.0.0"}"#, "1.0.0"), (#"{"cniVersion": "0.2.0"}"#, "0.2.0"), ("", "1.1.0"),
            (" \n", "1.1.0"), ("{}", "1.1.0"),
        ] {
            #expect(
                try CNIVersion.reply(to: Array(input.utf8)).text == "{\"cniVersion\":\"\(version)\",\(versions)}",
                "\(input)")
        }
        expectRefusal(6) { _ = try CNIVersion.reply(to: Array("{".utf8)) }
        expectRefusal(6, "cniVersion") { _ = try CNIVersion.reply(to: Array(#"{"cniVersion": 1}"#.utf8)) }
    }

    @Test func `errors are told as the specification's example`() throws {
        // Section 5, Error.
        let example = CNIError(
            .invalidConfiguration, "Invalid Configuration",
            details: "Network 192.168.0.0/31 too small to allocate from.")
        let expected = #"""
            {"cniVersion":"1.1.0","code":7,"msg":"Invalid Configuration",\#
            "details":"Network 192.168.0.0/31 too small to allocate from."}
            """#
        #expect(example.json().text == expected)
        #expect(CNIError(.failed, "no").json(.v0_4_0).text == #"{"cniVersion":"0.4.0","code":100,"msg":"no"}"#)
        // In the version of a request that is wrong elsewhere, if it can be found out.
        #expect(CNIRequest.version(of: Array(#"{"cniVersion": "1.0.0", "name": ""}"#.utf8)) == .v1_0_0)
        for text in ["", "{", #"{"cniVersion": "9.9.9"}"#, "[]"] {
            #expect(CNIRequest.version(of: Array(text.utf8)) == .latest)
        }
    }

    @Test func `arguments`() throws {
        let configuration = try Requests.configuration(
            "", arguments: "IgnoreUnknown=1;K8S_POD_NAME=web;IP=10.1.0.9/16,fd00::9;MAC=02:00:00:00:00:09")
        #expect(configuration.addresses.map(\.description) == ["10.1.0.9", "fd00::9"])
        #expect(configuration.macAddress?.description == "02:00:00:00:00:09")
        #expect(configuration.aliases == ["web"])
        for (name, members, aliases) in [
            ("db", #""runtimeConfig": {"aliases": ["db", "x"]}"#, ["db", "x"]),
            ("db", #""runtimeConfig": {"aliases": ["x"]}"#, ["x", "db"]), ("a/b", "", []), ("", "", []), ("-a", "", []),
        ] as [(String, String, [String])] {
            #expect(try Requests.configuration(members, arguments: "K8S_POD_NAME=\(name)").aliases == aliases)
        }
        #expect(try Requests.configuration("", arguments: ";;").addresses.isEmpty)
        for (arguments, word) in [
            ("K8S_POD_UID=1", "K8S_POD_UID"), ("IgnoreUnknown=0;A=1;B=2", "'A', 'B'"), ("IP", "'IP'"),
            ("IP=10.1.0", "10.1.0"), ("MAC=02:00", "02:00"), ("MAC=01:00:5e:00:00:01", "01:00:5e:00:00:01"),
            ("IgnoreUnknown=maybe;A=1", "maybe"),
        ] {
            expectRefusal(4, "CNI_ARGS", word) { _ = try Requests.configuration("", arguments: arguments) }
        }
        // What was made has to go, whatever its arguments look like now.
        _ = try Requests.make(.delete, ["CNI_ARGS": "FOO=1;x"], Requests.document())
    }

    @Test func `the attachments that GC spares`() throws {
        let request = { (list: String) throws(CNIError) in
            try Requests.make(.collectGarbage, [:], Requests.document("\"cni.dev/valid-attachments\": \(list)"))
        }
        let valid = try request(
            #"[{"containerID": "a", "ifname": "eth0"}, {"containerID": "a", "ifname": "eth1"}, {"containerID": "a", "ifname": "eth0"}]"#
        ).validAttachments()
        #expect(
            valid
                == Set(
                    [CNIAttachment(container: "a", interface: "eth0"), .init(container: "a", interface: "eth1")]
                        .compactMap(\.self)))
        #expect(try request("[]").validAttachments().isEmpty)
        // Without a list, or with one that is understood in part, nobody loses a network.
        expectRefusal(7, "cni.dev/valid-attachments") {
            _ = try Requests.make(.collectGarbage, [:], Requests.document()).validAttachments()
        }
        for (list, code, word) in [
            ("{}", 6, "valid-attachments"), (#"[{"containerID": "a"}]"#, 7, "[0].ifname"),
            (#"[{"ifname": "a"}]"#, 7, "[0].containerID"), (#"[{"containerID": 1, "ifname": "a"}]"#, 6, "containerID"),
            (#"[{"containerID": "a/b", "ifname": "a"}]"#, 7, "a/b"), ("[5]", 7, "containerID"),
        ] {
            expectRefusal(code, word) { _ = try request(list).validAttachments() }
        }
    }
}
