import Foundation
import RuntimeSpec
import Testing

@testable import ContainerRuntime

@Suite("Shares of caches and memory bandwidth: resctrl")
struct ResctrlTests {
    /// A directory that plays resctrl. The kernel fills a new group with files at once; here, those of one that is to be
    /// written to have to be there before, so `mkdir` is what a group of this name would answer.
    private final class FakeResctrl {
        let root = NSTemporaryDirectory() + "swruntest-\(UUID().uuidString)"

        init() throws { try fill("", [("schemata", "    L3:0=fffff;1=fffff\n    MB:0= 100;1= 100\n"), ("tasks", "")]) }

        deinit { try? FileManager.default.removeItem(atPath: root) }

        func fill(_ group: String, _ files: [(String, String)]) throws {
            let folder = "\(root)/\(group)"
            try FileManager.default.createDirectory(atPath: "\(folder)/mon_groups", withIntermediateDirectories: true)
            for (name, text) in files {
                try text.write(toFile: "\(folder)/\(name)", atomically: false, encoding: .utf8)
            }
        }

        func text(_ file: String) -> String? { try? String(contentsOfFile: "\(root)/\(file)", encoding: .utf8) }
        func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: "\(root)/\(path)") }

        func group(_ json: String) throws -> ResctrlGroup {
            let text = """
                {"ociVersion": "1.3.0", "linux": {"intelRdt": \(json)}}
                """
            let root = root
            return try #require(try ResctrlGroup(Spec(json: Array(text.utf8)), container: "box", root: { root }))
        }
    }

    @Test func `without a mount the error names the field, and without the field nothing is looked for`() throws {
        let spec = try Spec(json: Array(#"{"ociVersion": "1.3.0", "linux": {"intelRdt": {}}}"#.utf8))
        let error = #expect(throws: SpecError.self) { try ResctrlGroup(spec, container: "box", root: { nil }) }
        #expect(error?.field == "linux.intelRdt" && error?.reason.contains("resctrl") == true)
        #expect(
            try ResctrlGroup(
                Spec(), container: "box",
                root: {
                    Issue.record("resctrl was looked for")
                    return nil
                }) == nil)
    }

    @Test func `without closID a group of the container's name is made, and goes with it`() throws {
        let fake = try FakeResctrl()
        var group = try fake.group("{}")
        try group.make()
        #expect(fake.exists("box") && group.made == ["box"])
        // No schema was given, so none is written.
        #expect(!fake.exists("box/schemata"))
        try fake.fill("box", [("tasks", "")])
        try group.add(process: 4711)
        #expect(fake.text("box/tasks") == "4711")
        try FileManager.default.removeItem(atPath: "\(fake.root)/box/tasks")
        try FileManager.default.removeItem(atPath: "\(fake.root)/box/mon_groups")
        try ResctrlGroup.remove(group.made, root: fake.root)
        #expect(!fake.exists("box"))
        // Once more is fine.
        try ResctrlGroup.remove(group.made, root: fake.root)
        // What is there is somebody else's.
        try fake.fill("box", [])
        var other = try fake.group("{}")
        let error = #expect(throws: SpecError.self) { try other.make() }
        #expect(error?.field == "linux.intelRdt" && other.made.isEmpty)
    }

    @Test func `a group that is there has to be what the document says`() throws {
        let fake = try FakeResctrl()
        let present = "    L3:0=0007f;1=fffff\n    MB:0=  20;1=  70\n"
        try fake.fill("gold", [("schemata", present), ("tasks", "")])
        var group = try fake.group(
            #"{"closID": "gold", "l3CacheSchema": "L3:0=7F", "memBwSchema": "MB:0=20;1=70", "schemata": ["L3:1=fffff"]}"#
        )
        try group.make()
        try group.add(process: 12)
        #expect(fake.text("gold/tasks") == "12" && fake.text("gold/schemata") == present)
        // It was there before the container, and stays.
        #expect(group.made.isEmpty)
        for (json, field) in [
            (#"{"closID": "gold", "l3CacheSchema": "L3:0=ff"}"#, "l3CacheSchema"),
            (#"{"closID": "gold", "memBwSchema": "MB:0=20;1=80"}"#, "memBwSchema"),
            (#"{"closID": "gold", "schemata": ["L2:0=f"]}"#, "schemata[0]"),
        ] {
            var other = try fake.group(json)
            let error = #expect(throws: SpecError.self) { try other.make() }
            #expect(error?.field == "linux.intelRdt.\(field)")
        }
        var without = try fake.group(#"{"closID": "gold"}"#)
        try without.make()
        var root = try fake.group(#"{"closID": "/"}"#)
        try root.make()
        try root.add(process: 13)
        #expect(fake.text("tasks") == "13" && root.made.isEmpty)
    }

    @Test func `other shares are written into the group that is there`() throws {
        let fake = try FakeResctrl()
        try fake.fill("gold", [("schemata", ""), ("tasks", "")])
        let group = try fake.group(#"{"closID": "gold", "memBwSchema": "MB:0=20"}"#)
        #expect(try group.update() == [])
        #expect(fake.text("gold/schemata") == "MB:0=20\n")
        // What a later step refuses is taken back.
        #expect(try fake.group(#"{"closID": "gold", "memBwSchema": "MB:0=70"}"#).update() == ["MB:0=20"])
        group.putBack(["MB:0=20"])
        #expect(fake.text("gold/schemata") == "MB:0=20\n")
        let error = #expect(throws: SpecError.self) {
            _ = try fake.group(#"{"closID": "silver", "memBwSchema": "MB:0=20"}"#).update()
        }
        #expect(error?.field == "linux.intelRdt" && !fake.exists("silver"))
    }

    @Test func `what a group has and uses is told as far as the machine counts it`() throws {
        let fake = try FakeResctrl()
        try fake.fill("gold", [("schemata", "    L3:0=0007f\n    MB:0=  20\n"), ("tasks", "")])
        let group = try fake.group(#"{"closID": "gold", "enableMonitoring": true}"#)
        var wanted = ResctrlStatistics()
        wanted.schemata = ["L3:0=0007f", "MB:0=  20"]
        #expect(group.statistics() == wanted)
        try fake.fill("info/L3", [("cbm_mask", "fffff\n"), ("min_cbm_bits", "1\n"), ("num_closids", "16\n")])
        try fake.fill(
            "info/MB",
            [("bandwidth_gran", "10\n"), ("delay_linear", "1\n"), ("min_bandwidth", "10\n"), ("num_closids", "8\n")])
        try fake.fill("info/L3_MON", [("mon_features", "llc_occupancy\nmbm_total_bytes\nmbm_local_bytes\n")])
        for (domain, count) in [("mon_L3_00", 5), ("mon_L3_01", 50)] {
            try fake.fill(
                "gold/mon_groups/box/mon_data/\(domain)",
                [
                    ("llc_occupancy", "\(count)\n"), ("mbm_total_bytes", "\(count + 2)\n"),
                    ("mbm_local_bytes", "\(count + 1)\n"),
                ])
        }
        wanted.caches = .init(
            mask: "fffff", fewestBits: 1, groups: 16, rootSchema: "L3:0=fffff;1=fffff", schema: "L3:0=0007f")
        wanted.bandwidth = .init(
            granularity: 10, least: 10, delayIsLinear: 1, groups: 8, rootSchema: "MB:0= 100;1= 100", schema: "MB:0=  20"
        )
        wanted.traffic = [.init(total: 7, local: 6), .init(total: 52, local: 51)]
        wanted.occupancy = [5, 50]
        #expect(group.statistics() == wanted)
    }

    @Test func `one that is not there is made only with a schema`() throws {
        let fake = try FakeResctrl()
        var missing = try fake.group(#"{"closID": "silver"}"#)
        let error = #expect(throws: SpecError.self) { try missing.make() }
        #expect(error?.field == "linux.intelRdt.closID" && !fake.exists("silver"))
        // A plain directory has no schemata file, so the write fails as the kernel's would for a bad mask.
        try fake.fill("info", [("last_cmd_status", "Mask 0x0 has no bits\n")])
        var refused = try fake.group(#"{"closID": "silver", "l3CacheSchema": "L3:0=0"}"#)
        let second = #expect(throws: SpecError.self) { try refused.make() }
        #expect(second?.field == "linux.intelRdt.l3CacheSchema" && second?.reason.contains("no bits") == true)
        #expect(!fake.exists("silver") && refused.made.isEmpty)
    }

    @Test func `a monitoring group has the container's name and goes with it`() throws {
        let fake = try FakeResctrl()
        try fake.fill("gold", [("schemata", "L3:0=f\n"), ("tasks", "")])
        var group = try fake.group(#"{"closID": "gold", "enableMonitoring": true}"#)
        try group.make()
        #expect(group.made == ["gold/mon_groups/box"] && fake.exists("gold/mon_groups/box"))
        try fake.fill("gold/mon_groups/box", [("tasks", "")])
        try group.add(process: 99)
        #expect(fake.text("gold/tasks") == "99" && fake.text("gold/mon_groups/box/tasks") == "99")
        var again = try fake.group(#"{"closID": "gold", "enableMonitoring": true}"#)
        let error = #expect(throws: SpecError.self) { try again.make() }
        #expect(error?.field == "linux.intelRdt.enableMonitoring")
    }

    @Test(
        arguments: [
            (#"{"closID": "a/b"}"#, "closID"), (#"{"closID": ".."}"#, "closID"), (#"{"closID": ""}"#, "closID"),
            (#"{"closID": "info"}"#, "closID"), (#"{"memBwSchema": "L3:0=f"}"#, "memBwSchema"),
            (#"{"memBwSchema": "MB:0=1\nL3:0=f"}"#, "memBwSchema"),
            (#"{"l3CacheSchema": "L3:0=f\n"}"#, "l3CacheSchema"),
            (#"{"schemata": ["L3:0=f", "MB:0=1\nMB:1=2"]}"#, "schemata[1]"),
        ])
    func `what cannot be meant is refused by name`(json: String, name: String) throws {
        let fake = try FakeResctrl()
        let error = #expect(throws: SpecError.self) { try fake.group(json) }
        #expect(error?.field == "linux.intelRdt.\(name)")
    }
}
