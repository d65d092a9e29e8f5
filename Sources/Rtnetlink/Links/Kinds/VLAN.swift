import CLinux
import Netlink
import SystemPackage

extension NewLink {
    /// The settings of a VLAN link: the frames of its parent that carry one tag.
    ///
    /// Source: net/8021q/vlan_netlink.c.
    /// Equivalent to `ip link add link $parent name $name type vlan protocol $protocol id $id`.
    public struct VLAN: Hashable, Sendable {
        /// The tag's own EtherType.
        public enum TagProtocol: String, CaseIterable, Hashable, Sendable {
            /// Customer tags, IEEE 802.1Q.
            case q = "802.1q"
            /// Provider tags, IEEE 802.1ad.
            case ad = "802.1ad"

            var number: UInt16 { UInt16(self == .q ? ETH_P_8021Q : ETH_P_8021AD) }
        }

        /// The identifiers that a tag can carry; 0 stands for no VLAN and 4095 is reserved.
        public static let identifiers: ClosedRange<UInt16> = 0...4094

        /// 0 to 4094.
        public var identifier: UInt16
        public var tagProtocol: TagProtocol

        public init(_ identifier: UInt16, tagProtocol: TagProtocol = .q) {
            self.identifier = identifier
            self.tagProtocol = tagProtocol
        }
    }
}

extension NewLink.VLAN {
    func put(in message: inout MessageBuilder) {
        if !Self.identifiers.contains(identifier) {
            message.refuse(.invalidArgument, "VLAN \(identifier) is not in 0-4094")
        }
        message.put(IFLA_VLAN_ID, identifier)
        message.put(IFLA_VLAN_PROTOCOL, tagProtocol.number.bigEndian)
    }

    init?(_ attributes: Attributes) {
        let number = attributes.u16(IFLA_VLAN_PROTOCOL).map(UInt16.init(bigEndian:))
        guard let identifier = attributes.u16(IFLA_VLAN_ID),
            let tagProtocol = TagProtocol.allCases.first(where: { $0.number == number })
        else { return nil }
        self.init(identifier, tagProtocol: tagProtocol)
    }
}
