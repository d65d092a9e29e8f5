import Foundation
import JSONCoding
import TestSupport
import Testing

/// The specification's own examples (`Specification/`), carried out. `swnet` stands for the plugin `bridge`, and for
/// `portmap`, whose port it publishes in the same step; `tuning` is Debian's.
@Suite("the CNI specification's examples")
struct CNISpecificationTests {
    private typealias Document = JSONCoding.JSONValue

    private static let variables = [
        "CNI_CONTAINERID=example", "CNI_NETNS=/var/run/netns/blue", "CNI_IFNAME=eth0",
        "CNI_ARGS=IgnoreUnknown=1;argA=foo;IP=10.1.0.5",
    ]

    private func golden(_ name: String) throws -> String {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Specification")
        return try String(contentsOf: folder.appending(path: "\(name).json"), encoding: .utf8)
    }

    /// A golden document with the members that a runtime adds.
    private func document(_ name: String, _ previous: Document? = nil, _ members: Document.Member...) throws -> String {
        guard case .object(let golden) = try CNIRuntime.parse(golden(name)) else { throw CommandError(name) }
        return Document.object(golden + (previous.map { [.init("prevResult", $0)] } ?? []) + members).text
    }

    /// A result with the names and Ethernet addresses that each host has of its own taken from another.
    private func normalized(_ result: TestSupport.JSONValue, like other: TestSupport.JSONValue) -> TestSupport.JSONValue
    {
        guard case .object(var members) = result else { return result }
        members["cniVersion"] = nil
        // The example leaves the gateway to be assumed; we say it.
        members["routes"] = .array(result["routes"].items.map { .object(["dst": $0["dst"]]) })
        members["interfaces"] = .array(
            result["interfaces"].items.enumerated().map { place, interface in
                guard case .object(var interface) = interface else { return interface }
                // Version 1.1.0 has it, and the example leaves it out.
                interface["mtu"] = nil
                for key in place < 2 ? ["name", "mac"] : ["mac"] { interface[key] = other["interfaces"][place][key] }
                return .object(interface)
            })
        return .object(members)
    }

    @Test(.enabled(if: CNIRuntime.hasPlugins, "the package containernetworking-plugins is not installed"))
    func `ADD, CHECK and DEL of dbnet`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "blue")
            let tuning = "\(CNIRuntime.debian)/tuning"
            // Debian's plugins are older than version 1.1.0.
            func old(_ text: String) -> String { text.replacing("\"1.1.0\"", with: "\"1.0.0\"") }

            let portMappings = try CNIRuntime.parse(golden("portmap"))["runtimeConfig"]
            let publish = Document.Member("runtimeConfig", try #require(portMappings))
            let added = try await runtime.call("ADD", document("bridge", nil, publish), Self.variables)
            #expect(added.status == 0, "\(added)")
            let result = try TestSupport.JSONValue(added.standardOutput)
            let wanted = try TestSupport.JSONValue(golden("bridge.result"))
            #expect(normalized(result, like: wanted) == normalized(wanted, like: wanted), "\(added)")
            #expect(result["cniVersion"].text == "1.1.0")

            let tuned = try await runtime.call(
                "ADD", old(document("tuning", CNIRuntime.parse(added.standardOutput))), Self.variables, program: tuning)
            #expect(tuned.status == 0, "\(tuned)")
            let last = try CNIRuntime.parse(tuned.standardOutput)
            #expect(
                try TestSupport.JSONValue(tuned.standardOutput)["interfaces"][2]["mac"].text == "00:11:22:33:44:66")

            // The port leads there, by the kernel's word, and the changed Ethernet address is no mistake.
            let server = try host.start(
                ["socat", "TCP-LISTEN:80,fork,reuseaddr", "SYSTEM:read q; echo blue"], at: .inside("blue"))
            #expect(try await host.answer("TCP:192.0.2.1:8080", at: .neighbour) == "blue")
            await server.stop()
            let check = try await runtime.call("CHECK", document("bridge", last, publish), Self.variables)
            #expect(check.status == 0 && check.output.isEmpty, "\(check)")

            for program in [tuning, "\(CNIRuntime.folder)/swnet"] {
                let isOurs = program != tuning
                let text = try isOurs ? document("bridge", last, publish) : old(document("tuning", last))
                let deleted = try await runtime.call("DEL", text, Self.variables, program: program)
                #expect(deleted.status == 0 && deleted.output.isEmpty, "\(deleted)")
            }
            #expect(try await host.json(["ip", "-j", "link"], at: .inside("blue")).items.count == 1)
            #expect(try await host.net("check") == "")
        }
    }

    @Test func `a CHECK of somebody else's result is an error`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "blue")
            let added = try await runtime.call("ADD", document("bridge"), Self.variables)
            #expect(added.status == 0, "\(added)")
            // The example's own result names interfaces that are not here.
            let check = try await runtime.call(
                "CHECK", document("bridge", CNIRuntime.parse(golden("bridge.result"))), Self.variables)
            #expect(check.errorCode != nil, "\(check)")
        }
    }

    @Test func `the answer to VERSION, and an error`() async throws {
        try await NetworkHost.with { host in
            let runtime = try await CNIRuntime.prepare(host, "blue")
            let answer = try await runtime.call("VERSION", #"{"cniVersion": "1.1.0"}"#)
            let version = try TestSupport.JSONValue(answer.standardOutput)
            let wanted = try TestSupport.JSONValue(golden("version"))
            #expect(version.keys == wanted.keys && version["cniVersion"] == wanted["cniVersion"], "\(answer)")
            // Those before 0.4.0 have no CHECK, and are refused.
            #expect(
                version["supportedVersions"].items
                    == wanted["supportedVersions"].items.filter { ($0.text ?? "") >= "0.4.0" })

            let small = try document("bridge").replacing("10.1.0.0/16", with: "192.168.0.0/31")
                .replacing("10.1.0.1", with: "192.168.0.0")
            let refused = try await runtime.call("ADD", small, Self.variables)
            let error = try TestSupport.JSONValue(refused.standardOutput)
            let example = try TestSupport.JSONValue(golden("error"))
            for key in ["cniVersion", "code"] { #expect(error[key] == example[key], "\(refused)") }
            #expect(Set(error.keys).isSubset(of: example.keys), "\(refused)")
            #expect(error["msg"].text?.contains("192.168.0.0/31") == true, "\(refused)")
        }
    }
}
