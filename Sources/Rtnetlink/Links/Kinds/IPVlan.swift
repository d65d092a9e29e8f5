import CLinux
import Netlink

extension NewLink {
    /// The settings of an ipvlan: a link that shares its parent's hardware address and is told apart by IP addresses.
    ///
    /// All ipvlans of one parent have the mode and isolation of the last that set them.
    /// Source: drivers/net/ipvlan. Equivalent to `ip link add link $parent name $name type ipvlan mode $mode $isolation`.
    public struct IPVlan: Hashable, Sendable {
        /// Where packets between the ipvlans and the world are handled.
        public enum Mode: String, CaseIterable, Hashable, Sendable {
            /// In the link's namespace up to the wire: broadcast and multicast work.
            case l2
            /// In the parent's namespace from the routing decision on: no broadcast, no multicast.
            case l3
            /// As `l3`, and what comes in passes the parent's netfilter hooks too.
            case l3s

            var number: UInt16 {
                switch self {
                case .l2: UInt16(IPVLAN_MODE_L2.rawValue)
                case .l3: UInt16(IPVLAN_MODE_L3.rawValue)
                case .l3s: UInt16(IPVLAN_MODE_L3S.rawValue)
                }
            }
        }

        /// What passes between the ipvlans of one parent.
        public enum Isolation: String, CaseIterable, Hashable, Sendable {
            /// Everything, directly.
            case bridge
            /// Nothing.
            case `private`
            /// What the switch outside sends back.
            case vepa

            var number: UInt16 {
                switch self {
                case .bridge: 0
                case .private: UInt16(IPVLAN_F_PRIVATE)
                case .vepa: UInt16(IPVLAN_F_VEPA)
                }
            }
        }

        public var mode: Mode
        public var isolation: Isolation

        public init(mode: Mode, isolation: Isolation = .bridge) {
            self.mode = mode
            self.isolation = isolation
        }
    }
}

extension NewLink.IPVlan {
    func put(in message: inout MessageBuilder) {
        message.put(IFLA_IPVLAN_MODE, mode.number)
        message.put(IFLA_IPVLAN_FLAGS, isolation.number)
    }

    init?(_ attributes: Attributes) {
        let modeNumber = attributes.u16(IFLA_IPVLAN_MODE)
        let flags = attributes.u16(IFLA_IPVLAN_FLAGS) ?? 0
        guard let mode = Mode.allCases.first(where: { $0.number == modeNumber }),
            let isolation = Isolation.allCases.first(where: { $0.number == flags })
        else { return nil }
        self.init(mode: mode, isolation: isolation)
    }
}
