import CLinux
import CNftnl
import Netlink
import SystemPackage

/// libnftnl's table; it is freed when its owner goes out of scope.
@safe struct TableObject: ~Copyable {
    private let pointer: OpaquePointer

    init() throws(NftablesError) { unsafe pointer = unsafe try allocated(nftnl_table_alloc()) }

    deinit { unsafe nftnl_table_free(pointer) }

    /// Only what names it, as a request to delete has it.
    init(naming table: Table.Reference) throws(NftablesError) {
        try self.init()
        unsafe nftnl_table_set_str(pointer, UInt16(NFTNL_TABLE_NAME.rawValue), table.name)
    }

    init(_ table: Table) throws(NftablesError) {
        try self.init(naming: table.reference)
        unsafe nftnl_table_set_u32(
            pointer, UInt16(NFTNL_TABLE_FLAGS.rawValue), table.isOwned ? NFT_TABLE_F_OWNER.rawValue : 0)
        guard let comment = table.comment else { return }
        var userData = UserData()
        userData.put(NFTNL_UDATA_TABLE_COMMENT.rawValue, comment)
        unsafe nftnl_table_set_data(
            pointer, UInt16(NFTNL_TABLE_USERDATA.rawValue), userData.bytes, UInt32(userData.bytes.count))
    }

    borrowing func write(to header: UnsafeMutablePointer<nlmsghdr>) {
        unsafe nftnl_table_nlmsg_build_payload(header, pointer)
    }

    /// Reads the kernel's description; nil when the message is none.
    static func read(_ message: NetlinkMessage) throws(NftablesError) -> Table? {
        let object = try TableObject()
        guard unsafe message.parse({ unsafe nftnl_table_nlmsg_parse($0, object.pointer) }) else { return nil }
        return object.value
    }

    private var value: Table? {
        guard let name = unsafe lentText(nftnl_table_get_str(pointer, UInt16(NFTNL_TABLE_NAME.rawValue))) else {
            return nil
        }
        let family = unsafe Family(
            rawValue: UInt8(truncatingIfNeeded: nftnl_table_get_u32(pointer, UInt16(NFTNL_TABLE_FAMILY.rawValue))))
        var length: UInt32 = 0
        let userData = unsafe UserData(
            lentBytes(nftnl_table_get_data(pointer, UInt16(NFTNL_TABLE_USERDATA.rawValue), &length), length))
        var table = unsafe Table(
            Table.Reference(family, name), comment: userData.text(NFTNL_UDATA_TABLE_COMMENT.rawValue),
            handle: nftnl_table_get_u64(pointer, UInt16(NFTNL_TABLE_HANDLE.rawValue)))
        let flags = unsafe nftnl_table_get_u32(pointer, UInt16(NFTNL_TABLE_FLAGS.rawValue))
        table.isOwned = flags & NFT_TABLE_F_OWNER.rawValue != 0
        table.isDormant = flags & NFT_TABLE_F_DORMANT.rawValue != 0
        return table
    }
}

// MARK: What every object of libnftnl needs

/// libnftnl returns null when there is no memory.
func allocated(_ pointer: OpaquePointer?) throws(NftablesError) -> OpaquePointer {
    guard let pointer = unsafe pointer else {
        throw NftablesError("allocate", "an object of libnftnl", errno: .noMemory)
    }
    return unsafe pointer
}

/// Copies a text that libnftnl lends.
func lentText(_ pointer: UnsafePointer<CChar>?) -> String? {
    unsafe pointer.map { unsafe String(cString: $0) }
}

/// Copies bytes that libnftnl lends; empty when it has none.
func lentBytes(_ pointer: UnsafeRawPointer?, _ length: UInt32) -> [UInt8] {
    guard let pointer = unsafe pointer else { return [] }
    return unsafe Array(UnsafeRawBufferPointer(start: pointer, count: Int(length)))
}

extension NetlinkMessage {
    /// Whether a parser of libnftnl, which gets the message's header and returns a negative number on failure, took it.
    func parse(_ parser: (UnsafePointer<nlmsghdr>) -> Int32) -> Bool {
        unsafe bytes.withUnsafeBytes { buffer in
            guard buffer.count >= MemoryLayout<nlmsghdr>.size,
                let header = unsafe buffer.baseAddress?.assumingMemoryBound(to: nlmsghdr.self)
            else { return false }
            return unsafe parser(header) >= 0
        }
    }
}
