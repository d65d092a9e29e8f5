import CLinux
import CNftnl
import Netlink

/// libnftnl's chain; it is freed when its owner goes out of scope.
@safe struct ChainObject: ~Copyable {
    private let pointer: OpaquePointer

    init() throws(NftablesError) { unsafe pointer = unsafe try allocated(nftnl_chain_alloc()) }

    deinit { unsafe nftnl_chain_free(pointer) }

    /// Only what names it, as a request to delete has it.
    init(naming chain: Chain.Reference) throws(NftablesError) {
        try self.init()
        unsafe nftnl_chain_set_str(pointer, UInt16(NFTNL_CHAIN_TABLE.rawValue), chain.table.name)
        unsafe nftnl_chain_set_str(pointer, UInt16(NFTNL_CHAIN_NAME.rawValue), chain.name)
    }

    init(_ chain: Chain) throws(NftablesError) {
        try self.init(naming: chain.reference)
        if let base = chain.base {
            unsafe nftnl_chain_set_str(pointer, UInt16(NFTNL_CHAIN_TYPE.rawValue), base.type.rawValue)
            unsafe nftnl_chain_set_u32(pointer, UInt16(NFTNL_CHAIN_HOOKNUM.rawValue), base.hook.rawValue)
            unsafe nftnl_chain_set_s32(pointer, UInt16(NFTNL_CHAIN_PRIO.rawValue), base.priority.rawValue)
            let policy = base.policy == .accept ? NF_ACCEPT : NF_DROP
            unsafe nftnl_chain_set_u32(pointer, UInt16(NFTNL_CHAIN_POLICY.rawValue), UInt32(policy))
        }
        guard let comment = chain.comment else { return }
        var userData = UserData()
        userData.put(NFTNL_UDATA_CHAIN_COMMENT.rawValue, comment)
        unsafe nftnl_chain_set_data(
            pointer, UInt16(NFTNL_CHAIN_USERDATA.rawValue), userData.bytes, UInt32(userData.bytes.count))
    }

    borrowing func write(to header: UnsafeMutablePointer<nlmsghdr>) {
        unsafe nftnl_chain_nlmsg_build_payload(header, pointer)
    }

    /// Reads the kernel's description; nil when the message is none.
    static func read(_ message: NetlinkMessage) throws(NftablesError) -> Chain? {
        let object = try ChainObject()
        guard unsafe message.parse({ unsafe nftnl_chain_nlmsg_parse($0, object.pointer) }) else { return nil }
        return object.value
    }

    private var value: Chain? {
        guard let name = string(NFTNL_CHAIN_NAME), let table = string(NFTNL_CHAIN_TABLE) else { return nil }
        let family = Family(rawValue: UInt8(truncatingIfNeeded: number(NFTNL_CHAIN_FAMILY)))
        var base: Chain.Base?
        if has(NFTNL_CHAIN_HOOKNUM), let type = string(NFTNL_CHAIN_TYPE).flatMap(Chain.Kind.init(rawValue:)) {
            base = unsafe Chain.Base(
                type, hook: Chain.Hook(rawValue: number(NFTNL_CHAIN_HOOKNUM)),
                priority: Chain.Priority(
                    rawValue: nftnl_chain_get_s32(pointer, UInt16(NFTNL_CHAIN_PRIO.rawValue))),
                policy: number(NFTNL_CHAIN_POLICY) == UInt32(NF_DROP) ? .drop : .accept, devices: devices)
        }
        var length: UInt32 = 0
        let userData = unsafe UserData(
            lentBytes(nftnl_chain_get_data(pointer, UInt16(NFTNL_CHAIN_USERDATA.rawValue), &length), length))
        return unsafe Chain(
            Chain.Reference(name, in: Table.Reference(family, table)), base: base,
            comment: userData.text(NFTNL_UDATA_CHAIN_COMMENT.rawValue),
            handle: nftnl_chain_get_u64(pointer, UInt16(NFTNL_CHAIN_HANDLE.rawValue)))
    }

    /// The kernel lists them all, and a single one in an attribute of its own, too (`nft_dump_basechain_hook`).
    private var devices: [String] {
        guard has(NFTNL_CHAIN_DEVICES) else { return [] }
        let attribute = UInt16(NFTNL_CHAIN_DEVICES.rawValue)
        guard var next = unsafe nftnl_chain_get(pointer, attribute)?.assumingMemoryBound(to: UnsafePointer<CChar>?.self)
        else { return [] }
        var names: [String] = []
        while let name = unsafe lentText(next.pointee) {
            names.append(name)
            unsafe next += 1
        }
        return names
    }

    private func has(_ attribute: nftnl_chain_attr) -> Bool {
        unsafe nftnl_chain_is_set(pointer, UInt16(attribute.rawValue))
    }

    private func number(_ attribute: nftnl_chain_attr) -> UInt32 {
        unsafe nftnl_chain_get_u32(pointer, UInt16(attribute.rawValue))
    }

    private func string(_ attribute: nftnl_chain_attr) -> String? {
        unsafe lentText(nftnl_chain_get_str(pointer, UInt16(attribute.rawValue)))
    }
}
