import CLinux
import CNftnl

/// libnftnl's expression; it is freed when its owner goes out of scope, unless a rule has taken it over.
@safe struct ExpressionObject: ~Copyable {
    private let pointer: OpaquePointer

    private init(named name: String) throws(NftablesError) {
        unsafe pointer = unsafe try allocated(nftnl_expr_alloc(name))
    }

    deinit { unsafe nftnl_expr_free(pointer) }

    /// Gives the object up to `nftnl_rule_add_expr`, which frees it with the rule.
    consuming func release() -> OpaquePointer {
        let own = unsafe pointer
        discard self
        return unsafe own
    }

    init(_ expression: Expression) throws(NftablesError) {
        try self.init(named: expression.name)
        switch expression {
        case .payload(let base, let offset, let length, let register):
            set(NFTNL_EXPR_PAYLOAD_BASE, base.code)
            set(NFTNL_EXPR_PAYLOAD_OFFSET, offset)
            set(NFTNL_EXPR_PAYLOAD_LEN, length)
            set(NFTNL_EXPR_PAYLOAD_DREG, register)
        case .meta(let key, let register):
            set(NFTNL_EXPR_META_KEY, key)
            set(NFTNL_EXPR_META_DREG, register)
        case .setMeta(let key, let register):
            set(NFTNL_EXPR_META_KEY, key)
            set(NFTNL_EXPR_META_SREG, register)
        case .conntrack(let key, let register):
            set(NFTNL_EXPR_CT_KEY, key)
            set(NFTNL_EXPR_CT_DREG, register)
        case .setConntrack(let key, let register):
            set(NFTNL_EXPR_CT_KEY, key)
            set(NFTNL_EXPR_CT_SREG, register)
        case .fib(let flags, let result, let register):
            set(NFTNL_EXPR_FIB_FLAGS, flags)
            set(NFTNL_EXPR_FIB_RESULT, result)
            set(NFTNL_EXPR_FIB_DREG, register)
        case .compare(let register, let comparison, let bytes):
            set(NFTNL_EXPR_CMP_SREG, register)
            set(NFTNL_EXPR_CMP_OP, comparison.code)
            set(NFTNL_EXPR_CMP_DATA, bytes)
        case .range(let register, let inverted, let first, let last):
            set(NFTNL_EXPR_RANGE_SREG, register)
            set(NFTNL_EXPR_RANGE_OP, inverted ? NFT_RANGE_NEQ.rawValue : NFT_RANGE_EQ.rawValue)
            set(NFTNL_EXPR_RANGE_FROM_DATA, first)
            set(NFTNL_EXPR_RANGE_TO_DATA, last)
        case .bitwise(let register, let mask, let xor):
            set(NFTNL_EXPR_BITWISE_SREG, register)
            set(NFTNL_EXPR_BITWISE_DREG, register)
            set(NFTNL_EXPR_BITWISE_OP, swn_nft_bitwise_bool)
            set(NFTNL_EXPR_BITWISE_LEN, UInt32(mask.count))
            set(NFTNL_EXPR_BITWISE_MASK, mask)
            set(NFTNL_EXPR_BITWISE_XOR, xor)
        case .lookup(let name, let key, let register, let inverted):
            set(NFTNL_EXPR_LOOKUP_SET, name)
            set(NFTNL_EXPR_LOOKUP_SREG, key)
            if let register { set(NFTNL_EXPR_LOOKUP_DREG, register) }
            if inverted { set(NFTNL_EXPR_LOOKUP_FLAGS, NFT_LOOKUP_F_INV.rawValue) }
        case .immediate(let bytes, let register):
            set(NFTNL_EXPR_IMM_DREG, register)
            set(NFTNL_EXPR_IMM_DATA, bytes)
        case .verdict(let verdict):
            set(NFTNL_EXPR_IMM_DREG, Expression.Register.verdict)
            set(NFTNL_EXPR_IMM_VERDICT, UInt32(bitPattern: verdict.code))
            if let chain = verdict.chain { set(NFTNL_EXPR_IMM_CHAIN, chain) }
        default:
            setAction(expression)
        }
    }

    private func setAction(_ expression: Expression) {
        switch expression {
        case .nat(let translation, let family, let address, let port, let flags):
            set(NFTNL_EXPR_NAT_TYPE, translation == .source ? NFT_NAT_SNAT.rawValue : NFT_NAT_DNAT.rawValue)
            set(NFTNL_EXPR_NAT_FAMILY, UInt32(family.rawValue))
            if let address { set(NFTNL_EXPR_NAT_REG_ADDR_MIN, address) }
            if let port { set(NFTNL_EXPR_NAT_REG_PROTO_MIN, port) }
            if flags != 0 { set(NFTNL_EXPR_NAT_FLAGS, flags) }
        case .masquerade(let flags):
            if flags != 0 { set(NFTNL_EXPR_MASQ_FLAGS, flags) }
        case .redirect(let port, let flags):
            if let port { set(NFTNL_EXPR_REDIR_REG_PROTO_MIN, port) }
            if flags != 0 { set(NFTNL_EXPR_REDIR_FLAGS, flags) }
        case .counter(let packets, let bytes):
            unsafe nftnl_expr_set_u64(pointer, UInt16(NFTNL_EXPR_CTR_PACKETS), packets)
            unsafe nftnl_expr_set_u64(pointer, UInt16(NFTNL_EXPR_CTR_BYTES), bytes)
        case .reject(let type, let code):
            set(NFTNL_EXPR_REJECT_TYPE, type)
            unsafe nftnl_expr_set_u8(pointer, UInt16(NFTNL_EXPR_REJECT_CODE), code)
        case .log(let prefix):
            if let prefix { set(NFTNL_EXPR_LOG_PREFIX, prefix) }
        default: break  // `notrack` has nothing to say, and of `other` only the name is known
        }
    }

    private func set(_ attribute: Int, _ number: UInt32) {
        unsafe nftnl_expr_set_u32(pointer, UInt16(attribute), number)
    }

    private func set(_ attribute: Int, _ register: Expression.Register) {
        unsafe nftnl_expr_set_u32(pointer, UInt16(attribute), register.rawValue)
    }

    private func set(_ attribute: Int, _ bytes: [UInt8]) {
        unsafe nftnl_expr_set(pointer, UInt16(attribute), bytes, UInt32(bytes.count))
    }

    private func set(_ attribute: Int, _ text: String) {
        unsafe nftnl_expr_set_str(pointer, UInt16(attribute), text)
    }
}

extension Expression {
    /// The name by which the kernel loads the expression's code.
    var name: String {
        switch self {
        case .payload: "payload"
        case .meta, .setMeta: "meta"
        case .conntrack, .setConntrack: "ct"
        case .fib: "fib"
        case .compare: "cmp"
        case .range: "range"
        case .bitwise: "bitwise"
        case .lookup: "lookup"
        case .immediate, .verdict: "immediate"
        case .nat: "nat"
        case .masquerade: "masq"
        case .redirect: "redir"
        case .counter: "counter"
        case .notrack: "notrack"
        case .reject: "reject"
        case .log: "log"
        case .other(let name): name
        }
    }
}

extension Expression.PayloadBase {
    var code: UInt32 {
        switch self {
        case .link: NFT_PAYLOAD_LL_HEADER.rawValue
        case .network: NFT_PAYLOAD_NETWORK_HEADER.rawValue
        case .transport: NFT_PAYLOAD_TRANSPORT_HEADER.rawValue
        }
    }

    init?(code: UInt32) {
        guard let base = [.link, .network, .transport].first(where: { (base: Self) in base.code == code }) else {
            return nil
        }
        self = base
    }
}

extension Expression.Comparison {
    var code: UInt32 {
        switch self {
        case .equal: NFT_CMP_EQ.rawValue
        case .notEqual: NFT_CMP_NEQ.rawValue
        case .less: NFT_CMP_LT.rawValue
        case .lessOrEqual: NFT_CMP_LTE.rawValue
        case .greater: NFT_CMP_GT.rawValue
        case .greaterOrEqual: NFT_CMP_GTE.rawValue
        }
    }

    init?(code: UInt32) {
        let all: [Self] = [.equal, .notEqual, .less, .lessOrEqual, .greater, .greaterOrEqual]
        guard let comparison = all.first(where: { $0.code == code }) else { return nil }
        self = comparison
    }
}
