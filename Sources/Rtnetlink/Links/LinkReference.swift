import CLinux
import Netlink

/// What names a link in a request.
public enum LinkReference: Hashable, Sendable {
    /// The interface index; it is never reused while the namespace lives.
    case index(UInt32)
    /// The name, or one of the alternative names.
    case name(String)
}

extension LinkReference: CustomStringConvertible {
    public var description: String {
        switch self {
        case .index(let index): "with index \(index)"
        case .name(let name): name
        }
    }
}

extension LinkReference {
    /// Begins a message about this link.
    func message(_ type: Int, flags: Int32 = 0, _ fill: (inout ifinfomsg) -> Void = { _ in }) -> MessageBuilder {
        var header = ifinfomsg()
        fill(&header)
        var message = MessageBuilder(type: type, flags: flags)
        switch self {
        case .index(let index):
            header.ifi_index = Int32(bitPattern: index)
            message.put(header: header)
        case .name(let name):
            message.put(header: header)
            // The kernel looks this attribute up among all names, and it takes longer ones than IFLA_IFNAME, which
            // moreover would mean a new name wherever the link is found by something else.
            message.put(IFLA_ALT_IFNAME, name)
        }
        return message
    }
}
