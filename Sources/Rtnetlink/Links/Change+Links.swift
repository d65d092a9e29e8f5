import CLinux
import Netlink
import SystemPackage

extension Change {
    /// Makes a link. Equivalent to `ip link add $name type $kind …`.
    ///
    /// Alias, port settings, alternative names and a bridge's MTU are refused here. They are set
    /// once the link exists, and the kernel goes on after a refusal: were the name taken, somebody else's link would get
    /// them. `Rtnetlink.add` can.
    public static func add(_ link: NewLink) -> Change {
        var message = link.creation
        if link.laterSettings != nil || !link.alternativeNames.isEmpty {
            message.refuse(
                .invalidArgument, "alias, port settings, other names and a bridge's MTU are set once the link exists")
        }
        return Change(message, "create \(link.kind.name)", link.name, hint: link.explanation)
    }

    /// Changes a link. Equivalent to `ip link set $link up mtu $mtu …`.
    public static func set(_ link: LinkReference, _ settings: LinkSettings) -> Change {
        Change(settings.message(for: link), "change link", "\(link)")
    }

    /// Deletes a link; a veth's peer goes with it. Equivalent to `ip link delete $link`.
    ///
    /// The kernel waits for its readers (15 to 35 ms). Letting a namespace go instead leaves that to the kernel.
    public static func delete(_ link: LinkReference) -> Change {
        Change(link.message(RTM_DELLINK), "delete link", "\(link)")
    }

    /// Gives a link further names, of up to 127 bytes. Equivalent to `ip link property add dev $link altname $name`.
    public static func addAlternativeNames(_ names: [String], to link: LinkReference) -> Change {
        var message = link.message(RTM_NEWLINKPROP, flags: NLM_F_CREATE | NLM_F_EXCL | NLM_F_APPEND)
        message.nest(IFLA_PROP_LIST) { list in
            for name in names { list.put(IFLA_ALT_IFNAME, name) }
        }
        return Change(message, "add alternative name \(names.joined(separator: ", ")) to link", "\(link)")
    }

    /// Takes further names from a link. Equivalent to `ip link property del dev $link altname $name`.
    public static func deleteAlternativeNames(_ names: [String], from link: LinkReference) -> Change {
        var message = link.message(RTM_DELLINKPROP)
        message.nest(IFLA_PROP_LIST) { list in
            for name in names { list.put(IFLA_ALT_IFNAME, name) }
        }
        return Change(message, "delete alternative name \(names.joined(separator: ", ")) of link", "\(link)")
    }
}
