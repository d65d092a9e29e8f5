import Foundation
import TestSupport
import Testing

/// The shape that a JSON document has to have: the members and types of the runtime specification.
indirect enum DocumentShape: Sendable {
    case text
    case word([String])
    /// SemVer, as `ociVersion` is.
    case version
    case absolutePath
    case integer(ClosedRange<Double>)
    case number(ClosedRange<Double>)
    case bool
    case nothing
    case list(DocumentShape)
    case map(DocumentShape)
    /// Members that have to be there and members that may be; others may not.
    case object([String: DocumentShape], optional: [String: DocumentShape] = [:])

    static let natural = DocumentShape.integer(0...Double(UInt64.max))

    /// What is wrong with a document, by the path of the member; empty for one that has the shape.
    func problems(_ value: JSONValue, _ path: String = "") -> [String] {
        switch self {
        case .text: return value.text == nil ? ["\(path): no string"] : []
        case .word(let words): return words.contains(value.text ?? "") ? [] : ["\(path): \(value.text ?? "no string")"]
        case .version:
            let parts = (value.text ?? "").prefix { $0 != "-" && $0 != "+" }.split(separator: ".")
            return parts.count == 3 && parts.allSatisfy { Int($0) != nil } ? [] : ["\(path): no version"]
        case .absolutePath: return value.text?.hasPrefix("/") == true ? [] : ["\(path): no absolute path"]
        case .integer(let range):
            guard let number = value.number, number == number.rounded(), range.contains(number) else {
                return ["\(path): no integer of \(range)"]
            }
            return []
        case .number(let range):
            return value.number.map(range.contains) == true ? [] : ["\(path): no number of \(range)"]
        case .bool: return value == .bool(true) || value == .bool(false) ? [] : ["\(path): no boolean"]
        case .nothing: return value == .null ? [] : ["\(path): not null"]
        case .list(let shape):
            guard case .array(let items) = value else { return ["\(path): no array"] }
            return items.enumerated().flatMap { shape.problems($1, "\(path)[\($0)]") }
        case .map(let shape):
            guard case .object(let members) = value else { return ["\(path): no object"] }
            return members.flatMap { shape.problems($1, "\(path).\($0)") }
        case .object(let required, let optional):
            guard case .object(let members) = value else { return ["\(path): no object"] }
            let missing = required.keys.filter { members[$0] == nil }.map { "\(path).\($0): missing" }
            return missing
                + members.flatMap { name, member in
                    (required[name] ?? optional[name]).map { $0.problems(member, "\(path).\(name)") }
                        ?? ["\(path).\(name): not a member"]
                }
        }
    }
}

extension DocumentShape {
    /// runtime.md, "State", and what runc prints besides: `paused` is a status of its own, as the section allows.
    static func state(_ statuses: String...) -> DocumentShape {
        .object(
            [
                "ociVersion": .version, "id": .text, "status": .word(statuses), "bundle": .absolutePath,
                "pid": .integer(0...Double(Int32.max)),
            ],
            optional: ["annotations": .map(.text), "rootfs": .absolutePath, "created": .text, "owner": .text])
    }

    /// features.md and features-linux.md of version 1.3.
    static let features: DocumentShape = {
        let enabled = DocumentShape.object(["enabled": .bool])
        let linux = DocumentShape.object([
            "namespaces": .list(.word(["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"])),
            "capabilities": .list(.text),
            "cgroup": .object(["v1": .bool, "v2": .bool, "systemd": .bool, "systemdUser": .bool, "rdma": .bool]),
            "seccomp": .object([
                "enabled": .bool, "actions": .list(.text), "operators": .list(.text), "archs": .list(.text),
                "knownFlags": .list(.text), "supportedFlags": .list(.text),
            ]),
            "apparmor": enabled, "selinux": enabled,
            "intelRdt": .object(["enabled": .bool, "schemata": .bool, "monitoring": .bool]),
            "mountExtensions": .object(["idmap": enabled]), "netDevices": enabled,
            "memoryPolicy": .object(["modes": .list(.text), "flags": .list(.text)]),
        ])
        return .object([
            "ociVersionMin": .version, "ociVersionMax": .version, "hooks": .list(.text), "mountOptions": .list(.text),
            "linux": linux, "annotations": .map(.text), "potentiallyUnsafeConfigAnnotations": .list(.text),
        ])
    }()

    /// What runc's `events --stats` prints, as far as engines read it (containerd's and podman's types).
    static let statistics: DocumentShape = {
        let entry = DocumentShape.object(
            ["limit": natural, "usage": natural, "failcnt": natural], optional: ["max": natural])
        let operations = DocumentShape.list(
            .object(["major": natural, "minor": natural, "op": .text, "value": natural]))
        let percent = DocumentShape.number(0...100)
        let stall = DocumentShape.object(["avg10": percent, "avg60": percent, "avg300": percent, "total": natural])
        let pressure = DocumentShape.object(["some": stall, "full": stall])
        let each = DocumentShape.list(natural)
        let cpuset = DocumentShape.object(
            [
                "cpu_exclusive": natural, "mem_exclusive": natural, "mem_hardwall": natural, "memory_migrate": natural,
                "memory_pressure": natural, "memory_spread_page": natural, "memory_spread_slab": natural,
                "sched_load_balance": natural, "sched_relax_domain_level": .integer(-1...5),
            ], optional: ["cpus": each, "mems": each])
        return .object([
            "type": .word(["stats"]), "id": .text,
            "data": .object(
                [
                    "cpuset": cpuset, "intel_rdt": .object([:]), "network_interfaces": .nothing,
                    "hugetlb": .map(.object(["usage": natural, "failcnt": natural], optional: ["max": natural])),
                ],
                optional: [
                    "cpu": .object(
                        [
                            "usage": .object(
                                ["total": natural, "kernel": natural, "user": natural],
                                optional: ["percpu": each, "percpu_kernel": each, "percpu_user": each]),
                            "throttling": .object([
                                "periods": natural, "throttledPeriods": natural, "throttledTime": natural,
                            ]),
                        ], optional: ["psi": pressure]),
                    "memory": .object(
                        ["cache": natural, "usage": entry, "raw": .map(natural)],
                        optional: ["swap": entry, "kernel": entry, "kernelTCP": entry, "psi": pressure]),
                    "blkio": .object(
                        [:],
                        optional: [
                            "ioServiceBytesRecursive": operations, "ioServicedRecursive": operations, "psi": pressure,
                        ]),
                    "pids": .object(["current": natural], optional: ["limit": natural]),
                ]),
        ])
    }()

    /// config.md and config-linux.md: what `spec` writes of them.
    static let config: DocumentShape = {
        let mapping = DocumentShape.object(["containerID": natural, "hostID": natural, "size": natural])
        let set = DocumentShape.list(.text)
        let process = DocumentShape.object(
            ["cwd": .absolutePath, "args": .list(.text)],
            optional: [
                "terminal": .bool, "env": .list(.text), "noNewPrivileges": .bool,
                "user": .object(["uid": natural, "gid": natural]),
                "capabilities": .object(
                    [:],
                    optional: ["bounding": set, "effective": set, "permitted": set, "inheritable": set, "ambient": set]),
                "rlimits": .list(.object(["type": .text, "soft": natural, "hard": natural])),
            ])
        let mount = DocumentShape.object(
            ["destination": .absolutePath], optional: ["type": .text, "source": .text, "options": .list(.text)])
        let kinds = ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"]
        let linux = DocumentShape.object(
            ["namespaces": .list(.object(["type": .word(kinds)], optional: ["path": .absolutePath]))],
            optional: [
                "resources": .object([
                    "devices": .list(.object(["allow": .bool], optional: ["access": .text, "type": .text]))
                ]),
                "maskedPaths": .list(.absolutePath), "readonlyPaths": .list(.absolutePath),
                "uidMappings": .list(mapping), "gidMappings": .list(mapping),
            ])
        return .object([
            "ociVersion": .version, "process": process, "root": .object(["path": .text], optional: ["readonly": .bool]),
            "hostname": .text, "mounts": .list(mount), "linux": linux,
        ])
    }()
}

@Suite("swrun: the documents that others read")
struct RuntimeDocumentTests {
    @Test func `the shape itself tells what is wrong`() throws {
        let good = #"{"ociVersion": "1.0.2", "id": "a", "status": "running", "pid": 5, "bundle": "/b"}"#
        #expect(DocumentShape.state("running").problems(try JSONValue(good)) == [])
        for (text, path) in [
            (good.replacing("\"pid\": 5", with: "\"pid\": \"5\""), ".pid"),
            (good.replacing("\"pid\": 5", with: "\"pid\": -1"), ".pid"),
            (good.replacing("1.0.2", with: "1.0"), ".ociVersion"),
            (good.replacing("running", with: "walking"), ".status"),
            (good.replacing("\"/b\"", with: "\"b\""), ".bundle"),
            (good.replacing("\"id\": \"a\", ", with: ""), ".id"), (good.replacing("\"id\"", with: "\"name\""), ".name"),
        ] {
            let problems = DocumentShape.state("running").problems(try JSONValue(text))
            #expect(problems.contains { $0.hasPrefix("\(path):") }, "\(text): \(problems)")
        }
    }

    @Test func `state, list and statistics of a container in each of its states`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", #".annotations = {"org.example.key": "value"}"#)
            func check(_ status: String) async throws {
                let state = try await bundle.state()
                #expect(DocumentShape.state(status).problems(state) == [], "\(state)")
                #expect(state["annotations"]["org.example.key"].text == "value")
                // REQUIRED while there is one, and then it is a process.
                #expect((state["pid"].integer ?? -1 > 0) == (status != "stopped"), "\(state)")
                let list = try JSONValue(try await bundle.must("list", "--format", "json"))
                #expect(DocumentShape.list(.state(status)).problems(list) == [] && list.items.count == 1, "\(list)")
            }
            try await bundle.create()
            try await check("created")
            try await bundle.must("start", "box")
            try await check("running")
            let statistics = try JSONValue(try await bundle.must("events", "--stats", "box"))
            #expect(DocumentShape.statistics.problems(statistics) == [], "\(statistics)")
            #expect(statistics["data"]["pids"]["current"].integer == 1)
            let tells = try await host.run([
                "sh", "-c", "cat /sys/fs/cgroup/cpu.pressure || cat /sys/fs/cgroup/unified/cpu.pressure",
            ])
            #expect((statistics["data"]["cpu"]["psi"] != .null) == (tells.status == 0), "\(statistics) \(tells)")
            try await bundle.must("pause", "box")
            try await check("paused")
            try await bundle.must("resume", "box")
            try await bundle.must("kill", "box", "KILL")
            _ = try await eventually { try await bundle.state()["status"].text == "stopped" }
            try await check("stopped")
            try await bundle.must("delete", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `features, and the documents that spec writes`() async throws {
        try await TestHost.with { host in
            let swrun = Products.path("swrun")
            let features = try JSONValue(try await host.must([swrun, "features"]))
            #expect(DocumentShape.features.problems(features) == [], "\(features)")
            #expect(features["linux"]["capabilities"].items.allSatisfy { $0.text?.hasPrefix("CAP_") == true })
            for flags in [[], ["--rootless"]] {
                try await host.must(["sh", "-c", "rm -rf /run/spec; mkdir /run/spec"])
                try await host.must([swrun, "spec", "--bundle", "/run/spec"] + flags)
                let config = try JSONValue(try await host.must(["cat", "/run/spec/config.json"]))
                #expect(DocumentShape.config.problems(config) == [], "\(config)")
                #expect(config["ociVersion"].text == features["ociVersionMax"].text)
                // As few as the peers' has: who needs more adds them.
                let capabilities = config["process"]["capabilities"]
                for set in ["bounding", "effective", "permitted"] {
                    #expect(
                        capabilities[set].items.map(\.text) == ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"])
                }
                #expect(capabilities["ambient"].items.isEmpty && capabilities["inheritable"].items.isEmpty)
            }
        }
    }

    @Test func `a container without a process can be made and entered, and not be started`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "", "del(.process)")
            try await bundle.create()
            #expect(try await bundle.state()["status"].text == "created")
            try await host.must([
                "sh", "-c", #"echo '{"cwd": "/", "args": ["touch", "/seen"]}' >/run/process.json"#,
            ])
            try await bundle.must("exec", "--process", "/run/process.json", "box")
            #expect(try await host.shell("test -e /run/bundle/rootfs/seen").status == 0)
            expectRefusal(try await bundle.swrun("exec", "box", "true"), status: 255, names: "process is missing")
            expectRefusal(try await bundle.swrun("start", "box"), status: 1, names: "process is missing")
            #expect(try await eventually { try await bundle.state()["status"].text == "stopped" })
            try await bundle.must("delete", "box")
            expectRefusal(
                try await bundle.swrun("run", "--bundle", "/run/bundle", "box"), status: 1, names: "process is missing")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
