import JSONCoding
import RuntimeSpec
import TestSupport
import Testing

/// Each member of `config.json` with what it must not be: the error names the member and nothing else.
@Suite("config.json with one mistake")
struct SpecMistakeTests {
    private static func error(in document: JSONCoding.JSONValue) -> SpecError? {
        do throws(SpecError) {
            try Spec(json: document.bytes).validate()
            return nil
        } catch {
            return error
        }
    }

    /// Otherwise what is said here about each member would not be about some.
    @Test func `the document has every member that the types have`() throws {
        let spec = try Spec(json: Array(RuntimeDocument.text.utf8))
        #expect(Self.absent(in: spec, at: "") == [])
        // A check that cannot fail says nothing.
        #expect(Self.absent(in: Spec(), at: "").contains(".hostname"))
    }

    private static func absent(in value: Any, at path: String) -> [String] {
        let mirror = Mirror(reflecting: value)
        switch mirror.displayStyle {
        case .optional:
            guard let inner = mirror.children.first else { return [path] }
            return absent(in: inner.value, at: path)
        case .struct: return mirror.children.flatMap { absent(in: $0.value, at: "\(path).\($0.label ?? "")") }
        case .collection:
            // One that has it is enough. What is empty has no members that could be absent.
            let elements = mirror.children.map { Set(absent(in: $0.value, at: "\(path)[]")) }
            return elements.reduce(elements.first ?? []) { $0.intersection($1) }.sorted()
        case .dictionary:
            return mirror.children.flatMap { pair in
                Mirror(reflecting: pair.value).children.dropFirst().flatMap { absent(in: $0.value, at: "\(path).*") }
            }
        default: return []
        }
    }

    @Test func `a value of another type`() throws {
        let document = try RuntimeDocument.value
        #expect(Self.error(in: document) == nil)
        for (place, value) in document.places {
            for wrong in RuntimeDocument.wrongTypes(for: value) {
                let field = Self.error(in: document.replacing(place, by: wrong))?.field
                #expect(field == place.description, "\(place) = \(wrong.text): \(field ?? "nothing is wrong")")
            }
        }
    }

    @Test func `a member that is missing or null`() throws {
        let document = try RuntimeDocument.value
        // What others need.
        let needed: Set<String> = [
            "process.args", "mounts[0].type", "mounts[1].source", "linux.namespaces", "linux.devices[0].major",
            "linux.devices[0].minor", "linux.seccomp.listenerPath", "linux",
        ]
        // The members of maps, which have a value when they are there.
        let entries: Set<String> = [
            "annotations.a/b", "linux.sysctl.net.core.somaxconn", "linux.resources.unified.memory.high",
            "linux.resources.rdma.mlx5_1", "linux.netDevices.eth9", "linux.timeOffsets.boottime",
            "linux.timeOffsets.monotonic",
        ]
        for (place, _) in document.places where !place.description.hasSuffix("]") {
            for changed in [document.replacing(place, by: nil), document.replacing(place, by: .null)] {
                let error = Self.error(in: changed)
                let words = "\(place), \(error.map { "\($0)" } ?? "nothing is wrong")"
                if RuntimeDocument.required.contains(place.description) {
                    #expect(error?.field == place.description, "\(words)")
                } else if entries.contains(place.description) {
                    #expect(error == nil || error?.field == place.description, "\(words)")
                } else {
                    #expect((error != nil) == needed.contains(place.description), "\(words)")
                }
            }
        }
    }

    @Test func `an element that is null`() throws {
        let document = try RuntimeDocument.value
        for (place, _) in document.places where place.description.hasSuffix("]") {
            #expect(Self.error(in: document.replacing(place, by: .null))?.field == place.description)
        }
    }

    @Test func `a number that is negative`() throws {
        // -1 is no limit, any number or a time before.
        let signed: Set<String> = [
            "process.oomScoreAdj", "process.scheduler.nice", "process.scheduler.priority",
            "process.ioPriority.priority",
            "linux.timeOffsets.monotonic.secs", "linux.timeOffsets.boottime.secs", "linux.resources.memory.limit",
            "linux.resources.memory.reservation", "linux.resources.memory.swap", "linux.resources.memory.kernel",
            "linux.resources.memory.kernelTCP", "linux.resources.cpu.quota", "linux.resources.cpu.realtimeRuntime",
            "linux.resources.pids.limit", "linux.resources.devices[0].major", "linux.resources.devices[0].minor",
        ]
        let document = try RuntimeDocument.value
        for (place, value) in document.places {
            guard case .integer = value else { continue }
            // Numbers of devices are looked at when the limits are carried out.
            let isDevice = place.description.contains("blockIO") && place.description.hasSuffix("or")
            let field = Self.error(in: document.replacing(place, by: .integer(-1)))?.field
            let isFine = signed.contains(place.description) || isDevice
            #expect(field == (isFine ? nil : place.description), "\(place) = -1: \(field ?? "nothing is wrong")")
        }
    }

    @Test func `a string with a NUL byte`() throws {
        let document = try RuntimeDocument.value
        for (place, value) in document.places {
            guard case .string(let text) = value else { continue }
            let field = Self.error(in: document.replacing(place, by: .string("\(text)\u{0}x")))?.field
            switch place.description {
            // Nobody but the document's reader has them.
            case "annotations.a/b", "linux.seccomp.listenerMetadata": #expect(field == nil)
            // Compared with names that are known when the document is carried out, and with nothing else.
            case "process.rlimits[0].type", "process.scheduler.policy", "process.scheduler.flags[0]",
                "process.ioPriority.class", "linux.memoryPolicy.mode", "linux.memoryPolicy.flags[0]",
                "linux.memoryPolicy.nodes", "linux.netDevices.eth9.name", "linux.resources.devices[0].type",
                "linux.resources.devices[0].access", "process.capabilities.bounding[0]",
                "process.capabilities.effective[0]", "process.capabilities.permitted[0]",
                "process.capabilities.inheritable[0]", "process.capabilities.ambient[0]", "linux.intelRdt.closID",
                "linux.intelRdt.schemata[0]", "linux.intelRdt.l3CacheSchema", "linux.intelRdt.memBwSchema":
                #expect(field == nil)
            default: #expect(field == place.description, "\(place): \(field ?? "nothing is wrong")")
            }
        }
    }

    @Test func `a string that is not UTF-8`() throws {
        let document = try RuntimeDocument.value
        for (place, value) in document.places {
            guard case .string = value else { continue }
            let text = document.replacing(place, by: .string("\u{1}")).text.replacing("\\u0001", with: "\u{1}")
            let bytes = Array(text.utf8).map { $0 == 1 ? 0xFF : $0 }
            #expect(throws: SpecError.self) { try Spec(json: bytes) }
            do { _ = try Spec(json: bytes) } catch {
                #expect(error.field == place.description && error.reason.contains("UTF-8"), "\(error)")
            }
        }
    }
}
