import CLinux

/// One attribute of a received message.
///
/// Every accessor answers nil when the value has not the size that was asked for: nothing here trusts a length.
public struct Attribute: Sendable {
    /// The type, without the flag bits.
    public let type: Int
    /// The value, without header and padding.
    public let payload: ArraySlice<UInt8>

    public init(type: Int, payload: ArraySlice<UInt8>) {
        self.type = type
        self.payload = payload
    }

    public var u8: UInt8? { payload.count == 1 ? payload.first : nil }
    /// Integers are in the machine's byte order; where the kernel sends network order, ask `.bigEndian` of the value.
    public var u16: UInt16? { payload.integer() }
    public var u32: UInt32? { payload.integer() }
    public var u64: UInt64? { payload.integer() }
    public var i32: Int32? { payload.integer() }
    public var i64: Int64? { payload.integer() }
    /// One byte: whether it is not zero.
    public var bool: Bool? { u8.map { $0 != 0 } }

    /// The text up to the first zero byte; what is not UTF-8 is replaced.
    public var string: String { String(decoding: payload.prefix { $0 != 0 }, as: UTF8.self) }

    /// The attributes inside.
    public var nested: Attributes { Attributes(payload) }

    /// The attributes inside, after a fixed part of `count` bytes; none when the value is shorter than that.
    public func nested(after count: Int) -> Attributes { Attributes(payload.dropFirst(count)) }
}

/// A run of attributes.
///
/// Reading ends at the first that is cut short, shorter than its own header or longer than what is left, as the
/// kernel's `nla_ok` has it, so a hostile length costs the rest of the run and nothing else.
public struct Attributes: Sequence, Sendable {
    private let bytes: ArraySlice<UInt8>

    public init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }
    public init(_ bytes: [UInt8]) { self.bytes = bytes[...] }

    public struct Iterator: IteratorProtocol {
        fileprivate var rest: ArraySlice<UInt8>

        public mutating func next() -> Attribute? {
            guard let length: UInt16 = rest.prefix(2).integer(),
                let type: UInt16 = rest.dropFirst(2).prefix(2).integer(),
                length >= 4, Int(length) <= rest.count
            else { return nil }
            let payload = rest.dropFirst(4).prefix(Int(length) - 4)
            // The last attribute of a message need not be padded.
            rest = rest.dropFirst((Int(length) + 3) & ~3)
            return Attribute(type: Int(type) & Int(NLA_TYPE_MASK_BITS), payload: payload)
        }
    }

    public func makeIterator() -> Iterator { Iterator(rest: bytes) }

    /// The first attribute of a type.
    public subscript(type: Int) -> Attribute? { first { $0.type == type } }

    public func bool(_ type: Int) -> Bool? { self[type]?.bool }
    public func u8(_ type: Int) -> UInt8? { self[type]?.u8 }
    public func u16(_ type: Int) -> UInt16? { self[type]?.u16 }
    public func u32(_ type: Int) -> UInt32? { self[type]?.u32 }
    public func u64(_ type: Int) -> UInt64? { self[type]?.u64 }
    public func string(_ type: Int) -> String? { self[type]?.string }
    public func bytes(_ type: Int) -> [UInt8]? { self[type].map { Array($0.payload) } }
    /// The attributes inside one; none when it is absent.
    public func nested(_ type: Int) -> Attributes { self[type]?.nested ?? Attributes([]) }
}

/// `NLA_TYPE_MASK`, a macro that Swift does not import: everything but `NLA_F_NESTED` and `NLA_F_NET_BYTEORDER`.
private let NLA_TYPE_MASK_BITS = ~(NLA_F_NESTED | NLA_F_NET_BYTEORDER)

extension ArraySlice<UInt8> {
    /// The bytes as one integer of exactly their size, in the machine's byte order.
    func integer<Value: FixedWidthInteger & BitwiseCopyable>() -> Value? {
        guard count == MemoryLayout<Value>.size else { return nil }
        return unsafe span.bytes.unsafeLoadUnaligned(as: Value.self)
    }
}
