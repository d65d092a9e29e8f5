import Addressing
import CLinux
import Netlink
import SystemPackage

extension RoutingRule {
    /// Reads an `RTM_NEWRULE` or `RTM_DELRULE`; nil when its lengths do not fit its family.
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWRULE, RTM_DELRULE].contains(message.type), let header = message.header(fib_rule_hdr.self),
            let family = IPFamily(number: header.family)
        else { return nil }
        let attributes = message.attributes(after: fib_rule_hdr.self)
        self.init(
            family, Self.action(header, attributes), priority: attributes.u32(FRA_PRIORITY) ?? 0,
            inputLink: attributes.string(FRA_IIFNAME), outputLink: attributes.string(FRA_OIFNAME),
            mark: attributes.u32(FRA_FWMARK), markMask: attributes.u32(FRA_FWMASK),
            protocol: attributes.u8(FRA_IP_PROTO), sourcePorts: Self.ports(attributes[FRA_SPORT_RANGE]),
            destinationPorts: Self.ports(attributes[FRA_DPORT_RANGE]),
            isInverted: header.flags & UInt32(FIB_RULE_INVERT) != 0,
            suppressPrefixLength: attributes.u32(FRA_SUPPRESS_PREFIXLEN).flatMap { $0 == .max ? nil : $0 },
            originator: attributes.u8(FRA_PROTOCOL) ?? 0)
        if markMask == .max { markMask = nil }
        if header.src_len > 0 {
            guard let prefix = Self.prefix(attributes[FRA_SRC], header.src_len), prefix.family == family else {
                return nil
            }
            source = prefix
        }
        if header.dst_len > 0 {
            guard let prefix = Self.prefix(attributes[FRA_DST], header.dst_len), prefix.family == family else {
                return nil
            }
            destination = prefix
        }
    }

    private static func prefix(_ attribute: Attribute?, _ length: UInt8) -> IPPrefix? {
        attribute.flatMap { IPAddress(bytes: $0.payload) }.flatMap { IPPrefix(address: $0, length: Int(length)) }
    }

    private static func ports(_ attribute: Attribute?) -> ClosedRange<UInt16>? {
        guard let range = attribute?.payload.header(fib_rule_port_range.self), range.start <= range.end else {
            return nil
        }
        return range.start...range.end
    }

    private static func action(_ header: fib_rule_hdr, _ attributes: Attributes) -> Action {
        switch Int(header.action) {
        case FR_ACT_TO_TBL: .table(attributes.u32(FRA_TABLE) ?? UInt32(header.table))
        case FR_ACT_BLACKHOLE: .blackhole
        case FR_ACT_UNREACHABLE: .unreachable
        case FR_ACT_PROHIBIT: .prohibit
        case FR_ACT_GOTO: .goto(attributes.u32(FRA_GOTO) ?? 0)
        default: .other(header.action)
        }
    }

    /// The message that adds this rule, or deletes the first that agrees with what is set here.
    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = fib_rule_hdr()
        header.family = family.number
        header.src_len = UInt8(source?.length ?? 0)
        header.dst_len = UInt8(destination?.length ?? 0)
        header.flags = isInverted ? UInt32(FIB_RULE_INVERT) : 0
        header.action = actionNumber
        var message = MessageBuilder(type: type, flags: flags)
        refuseNonsense(in: &message)
        message.put(header: header)
        switch action {
        case .table(let table): message.put(FRA_TABLE, table)
        case .goto(let target): message.put(FRA_GOTO, target)
        default: break
        }
        message.put(FRA_PRIORITY, optional: priority)
        if let source, source.length > 0 { message.put(FRA_SRC, source.address.bytes) }
        if let destination, destination.length > 0 { message.put(FRA_DST, destination.address.bytes) }
        if let inputLink { message.put(FRA_IIFNAME, inputLink) }
        if let outputLink { message.put(FRA_OIFNAME, outputLink) }
        message.put(FRA_FWMARK, optional: mark)
        message.put(FRA_FWMASK, optional: markMask)
        message.put(FRA_IP_PROTO, optional: self.protocol)
        for (attribute, ports) in [(FRA_SPORT_RANGE, sourcePorts), (FRA_DPORT_RANGE, destinationPorts)] {
            guard let ports else { continue }
            let range = fib_rule_port_range(start: ports.lowerBound, end: ports.upperBound)
            message.put(attribute, structure: range)
        }
        message.put(FRA_SUPPRESS_PREFIXLEN, optional: suppressPrefixLength)
        // A deletion compares it only when it is there.
        if type == RTM_NEWRULE { message.put(FRA_PROTOCOL, originator) }
        return message
    }

    private var actionNumber: UInt8 {
        switch action {
        case .table: UInt8(FR_ACT_TO_TBL)
        case .blackhole: UInt8(FR_ACT_BLACKHOLE)
        case .unreachable: UInt8(FR_ACT_UNREACHABLE)
        case .prohibit: UInt8(FR_ACT_PROHIBIT)
        case .goto: UInt8(FR_ACT_GOTO)
        case .other(let number): number
        }
    }

    private func refuseNonsense(in message: inout MessageBuilder) {
        for prefix in [source, destination].compactMap({ $0 }) where prefix.family != family {
            message.refuse(.invalidArgument, "\(prefix) is not \(family == .v4 ? "IPv4" : "IPv6")")
        }
        if case .table(0) = action { message.refuse(.invalidArgument, "0 is no routing table") }
        if markMask != nil, mark == nil { message.refuse(.invalidArgument, "a mask needs a mark") }
    }
}
