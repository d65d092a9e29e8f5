/// A value of one of the types that D-Bus has (D-Bus Specification, "Type System"), as far as units' properties need it.
public enum UnitValue: Hashable, Sendable {
    case boolean(Bool)
    case byte(UInt8)
    case int16(Int16)
    case uint16(UInt16)
    case int32(Int32)
    case uint32(UInt32)
    case int64(Int64)
    case uint64(UInt64)
    case double(Double)
    case string(String)
    case objectPath(String)
    /// Elements of one type, which the signature names also where there are none.
    indirect case array(signature: String, [UnitValue])
    indirect case tuple([UnitValue])

    /// The type in D-Bus' letters: `t`, `as`, `a(ss)`.
    public var signature: String {
        switch self {
        case .boolean: "b"
        case .byte: "y"
        case .int16: "n"
        case .uint16: "q"
        case .int32: "i"
        case .uint32: "u"
        case .int64: "x"
        case .uint64: "t"
        case .double: "d"
        case .string: "s"
        case .objectPath: "o"
        case .array(let signature, _): "a\(signature)"
        case .tuple(let members): "(\(members.map(\.signature).joined()))"
        }
    }

    /// Names of slices, paths and so on.
    public static func strings(_ texts: [String]) -> UnitValue { .array(signature: "s", texts.map { .string($0) }) }
}

/// A property of a unit, by the name that systemd's bus has for it (org.freedesktop.systemd1(5)).
public struct UnitProperty: Hashable, Sendable {
    public var name: String
    public var value: UnitValue

    public init(_ name: String, _ value: UnitValue) {
        self.name = name
        self.value = value
    }
}
