import CLinux
import CNftnl
import Netlink

/// libnftnl's rule; it is freed with its expressions when its owner goes out of scope.
@safe struct RuleObject: ~Copyable {
    private let pointer: OpaquePointer

    init() throws(NftablesError) { unsafe pointer = unsafe try allocated(nftnl_rule_alloc()) }

    deinit { unsafe nftnl_rule_free(pointer) }

    /// Only what names it: a table, a chain of it, a rule of that. The kernel deletes all that is inside.
    init(in table: Table.Reference, chain: String?, handle: UInt64?) throws(NftablesError) {
        try self.init()
        unsafe nftnl_rule_set_str(pointer, UInt16(NFTNL_RULE_TABLE.rawValue), table.name)
        if let chain { unsafe nftnl_rule_set_str(pointer, UInt16(NFTNL_RULE_CHAIN.rawValue), chain) }
        if let handle { unsafe nftnl_rule_set_u64(pointer, UInt16(NFTNL_RULE_HANDLE.rawValue), handle) }
    }

    /// - Parameter position: The handle of the rule to stand behind, or before when inserting.
    static func whole(
        _ rule: Rule, _ expressions: [Expression], handle: UInt64? = nil, position: UInt64? = nil
    ) throws(NftablesError) -> RuleObject {
        let object = try RuleObject(in: rule.chain.table, chain: rule.chain.name, handle: handle)
        try object.fill(rule, expressions, position: position)
        return object
    }

    private borrowing func fill(
        _ rule: Rule, _ expressions: [Expression], position: UInt64?
    ) throws(NftablesError) {
        if let position { unsafe nftnl_rule_set_u64(pointer, UInt16(NFTNL_RULE_POSITION.rawValue), position) }
        for expression in expressions {
            let object = try ExpressionObject(expression)
            unsafe nftnl_rule_add_expr(pointer, object.release())
        }
        guard let comment = rule.comment else { return }
        var userData = UserData()
        userData.put(NFTNL_UDATA_RULE_COMMENT.rawValue, comment)
        unsafe nftnl_rule_set_data(
            pointer, UInt16(NFTNL_RULE_USERDATA.rawValue), userData.bytes, UInt32(userData.bytes.count))
    }

    borrowing func write(to header: UnsafeMutablePointer<nlmsghdr>) {
        unsafe nftnl_rule_nlmsg_build_payload(header, pointer)
    }

    /// Reads the kernel's description; nil when the message is none.
    static func read(_ message: NetlinkMessage) throws(NftablesError) -> Rule? {
        let object = try RuleObject()
        guard unsafe message.parse({ unsafe nftnl_rule_nlmsg_parse($0, object.pointer) }) else { return nil }
        return try object.value()
    }

    private func value() throws(NftablesError) -> Rule? {
        guard let table = string(NFTNL_RULE_TABLE), let chain = string(NFTNL_RULE_CHAIN) else { return nil }
        let family = unsafe Family(
            rawValue: UInt8(truncatingIfNeeded: nftnl_rule_get_u32(pointer, UInt16(NFTNL_RULE_FAMILY.rawValue))))
        var length: UInt32 = 0
        let userData = unsafe UserData(
            lentBytes(nftnl_rule_get_data(pointer, UInt16(NFTNL_RULE_USERDATA.rawValue), &length), length))
        return unsafe Rule(
            chain: Chain.Reference(chain, in: Table.Reference(family, table)),
            try expressions().map(Statement.expression),
            comment: userData.text(NFTNL_UDATA_RULE_COMMENT.rawValue),
            handle: nftnl_rule_get_u64(pointer, UInt16(NFTNL_RULE_HANDLE.rawValue)))
    }

    private func expressions() throws(NftablesError) -> [Expression] {
        let iterator = unsafe try allocated(nftnl_expr_iter_create(pointer))
        defer { unsafe nftnl_expr_iter_destroy(iterator) }
        var expressions: [Expression] = []
        while let expression = unsafe nftnl_expr_iter_next(iterator) {
            unsafe expressions.append(ExpressionFields.read(expression))
        }
        return expressions
    }

    private func string(_ attribute: nftnl_rule_attr) -> String? {
        unsafe lentText(nftnl_rule_get_str(pointer, UInt16(attribute.rawValue)))
    }
}
