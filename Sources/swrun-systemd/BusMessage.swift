import CLinux
import CSystemd
import SystemdUnits

/// A message that is being written, or that was received.
final class BusMessage {
    let pointer: OpaquePointer
    /// The first negative answer of the library while it was written.
    private(set) var failure: Int32 = 0

    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { sd_bus_message_unref(pointer) }

    private func note(_ answer: Int32) {
        if answer < 0, failure == 0 { failure = answer }
    }

    private func append<Value>(_ letter: Unicode.Scalar, _ value: Value) {
        withUnsafePointer(to: value) { note(sd_bus_message_append_basic(pointer, CChar(letter.value), $0)) }
    }

    private func append(_ letter: Unicode.Scalar, _ text: String) {
        note(sd_bus_message_append_basic(pointer, CChar(letter.value), text))
    }

    private func container(_ letter: Unicode.Scalar, _ contents: String, _ fill: () -> Void) {
        note(sd_bus_message_open_container(pointer, CChar(letter.value), contents))
        // Of a container that is not open nothing can be closed.
        guard failure == 0 else { return }
        fill()
        note(sd_bus_message_close_container(pointer))
    }

    func append(_ value: UnitValue) {
        switch value {
        case .boolean(let value): append("b", Int32(value ? 1 : 0))
        case .byte(let value): append("y", value)
        case .int16(let value): append("n", value)
        case .uint16(let value): append("q", value)
        case .int32(let value): append("i", value)
        case .uint32(let value): append("u", value)
        case .int64(let value): append("x", value)
        case .uint64(let value): append("t", value)
        case .double(let value): append("d", value)
        case .string(let text): append("s", text)
        case .objectPath(let text): append("o", text)
        case .array(let signature, let elements):
            container("a", signature) { for element in elements { append(element) } }
        case .tuple(let members):
            container("r", members.map(\.signature).joined()) { for member in members { append(member) } }
        }
    }

    /// A list of names with values of any type: `a(sv)`.
    func append(_ properties: [UnitProperty]) {
        container("a", "(sv)") {
            for property in properties {
                container("r", "sv") {
                    append("s", property.name)
                    container("v", property.value.signature) { append(property.value) }
                }
            }
        }
    }

    /// Reads a number, or bytes: what limits are.
    func value(_ signature: String) -> UnitValue? {
        if signature == "ay" {
            var bytes: UnsafeRawPointer?
            var count = 0
            guard sd_bus_message_read_array(pointer, CChar(UInt8(ascii: "y")), &bytes, &count) >= 0 else { return nil }
            let list = UnsafeRawBufferPointer(start: bytes, count: count).map { UnitValue.byte($0) }
            return .array(signature: "y", list)
        }
        var number: UInt64 = 0
        guard signature == "t", sd_bus_message_read_basic(pointer, CChar(UInt8(ascii: "t")), &number) > 0 else {
            return nil
        }
        return .uint64(number)
    }
}
