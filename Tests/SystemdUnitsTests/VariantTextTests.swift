import RuntimeSpec
import TestSupport
import Testing

@testable import SystemdUnits

@Suite("systemd units: values as text")
struct VariantTextTests {
    /// As GLib and godbus read them.
    @Test(arguments: [
        ("true", UnitValue.boolean(true)), (" false ", .boolean(false)), ("boolean true", .boolean(true)),
        ("42", .int32(42)), ("-7", .int32(-7)), ("0x10", .int32(16)), ("010", .int32(8)), ("1.5", .double(1.5)),
        ("uint64 123456789012", .uint64(123_456_789_012)), ("@t 5", .uint64(5)), ("byte 0xff", .byte(255)),
        ("int64 -1", .int64(-1)), ("uint16 65535", .uint16(65535)), ("double 2", .double(2)),
        ("'inactive-or-failed'", .string("inactive-or-failed")), (#""a 'b'\n""#, .string("a 'b'\n")),
        (#"'it\'s'"#, .string("it's")), ("objectpath '/a/b'", .objectPath("/a/b")),
        ("['a', 'b']", .strings(["a", "b"])), ("@as []", .strings([])), ("@as ['x']", .strings(["x"])),
        ("[1,2]", .array(signature: "i", [.int32(1), .int32(2)])),
        ("[('/dev/null', 'rw')]", .array(signature: "(ss)", [.tuple([.string("/dev/null"), .string("rw")])])),
    ])
    func reads(_ text: String, _ value: UnitValue) throws {
        #expect(try VariantText.value(text) == value)
    }

    @Test(arguments: [
        "", " ", "'open", "[1, 'a']", "[1", "(1", "()", "uint32 -1", "byte 256", "2147483648", "uint32", "boolean 1",
        "true false", "nothing", "@zz 1", "@as 5", "string 5", "1e999", "\u{0}", "['a',,'b']",
        String(repeating: "[", count: 100_000), String(repeating: "boolean ", count: 100_000),
        String(repeating: "@as ", count: 100_000),
    ])
    func refuses(_ text: String) {
        #expect(throws: UnitError.self) { try VariantText.value(text) }
    }

    @Test("whatever is in an annotation, it is a value or an error")
    func survives() {
        var generator = SplitMix.byChance(for: "values as text")
        let texts = ["[('/dev/null', 'rw'), (\"x\", '')]", "@as ['a', 'b']", "uint64 0x12345", "[1.5, -2e3]"]
        for text in texts {
            for _ in 0..<2000 {
                let bytes = Mutations.bytes(of: text, using: &generator)
                guard let value = try? VariantText.value(String(decoding: bytes, as: UTF8.self)) else { continue }
                #expect(!value.signature.isEmpty)
            }
        }
    }

    @Test("annotations become properties, and those that cannot are named")
    func annotations() throws {
        var request = UnitRequest(
            unit: "a.scope", slice: "b.slice", description: "", isUser: false, isUnified: true,
            annotations: [
                "org.systemd.property.TimeoutStopSec": "1.5", "org.systemd.property.CollectMode": "'inactive'",
                "org.systemd.property.TimeoutStopUSec": "uint64 7", "another": "(",
            ])
        #expect(
            try request.annotationProperties() == [
                UnitProperty("CollectMode", .string("inactive")), UnitProperty("TimeoutStopUSec", .uint64(1_500_000)),
                UnitProperty("TimeoutStopUSec", .uint64(7)),
            ])
        for (name, value) in [("A", "true"), ("Bad-Name", "true"), ("TimeoutStopSec", "'x'"), ("Name", "?")] {
            request.annotations = ["org.systemd.property.\(name)": value]
            let error = #expect(throws: UnitError.self) { try request.annotationProperties() }
            #expect(error?.description.contains("annotations.org.systemd.property.\(name)") == true)
        }
    }

    @Test("a request is read as it was written")
    func roundTrip() throws {
        var resources = Spec.Linux.Resources(pids: .init(limit: 5))
        resources.unified = ["memory.high": "max"]
        let request = UnitRequest(
            unit: "a.scope", slice: "b.slice", description: "line\nbreak", isUser: true, isUnified: false,
            resources: resources, annotations: ["org.systemd.property.X": "1"])
        let line = request.line
        #expect(line.filter { $0 == UInt8(ascii: "\n") }.count == 1 && line.last == UInt8(ascii: "\n"))
        #expect(try UnitRequest(line: line) == request)
    }
}
