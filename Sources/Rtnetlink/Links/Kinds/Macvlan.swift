import CLinux
import Netlink

extension NewLink {
    /// The settings of a macvlan: a link with a hardware address of its own on its parent's wire.
    ///
    /// Source: drivers/net/macvlan.c. Equivalent to `ip link add link $parent name $name type macvlan mode $mode`.
    public struct Macvlan: Hashable, Sendable {
        /// What passes between the macvlans of one parent.
        public enum Mode: String, CaseIterable, Hashable, Sendable {
            /// Nothing.
            case `private`
            /// What the switch outside sends back.
            case vepa
            /// Everything, directly.
            case bridge
            /// There is only one, and it has the parent's address.
            case passthru

            var number: UInt32 {
                switch self {
                case .private: MACVLAN_MODE_PRIVATE.rawValue
                case .vepa: MACVLAN_MODE_VEPA.rawValue
                case .bridge: MACVLAN_MODE_BRIDGE.rawValue
                case .passthru: MACVLAN_MODE_PASSTHRU.rawValue
                }
            }
        }

        public var mode: Mode

        public init(mode: Mode) { self.mode = mode }
    }
}

extension NewLink.Macvlan {
    func put(in message: inout MessageBuilder) { message.put(IFLA_MACVLAN_MODE, mode.number) }

    /// nil for a mode that has no word here (`source`).
    init?(_ attributes: Attributes) {
        let number = attributes.u32(IFLA_MACVLAN_MODE)
        guard let mode = Mode.allCases.first(where: { $0.number == number }) else { return nil }
        self.mode = mode
    }
}
