import RuntimeSpec
import Testing

@Suite("config.json")
struct SpecDocumentTests {
    private func read(_ text: String) throws -> Spec { try Spec(json: Array(text.utf8)) }

    @Test func `a document that is written and read again is the same`() throws {
        var spec = Spec.standard()
        spec.annotations = ["a/b": "ü\"\n\u{1}"]
        spec.linux?.resources = Spec.Linux.Resources(
            devices: [Spec.Linux.Resources.DeviceRule(allow: false, access: "rwm")],
            memory: Spec.Linux.Resources.Memory(limit: -1, swap: 1 << 40), pids: Spec.Linux.Resources.Pids(limit: 9))
        spec.linux?.seccomp = Spec.Linux.Seccomp(
            defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38,
            syscalls: [
                Spec.Linux.Seccomp.Rule(
                    names: ["clone"], action: "SCMP_ACT_ALLOW",
                    args: [.init(index: 0, value: .max, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ")])
            ])
        #expect(try Spec(json: spec.document) == spec)
    }

    @Test func `unknown fields are left out, as the specification wants`() throws {
        let spec = try read(#"{"ociVersion":"1.2.0","future":{"x":[1,null,true]},"process":{"cwd":"/","args":["a"]}}"#)
        #expect(spec.process?.args == ["a"])
        try spec.validate()
    }

    @Test func `limits of what a container may do may say nothing`() throws {
        // Since 1.3.0 not even of the number of tasks.
        let spec = try read(
            #"{"ociVersion":"1.3.0","linux":{"resources":{"pids":{},"cpu":{},"memory":{},"blockIO":{},"network":{}}}}"#)
        #expect(spec.linux?.resources?.pids?.limit == nil)
        try spec.validate()
    }

    @Test func `null is the same as nothing`() throws {
        let spec = try read(#"{"ociVersion":"1.0.0","mounts":null,"process":{"cwd":"/","args":["a"],"env":null}}"#)
        #expect(spec.mounts == nil)
    }

    @Test(arguments: [
        (#"{"ociVersion":1}"#, "ociVersion"),
        (#"{}"#, "ociVersion"),
        (#"{"ociVersion":"1.0.0","process":{"args":"sh","cwd":"/"}}"#, "process.args"),
        (#"{"ociVersion":"1.0.0","process":{"args":["sh",2],"cwd":"/"}}"#, "process.args[1]"),
        (#"{"ociVersion":"1.0.0","process":{"args":["sh"]}}"#, "process.cwd"),
        (#"{"ociVersion":"1.0.0","process":{"args":["sh"],"cwd":"/","user":{"uid":-1,"gid":0}}}"#, "process.user.uid"),
        (#"{"ociVersion":"1.0.0","mounts":[{"destination":"/a"},{"type":"proc"}]}"#, "mounts[1].destination"),
        (
            #"{"ociVersion":"1.0.0","linux":{"namespaces":[{"type":"pid"},{"type":"nosuch"}]}}"#,
            "linux.namespaces[1].type"
        ),
        (#"{"ociVersion":"1.0.0","linux":{"resources":{"memory":{"limit":"1"}}}}"#, "linux.resources.memory.limit"),
    ])
    func `a wrong type is named by its field`(text: String, field: String) {
        #expect(throws: SpecError.self) { try self.read(text) }
        do { _ = try read(text) } catch { #expect((error as? SpecError)?.field == field, "\(error)") }
    }

    @Test(arguments: ["", "{", "[]", "null", "{\"ociVersion\":\"1.0.0\"", "\u{0}", "{\"ociVersion\":\"\\x\"}"])
    func `what is no document is an error`(text: String) {
        #expect(throws: SpecError.self) { try self.read(text) }
    }

    @Test func `nesting has an end`() {
        #expect(throws: SpecError.self) {
            try self.read("{\"ociVersion\":\"1.0.0\",\"x\":" + String(repeating: "[", count: 100_000))
        }
    }
}

@Suite("validation")
struct SpecValidationTests {
    private static func field(_ change: (inout Spec) -> Void) -> String {
        var spec = Spec.standard()
        change(&spec)
        do {
            try spec.validate()
            return "fine"
        } catch {
            return error.field
        }
    }

    @Test func `the standard document is fine`() { #expect(Self.field { _ in } == "fine") }

    @Test func `each mistake is named by its field`() {
        #expect(Self.field { $0.ociVersion = "2.0.0" } == "ociVersion")
        #expect(Self.field { $0.process?.cwd = "tmp" } == "process.cwd")
        #expect(Self.field { $0.process?.args = [] } == "process.args")
        #expect(Self.field { $0.process?.args = ["a\u{0}b"] } == "process.args[0]")
        #expect(Self.field { $0.process?.env = ["A=1", "novalue"] } == "process.env[1]")
        #expect(Self.field { $0.process?.env = ["=1"] } == "process.env[0]")
        #expect(Self.field { $0.process?.oomScoreAdj = 1001 } == "process.oomScoreAdj")
        #expect(Self.field { $0.mounts?[1].destination = "" } == "mounts[1].destination")
        #expect(Self.field { $0.mounts?[1].destination = "dev\u{0}" } == "mounts[1].destination")
        // Relative to the root, as the specification has it for old documents.
        #expect(Self.field { $0.mounts?[1].destination = "dev" } == "fine")
        for version in ["1.0", "1.x.2", "1.", "1.0.2.3", "1..2"] {
            #expect(Self.field { $0.ociVersion = version } == "ociVersion")
        }
        #expect(Self.field { $0.ociVersion = "1.2.0-rc.1+dev" } == "fine")
        #expect(Self.field { $0.mounts?[0].type = nil } == "mounts[0].type")
        #expect(Self.field { $0.mounts?.append(.init(destination: "/x", type: "bind")) } == "mounts[7].source")
        #expect(Self.field { $0.linux?.namespaces?.append(.init(.pid)) } == "linux.namespaces[6]")
        #expect(Self.field { $0.linux?.namespaces?[0].path = "x" } == "linux.namespaces[0].path")
        #expect(Self.field { $0.linux?.namespaces?[0].path = "" } == "fine")
        #expect(Self.field { $0.linux?.maskedPaths = ["proc"] } == "linux.maskedPaths[0]")
        #expect(Self.field { $0.linux?.rootfsPropagation = "x" } == "linux.rootfsPropagation")
        #expect(
            Self.field {
                let rule = Spec.Linux.Seccomp.Rule(names: ["read", ""], action: "SCMP_ACT_ALLOW")
                $0.linux?.seccomp = .init(defaultAction: "SCMP_ACT_ERRNO")
                $0.linux?.seccomp?.syscalls = [rule]
            } == "linux.seccomp.syscalls[0].names[1]")
        #expect(Self.field { $0.hostname = String(repeating: "a", count: 65) } == "hostname")
        #expect(
            Self.field {
                $0.hostname = "a"
                $0.linux?.namespaces?.removeAll { $0.type == .uts }
            } == "hostname")
        #expect(Self.field { $0.linux?.devices = [.init(type: "x", path: "/dev/x")] } == "linux.devices[0].type")
        #expect(
            Self.field { $0.linux?.devices = [.init(type: "c", path: "/dev/x", major: 1)] } == "linux.devices[0].minor")
        let filter = Spec.Linux.Seccomp(
            defaultAction: "SCMP_ACT_ALLOW", syscalls: [.init(names: [], action: "SCMP_ACT_ERRNO")])
        #expect(Self.field { $0.linux?.seccomp = filter } == "linux.seccomp.syscalls[0].names")
        let number = Spec.Linux.Seccomp(
            defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38,
            syscalls: [.init(names: ["read"], action: "SCMP_ACT_ALLOW", errnoRet: 1)])
        #expect(Self.field { $0.linux?.seccomp = number } == "linux.seccomp.syscalls[0].errnoRet")
        #expect(
            Self.field { $0.linux?.seccomp = .init(defaultAction: "SCMP_ACT_LOG", defaultErrnoRet: 1) }
                == "linux.seccomp.defaultErrnoRet")
        #expect(
            Self.field { $0.process?.rlimits = [.init(type: "RLIMIT_NOFILE", soft: 2, hard: 1)] }
                == "process.rlimits[0]")
    }

    @Test(arguments: [
        ("1.0.0", true), ("1.0.2-dev", true), ("1.2.1", true), ("1.3.0-rc.1", false), ("1.3.0", false),
        ("1.10.0+x.1.0", false),
    ])
    func `no tasks at all say nothing before version 1.3`(version: String, isOmitted: Bool) {
        var resources = Spec.Linux.Resources(pids: .init(limit: 0))
        resources.omitZeros(version: version)
        #expect((resources.pids == nil) == isOmitted)
        resources.pids = .init(limit: 1)
        resources.omitZeros(version: version)
        #expect(resources.pids?.limit == 1)
    }
}
