public import Addressing
import CLinux
import Netlink
import SystemPackage

extension NewLink {
    /// The settings of a bridge; in a request, what is nil is as the kernel has it. Times are hundredths of a second.
    ///
    /// Source: `br_changelink`, net/bridge/br_netlink.c. Equivalent to `ip link add $name type bridge …`.
    public struct Bridge: Hashable, Sendable {
        /// Spanning tree protocol; off by default.
        public var stp: Bool?
        public var forwardDelay: UInt32?
        public var ageingTime: UInt32?
        public var multicastSnooping: Bool?
        public var vlanFiltering: Bool?
        public var helloTime: UInt32?
        public var maxAge: UInt32?
        /// The lower becomes the root of the spanning tree; 32768 by default.
        public var priority: UInt16?
        /// The bridge itself asks who listens to which group.
        public var multicastQuerier: Bool?
        /// Who asks now which groups of IPv6 somebody listens to; never in a request (Linux 5.16).
        public internal(set) var multicastQuerierIPv6: IPAddress?
        /// The VLAN of untagged frames, with VLAN filtering; 1 by default, 0 is none.
        public var defaultVLAN: UInt16?
        /// Link-local groups (01:80:c2:00:00:0X) that are forwarded: a bit for each X.
        public var groupForwardMask: UInt16?
        /// Frames between ports pass through iptables, whatever `net.bridge.bridge-nf-call-iptables` says.
        public var callsIPTables: Bool?
        /// The same for ip6tables.
        public var callsIP6Tables: Bool?

        public init(
            stp: Bool? = nil, forwardDelay: UInt32? = nil, ageingTime: UInt32? = nil, multicastSnooping: Bool? = nil,
            vlanFiltering: Bool? = nil, helloTime: UInt32? = nil, maxAge: UInt32? = nil, priority: UInt16? = nil,
            multicastQuerier: Bool? = nil, defaultVLAN: UInt16? = nil, groupForwardMask: UInt16? = nil,
            callsIPTables: Bool? = nil, callsIP6Tables: Bool? = nil
        ) {
            self.stp = stp
            self.forwardDelay = forwardDelay
            self.ageingTime = ageingTime
            self.multicastSnooping = multicastSnooping
            self.vlanFiltering = vlanFiltering
            self.helloTime = helloTime
            self.maxAge = maxAge
            self.priority = priority
            self.multicastQuerier = multicastQuerier
            self.defaultVLAN = defaultVLAN
            self.groupForwardMask = groupForwardMask
            self.callsIPTables = callsIPTables
            self.callsIP6Tables = callsIP6Tables
        }
    }
}

extension NewLink.Bridge {
    func put(in message: inout MessageBuilder) {
        message.put(IFLA_BR_STP_STATE, optional: stp.map { UInt32($0 ? 1 : 0) })
        message.put(IFLA_BR_FORWARD_DELAY, optional: forwardDelay)
        message.put(IFLA_BR_AGEING_TIME, optional: ageingTime)
        message.put(IFLA_BR_MCAST_SNOOPING, optional: multicastSnooping)
        message.put(IFLA_BR_VLAN_FILTERING, optional: vlanFiltering)
        message.put(IFLA_BR_HELLO_TIME, optional: helloTime)
        message.put(IFLA_BR_MAX_AGE, optional: maxAge)
        message.put(IFLA_BR_PRIORITY, optional: priority)
        message.put(IFLA_BR_MCAST_QUERIER, optional: multicastQuerier)
        if let defaultVLAN, defaultVLAN > NewLink.VLAN.identifiers.upperBound {
            message.refuse(.invalidArgument, "default VLAN \(defaultVLAN) is not in 0-4094")
        }
        message.put(IFLA_BR_VLAN_DEFAULT_PVID, optional: defaultVLAN)
        message.put(IFLA_BR_GROUP_FWD_MASK, optional: groupForwardMask)
        message.put(IFLA_BR_NF_CALL_IPTABLES, optional: callsIPTables)
        message.put(IFLA_BR_NF_CALL_IP6TABLES, optional: callsIP6Tables)
    }

    init(_ attributes: Attributes) {
        self.init(
            stp: attributes.u32(IFLA_BR_STP_STATE).map { $0 != 0 },
            forwardDelay: attributes.u32(IFLA_BR_FORWARD_DELAY), ageingTime: attributes.u32(IFLA_BR_AGEING_TIME),
            multicastSnooping: attributes.bool(IFLA_BR_MCAST_SNOOPING),
            vlanFiltering: attributes.bool(IFLA_BR_VLAN_FILTERING), helloTime: attributes.u32(IFLA_BR_HELLO_TIME),
            maxAge: attributes.u32(IFLA_BR_MAX_AGE), priority: attributes.u16(IFLA_BR_PRIORITY),
            multicastQuerier: attributes.bool(IFLA_BR_MCAST_QUERIER),
            defaultVLAN: attributes.u16(IFLA_BR_VLAN_DEFAULT_PVID),
            groupForwardMask: attributes.u16(IFLA_BR_GROUP_FWD_MASK),
            callsIPTables: attributes.bool(IFLA_BR_NF_CALL_IPTABLES),
            callsIP6Tables: attributes.bool(IFLA_BR_NF_CALL_IP6TABLES))
        multicastQuerierIPv6 = attributes.nested(IFLA_BR_MCAST_QUERIER_STATE)[Int(BRIDGE_QUERIER_IPV6_ADDRESS)]
            .flatMap { IPAddress(bytes: $0.payload) }
    }
}
