import CLinux
public import SystemPackage

/// One netlink message in the making: a header, a fixed part, and attributes that nest.
///
/// No caller computes a length. What cannot be said in a message (an attribute of more than 65,535 bytes, a text with
/// a zero byte in it) is remembered here and refused when the message is sent: a length that wrapped round would let
/// the rest of the value be read as attributes of its own (CVE-2021-43784).
public struct MessageBuilder: Sendable {
    /// The most bytes of an attribute, its four bytes of header included: the length is a 16-bit number.
    public static let maximumAttributeLength = Int(UInt16.max)

    private var storage: [UInt8]
    private var refusal: Refusal?

    private struct Refusal {
        var errno: Errno
        var reason: String
    }

    /// Begins a message of a type (`RTM_NEWLINK`). `NLM_F_REQUEST` is always set; `flags` are the others.
    public init(type: Int, flags: Int32 = 0) {
        storage = []
        storage.reserveCapacity(256)
        append(UInt32(0))
        append(UInt16(truncatingIfNeeded: type))
        append(UInt16(truncatingIfNeeded: flags | NLM_F_REQUEST))
        append(UInt32(0))  // sequence number
        append(UInt32(0))  // port: the kernel knows ours
    }

    /// Appends a fixed part, `struct ifinfomsg` and the like, padded to four bytes.
    public mutating func put<Header: BitwiseCopyable>(header: Header) {
        unsafe withUnsafeBytes(of: header) { unsafe storage.append(contentsOf: $0) }
        pad()
    }

    /// Appends one byte, 0 or 1.
    public mutating func put(_ attribute: Int, _ value: Bool) { putInteger(attribute, UInt8(value ? 1 : 0)) }
    public mutating func put(_ attribute: Int, _ value: UInt8) { putInteger(attribute, value) }
    public mutating func put(_ attribute: Int, _ value: UInt16) { putInteger(attribute, value) }
    public mutating func put(_ attribute: Int, _ value: UInt32) { putInteger(attribute, value) }
    public mutating func put(_ attribute: Int, _ value: UInt64) { putInteger(attribute, value) }
    public mutating func put(_ attribute: Int, _ value: Int32) { putInteger(attribute, value) }
    public mutating func put(_ attribute: Int, _ value: Int64) { putInteger(attribute, value) }

    /// Appends bytes as they are.
    public mutating func put(_ attribute: Int, _ value: [UInt8]) {
        attributeBody(type: attribute) { $0.append(contentsOf: value) }
    }

    /// Appends a text with the zero that ends it in C.
    public mutating func put(_ attribute: Int, _ value: String) {
        if value.utf8.contains(0) {
            refuse(.invalidArgument, "the text of attribute \(attribute) has a zero byte in it")
        }
        attributeBody(type: attribute) { bytes in
            bytes.append(contentsOf: value.utf8)
            bytes.append(0)
        }
    }

    /// Appends an attribute whose value is a C struct of integers.
    public mutating func put<Value: BitwiseCopyable>(_ attribute: Int, structure: Value) {
        let bytes = unsafe withUnsafeBytes(of: structure) { unsafe Array($0) }
        attributeBody(type: attribute) { $0.append(contentsOf: bytes) }
    }

    /// Appends an attribute whose presence is its value.
    public mutating func put(flag attribute: Int) { attributeBody(type: attribute) { _ in } }

    /// Appends an attribute whose value is whatever `body` appends: attributes, or a fixed part and attributes.
    public mutating func nest<Failure: Error>(
        _ attribute: Int, _ body: (inout MessageBuilder) throws(Failure) -> Void
    ) throws(Failure) {
        let start = storage.count
        append(UInt16(0))
        append(UInt16(truncatingIfNeeded: attribute) | UInt16(NLA_F_NESTED))
        try body(&self)
        close(attribute, from: start)
    }

    /// Makes sending fail with this reason: for what a caller asks and a message cannot say. The first reason stays.
    public mutating func refuse(_ errno: Errno, _ reason: String) {
        if refusal == nil { refusal = Refusal(errno: errno, reason: reason) }
    }

    /// The finished message under a sequence number.
    ///
    /// - Throws: `NetlinkError` when something was put in that a message cannot hold.
    public func finished(sequence: UInt32, extraFlags: Int32 = 0) throws(NetlinkError) -> [UInt8] {
        if let refusal {
            throw NetlinkError("build netlink message", errno: refusal.errno, hint: refusal.reason)
        }
        var bytes = storage
        bytes.overwrite(at: 0, with: UInt32(bytes.count))
        let flags = UInt16(bytes[6]) | UInt16(bytes[7]) << 8
        bytes.overwrite(at: 6, with: UInt16(littleEndian: flags) | UInt16(truncatingIfNeeded: extraFlags))
        bytes.overwrite(at: 8, with: sequence)
        return bytes
    }
}

extension MessageBuilder {
    private mutating func append(_ value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value) { unsafe storage.append(contentsOf: $0) }
    }

    private mutating func putInteger(_ attribute: Int, _ value: some FixedWidthInteger) {
        append(UInt16(4 + value.bitWidth / 8))
        append(UInt16(truncatingIfNeeded: attribute))
        append(value)
        pad()
    }

    private mutating func attributeBody(type: Int, _ body: (inout [UInt8]) -> Void) {
        let start = storage.count
        append(UInt16(0))
        append(UInt16(truncatingIfNeeded: type))
        body(&storage)
        close(type, from: start)
    }

    private mutating func close(_ attribute: Int, from start: Int) {
        let length = storage.count - start
        if let length = UInt16(exactly: length) {
            storage.overwrite(at: start, with: length)
        } else {
            refuse(
                .messageTooLong,
                "attribute \(attribute) has \(length) bytes, an attribute holds \(Self.maximumAttributeLength)")
        }
        pad()
    }

    private mutating func pad() {
        while storage.count % 4 != 0 { storage.append(0) }
    }
}

extension [UInt8] {
    fileprivate mutating func overwrite(at offset: Int, with value: some FixedWidthInteger) {
        unsafe Swift.withUnsafeBytes(of: value) { unsafe replaceSubrange(offset..<offset + $0.count, with: $0) }
    }
}
