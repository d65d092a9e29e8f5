import RuntimeSpec
import Testing

@testable import SystemdUnits

@Suite("systemd units: limits as properties")
struct UnitPropertyTests {
    private struct Names: DeviceNames {
        func name(isBlock: Bool, major: Int64) -> String? { [136: "pts", 8: "sd"][major] }
    }

    private func request(_ json: String, isUnified: Bool) throws -> UnitRequest {
        UnitRequest(
            unit: "box.scope", slice: "lab.slice", description: "a box", isUser: false, isUnified: isUnified,
            resources: try Spec.Linux.Resources(json: Array(json.utf8)))
    }

    private func limits(_ json: String, isUnified: Bool = true, version: Int = 252) throws -> [String: UnitValue] {
        let properties = try request(json, isUnified: isUnified).limitProperties(version: version)
        return Dictionary(properties.map { ($0.name, $0.value) }) { $1 }
    }

    @Test("memory: -1 is no limit, and swap is counted alone on v2")
    func memory() throws {
        let json = #"{"memory": {"limit": 1000, "swap": 1500, "reservation": 500}}"#
        #expect(
            try limits(json) == [
                "MemoryMax": .uint64(1000), "MemorySwapMax": .uint64(500), "MemoryLow": .uint64(500),
            ])
        #expect(try limits(json, isUnified: false) == ["MemoryLimit": .uint64(1000)])
        #expect(
            try limits(#"{"memory": {"limit": -1, "swap": -1}}"#)
                == ["MemoryMax": .uint64(.max), "MemorySwapMax": .uint64(.max)])
        #expect(try limits(#"{"memory": {"limit": 0}}"#) == [:])
    }

    @Test("tasks: 0 is 1, as in pids.max, because systemd takes no 0")
    func tasks() throws {
        for (limit, expected) in [(0, 1), (7, 7), (-1, UInt64.max)] {
            #expect(try limits(#"{"pids": {"limit": \#(limit)}}"#) == ["TasksMax": .uint64(expected)])
        }
    }

    /// runc's and crun's rule: microseconds in a second, rounded up to a hundredth of a processor.
    @Test(arguments: [
        (#"{"cpu": {"quota": 50000, "period": 100000}}"#, UInt64(500_000)),
        (#"{"cpu": {"quota": 33333}}"#, 340_000), (#"{"cpu": {"quota": -1, "period": 100000}}"#, .max),
        (#"{"cpu": {"quota": 9223372036854775807}}"#, .max),
        (#"{"unified": {"cpu.max": "20000 50000"}}"#, 400_000), (#"{"unified": {"cpu.max": "max"}}"#, .max),
    ])
    func quota(_ json: String, _ expected: UInt64) throws {
        let found = try limits(json)["CPUQuotaPerSecUSec"]
        // Without a quota of its own there is nothing to say.
        #expect(found == .uint64(expected), "\(json)")
    }

    @Test("what an older systemd does not know is left out")
    func versions() throws {
        let json = #"{"cpu": {"period": 100000, "cpus": "0-1,9", "idle": 1}}"#
        #expect(
            try limits(json) == [
                "CPUQuotaPeriodUSec": .uint64(100_000), "CPUQuotaPerSecUSec": .uint64(.max), "CPUWeight": .uint64(0),
                "AllowedCPUs": .array(signature: "y", [.byte(3), .byte(2)]),
            ])
        #expect(try limits(json, version: 241) == ["CPUQuotaPerSecUSec": .uint64(.max)])
    }

    @Test(arguments: [
        #"{"cpu": {"cpus": "3-1"}}"#, #"{"cpu": {"mems": "a"}}"#, #"{"cpu": {"cpus": "1-99999999999"}}"#,
        #"{"unified": {"memory.high": "much"}}"#, #"{"unified": {"cpu.max": "1 2 3"}}"#,
        #"{"unified": {"cpuset.cpus": "0--1"}}"#,
    ])
    func refuses(_ json: String) {
        let error = #expect(throws: UnitError.self) { try limits(json) }
        #expect(error?.description.hasPrefix("linux.resources.") == true)
    }

    @Test("devices: a list of what is allowed, with drivers by name, and those that every container has")
    func devices() throws {
        let rules = #"""
            {"devices": [{"allow": true, "type": "c", "major": 9, "minor": 9}, {"allow": false},
             {"allow": true, "type": "b", "major": 8, "access": "r"}, {"allow": true, "type": "c", "major": 10, "minor": 200},
             {"allow": true, "type": "c", "major": 77}]}
            """#
        let properties = try request(rules, isUnified: true)
            .startProperties(process: 7, version: 252, devices: Names())
        #expect(properties.contains(UnitProperty("DevicePolicy", .string("strict"))))
        #expect(properties.contains(UnitProperty("PIDs", .array(signature: "u", [.uint32(7)]))))
        let lists = properties.filter { $0.name == "DeviceAllow" }.map(\.value)
        guard lists.count == 2, case .array("(ss)", let entries) = lists[1] else {
            Issue.record("\(lists)")
            return
        }
        #expect(lists[0] == .array(signature: "(ss)", []))
        // What was allowed before everything was denied counts no more, nor does a driver that nobody knows.
        #expect(entries.first == .tuple([.string("block-sd"), .string("r")]))
        #expect(entries.contains(.tuple([.string("/dev/char/10:200"), .string("rwm")])))
        #expect(entries.contains(.tuple([.string("/dev/char/1:3"), .string("rwm")])))
        #expect(entries.contains(.tuple([.string("char-pts"), .string("rwm")])))
        #expect(!entries.contains(.tuple([.string("/dev/char/9:9"), .string("rwm")])))

        let all = try request(#"{"devices": [{"allow": false}, {"allow": true}]}"#, isUnified: true)
            .startProperties(process: 7, version: 252, devices: Names())
        #expect(all.contains(UnitProperty("DevicePolicy", .string("auto"))))
    }
}
