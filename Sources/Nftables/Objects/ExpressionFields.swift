import CLinux
import CNftnl

/// Reads an expression of a rule that libnftnl has parsed. It must not outlive that rule.
@safe struct ExpressionFields {
    private let pointer: OpaquePointer

    private init(_ pointer: OpaquePointer) { unsafe self.pointer = unsafe pointer }

    /// What an expression says; one that says more than we have words for is known by its name.
    static func read(_ pointer: OpaquePointer) -> Expression {
        let name = unsafe lentText(nftnl_expr_get_str(pointer, UInt16(NFTNL_EXPR_NAME))) ?? ""
        let fields = unsafe ExpressionFields(pointer)
        return fields.load(name) ?? fields.test(name) ?? fields.act(name) ?? .other(fields.extended(name))
    }

    /// An extension of iptables has a name of its own: `target REJECT`, `match comment`.
    private func extended(_ name: String) -> String {
        let own = name == "target" ? string(NFTNL_EXPR_TG_NAME) : name == "match" ? string(NFTNL_EXPR_MT_NAME) : nil
        return own.map { "\(name) \($0)" } ?? name
    }

    private func load(_ name: String) -> Expression? {
        switch name {
        case "payload":
            guard let register = register(NFTNL_EXPR_PAYLOAD_DREG),
                let base = Expression.PayloadBase(code: number(NFTNL_EXPR_PAYLOAD_BASE))
            else { return nil }
            return .payload(
                base, offset: number(NFTNL_EXPR_PAYLOAD_OFFSET), length: number(NFTNL_EXPR_PAYLOAD_LEN), to: register)
        case "meta":
            let key = number(NFTNL_EXPR_META_KEY)
            return register(NFTNL_EXPR_META_DREG).map { .meta(key, to: $0) }
                ?? register(NFTNL_EXPR_META_SREG).map { .setMeta(key, from: $0) }
        case "ct":
            // With a direction it is another thing that is loaded.
            guard !has(NFTNL_EXPR_CT_DIR) else { return nil }
            let key = number(NFTNL_EXPR_CT_KEY)
            return register(NFTNL_EXPR_CT_DREG).map { .conntrack(key, to: $0) }
                ?? register(NFTNL_EXPR_CT_SREG).map { .setConntrack(key, from: $0) }
        case "fib":
            return register(NFTNL_EXPR_FIB_DREG).map {
                .fib(flags: number(NFTNL_EXPR_FIB_FLAGS), result: number(NFTNL_EXPR_FIB_RESULT), to: $0)
            }
        case "immediate":
            guard let register = register(NFTNL_EXPR_IMM_DREG) else { return nil }
            guard register == .verdict else { return .immediate(data(NFTNL_EXPR_IMM_DATA), to: register) }
            let code = Int32(bitPattern: number(NFTNL_EXPR_IMM_VERDICT))
            return Verdict(code: code, chain: string(NFTNL_EXPR_IMM_CHAIN)).map(Expression.verdict)
        default: return nil
        }
    }

    private func test(_ name: String) -> Expression? {
        switch name {
        case "cmp":
            guard let register = register(NFTNL_EXPR_CMP_SREG),
                let comparison = Expression.Comparison(code: number(NFTNL_EXPR_CMP_OP))
            else { return nil }
            return .compare(register, comparison, data(NFTNL_EXPR_CMP_DATA))
        case "range":
            return register(NFTNL_EXPR_RANGE_SREG).map {
                .range(
                    $0, inverted: number(NFTNL_EXPR_RANGE_OP) == NFT_RANGE_NEQ.rawValue,
                    data(NFTNL_EXPR_RANGE_FROM_DATA),
                    data(NFTNL_EXPR_RANGE_TO_DATA))
            }
        case "bitwise":
            guard number(NFTNL_EXPR_BITWISE_OP) == swn_nft_bitwise_bool,
                let register = register(NFTNL_EXPR_BITWISE_SREG),
                register == self.register(NFTNL_EXPR_BITWISE_DREG)
            else { return nil }
            return .bitwise(register, mask: data(NFTNL_EXPR_BITWISE_MASK), xor: data(NFTNL_EXPR_BITWISE_XOR))
        case "lookup":
            guard let key = register(NFTNL_EXPR_LOOKUP_SREG), let set = string(NFTNL_EXPR_LOOKUP_SET) else {
                return nil
            }
            return .lookup(
                set: set, key: key, to: register(NFTNL_EXPR_LOOKUP_DREG),
                inverted: number(NFTNL_EXPR_LOOKUP_FLAGS) & NFT_LOOKUP_F_INV.rawValue != 0)
        default: return nil
        }
    }

    private func act(_ name: String) -> Expression? {
        switch name {
        case "nat":
            let translation: Expression.Translation =
                number(NFTNL_EXPR_NAT_TYPE) == NFT_NAT_SNAT.rawValue ? .source : .destination
            return .nat(
                translation, Family(rawValue: UInt8(truncatingIfNeeded: number(NFTNL_EXPR_NAT_FAMILY))),
                address: register(NFTNL_EXPR_NAT_REG_ADDR_MIN), port: register(NFTNL_EXPR_NAT_REG_PROTO_MIN),
                flags: number(NFTNL_EXPR_NAT_FLAGS))
        case "masq": return .masquerade(flags: number(NFTNL_EXPR_MASQ_FLAGS))
        case "redir":
            return .redirect(port: register(NFTNL_EXPR_REDIR_REG_PROTO_MIN), flags: number(NFTNL_EXPR_REDIR_FLAGS))
        case "counter":
            return unsafe .counter(
                packets: nftnl_expr_get_u64(pointer, UInt16(NFTNL_EXPR_CTR_PACKETS)),
                bytes: nftnl_expr_get_u64(pointer, UInt16(NFTNL_EXPR_CTR_BYTES)))
        case "notrack": return .notrack
        case "reject":
            return unsafe .reject(
                type: number(NFTNL_EXPR_REJECT_TYPE), code: nftnl_expr_get_u8(pointer, UInt16(NFTNL_EXPR_REJECT_CODE)))
        case "log": return has(NFTNL_EXPR_LOG_GROUP) ? nil : .log(prefix: string(NFTNL_EXPR_LOG_PREFIX))
        default: return nil
        }
    }
}

extension ExpressionFields {
    private func has(_ attribute: Int) -> Bool { unsafe nftnl_expr_is_set(pointer, UInt16(attribute)) }

    /// 0 when it is absent.
    private func number(_ attribute: Int) -> UInt32 {
        unsafe has(attribute) ? nftnl_expr_get_u32(pointer, UInt16(attribute)) : 0
    }

    private func register(_ attribute: Int) -> Expression.Register? {
        unsafe has(attribute) ? Expression.Register(rawValue: nftnl_expr_get_u32(pointer, UInt16(attribute))) : nil
    }

    private func string(_ attribute: Int) -> String? {
        unsafe has(attribute) ? lentText(nftnl_expr_get_str(pointer, UInt16(attribute))) : nil
    }

    private func data(_ attribute: Int) -> [UInt8] {
        var length: UInt32 = 0
        return unsafe lentBytes(nftnl_expr_get(pointer, UInt16(attribute), &length), length)
    }
}
