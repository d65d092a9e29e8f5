import CLinux
import SystemPackage

/// One received message, whole.
public struct NetlinkMessage: Sendable {
    /// Header and payload as they came.
    public let bytes: ArraySlice<UInt8>
    /// What the message is: `RTM_NEWLINK`, `NLMSG_ERROR`, …
    public let type: Int
    /// `NLM_F_*`.
    public let flags: Int32
    /// The number of the request that it answers.
    public let sequence: UInt32

    static let headerLength = 16

    public var payload: ArraySlice<UInt8> { bytes.dropFirst(Self.headerLength) }

    /// The fixed part of the payload; nil when the payload is shorter than that.
    ///
    /// `Header` has to be a C struct of integers, for which every pattern of bits is a value.
    public func header<Header: BitwiseCopyable>(_ type: Header.Type = Header.self) -> Header? {
        payload.header()
    }

    /// The attributes after a fixed part of `Header`'s size.
    public func attributes<Header: BitwiseCopyable>(after type: Header.Type) -> Attributes {
        Attributes(payload.dropFirst((MemoryLayout<Header>.size + 3) & ~3))
    }

    /// Splits what one `recv` delivered; what is cut short at the end is left out.
    static func split(_ buffer: ArraySlice<UInt8>) -> [NetlinkMessage] {
        var messages: [NetlinkMessage] = []
        var rest = buffer
        while let length: UInt32 = rest.prefix(4).integer(), length >= headerLength, Int(length) <= rest.count,
            let type: UInt16 = rest.dropFirst(4).prefix(2).integer(),
            let flags: UInt16 = rest.dropFirst(6).prefix(2).integer(),
            let sequence: UInt32 = rest.dropFirst(8).prefix(4).integer()
        {
            messages.append(
                NetlinkMessage(
                    bytes: rest.prefix(Int(length)), type: Int(type), flags: Int32(flags), sequence: sequence))
            rest = rest.dropFirst((Int(length) + 3) & ~3)
        }
        return messages
    }
}

extension ArraySlice<UInt8> {
    /// A C struct of integers at the beginning of these bytes; nil when they are fewer.
    public func header<Header: BitwiseCopyable>(_ type: Header.Type = Header.self) -> Header? {
        guard count >= MemoryLayout<Header>.size else { return nil }
        return unsafe span.bytes.unsafeLoadUnaligned(as: Header.self)
    }
}

extension NetlinkMessage {
    /// What an `NLMSG_ERROR` or `NLMSG_DONE` says: nil for success, or the error without operation and object.
    ///
    /// Layout: a negative errno, and for `NLMSG_ERROR` the refused message's header (with all of it when the socket
    /// is not `NETLINK_CAP_ACK`); then, flagged by `NLM_F_ACK_TLVS`, attributes (Documentation/userspace-api/netlink).
    var failure: NetlinkError? {
        let payload = payload
        guard let code: Int32 = payload.prefix(4).integer() else {
            return NetlinkError("read acknowledgement", errno: .badMessage, hint: "the kernel's answer is cut short")
        }
        guard code != 0 else { return nil }
        var error = NetlinkError("", errno: Errno(rawValue: code == Int32.min ? EPROTO : abs(code)))
        guard flags & NLM_F_ACK_TLVS != 0 else { return error }
        var skipped = 4
        if type == Int(NLMSG_ERROR) {
            let echoed: UInt32 = payload.dropFirst(4).prefix(4).integer() ?? 0
            let whole = flags & NLM_F_CAPPED == 0
            skipped += whole ? Int(min(echoed, UInt32(payload.count)) + 3) & ~3 : Self.headerLength
        }
        for attribute in Attributes(payload.dropFirst(skipped)) {
            switch attribute.type {
            case Int(NLMSGERR_ATTR_MSG.rawValue): error.message = attribute.string
            case Int(NLMSGERR_ATTR_OFFS.rawValue): error.offset = attribute.u32
            case Int(NLMSGERR_ATTR_MISS_TYPE.rawValue): error.missingAttribute = attribute.u32
            default: break
            }
        }
        return error
    }
}
