import CLinux
import LinuxSystem
public import Netlink
import SystemPackage

extension Rtnetlink {
    /// Every link. Equivalent to `ip -d link show`.
    public mutating func links() throws(NetlinkError) -> [Link] {
        var message = MessageBuilder(type: RTM_GETLINK)
        message.put(header: ifinfomsg())
        // Counters are the bulk of an answer and nobody here asks for them.
        message.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
        return try socket.dump(NetlinkRequest(message, "list", "links")).compactMap(Link.init)
    }

    /// The link of a name or alternative name, or nil. Equivalent to `ip -d link show dev $name`.
    public mutating func link(named name: String) throws(NetlinkError) -> Link? { try link(.name(name)) }

    /// The link of an index, or nil.
    public mutating func link(index: UInt32) throws(NetlinkError) -> Link? { try link(.index(index)) }

    /// The link that is meant, or nil.
    public mutating func link(_ reference: LinkReference) throws(NetlinkError) -> Link? {
        do throws(NetlinkError) {
            return try socket.get(Self.query(reference)).lazy.compactMap(Link.init).first
        } catch {
            if error.errno == .noSuchDevice { return nil }
            throw error
        }
    }

    /// Whether a link is up; nil when there is none of the name. The corresponding request is `SIOCGIFFLAGS`, an ioctl,
    /// which costs a tenth of what an answer with all that the kernel knows of the link does.
    public func isUp(_ name: String) -> Bool? {
        // A `struct ifreq`, of which there is one in two modules: the name in IFNAMSIZ bytes, then the flags.
        var request = Array(name.utf8.prefix(Int(IF_NAMESIZE) - 1))
        request += [UInt8](repeating: 0, count: 64 - request.count)
        guard unsafe swn_ioctl_pointer(socket.rawValue, UInt(SIOCGIFFLAGS), &request) == 0 else { return nil }
        return LinkFlags(rawValue: UInt32(request[Int(IF_NAMESIZE)])).contains(.up)
    }

    /// Makes a link and returns it as it then is: `index` is its own, `peer` that of a veth's other end.
    ///
    /// Creation and look-up are one system call. When a later setting is refused (an alias that is too long), the link is
    /// deleted again. What a link in another namespace stands on is told as seen from this one. Equivalent to `ip link add $name type $kind …; ip -d link show dev $name`.
    @discardableResult
    public mutating func add(_ link: NewLink) throws(NetlinkError) -> Link {
        if let namespace = link.namespaceDescriptor { return try add(link, inNamespace: namespace) }
        let creation = NetlinkRequest(
            link.creation, "create \(link.kind.name)", link.name, hint: link.explanation)
        let answers = try socket.exchange([creation, Self.query(.name(link.name))])
        if let refusal = answers.lazy.compactMap(\.error).first { throw refusal }
        guard var made = answers.last?.messages.lazy.compactMap(Link.init).first else {
            throw NetlinkError(creation.operation, link.name, errno: .noSuchDevice, hint: "it is gone again")
        }
        // By index from here on: the name may already be another link's.
        var changes: [Change] = []
        if let settings = link.laterSettings { changes.append(.set(.index(made.index), settings)) }
        if !link.alternativeNames.isEmpty {
            changes.append(.addAlternativeNames(link.alternativeNames, to: .index(made.index)))
        }
        do throws(NetlinkError) {
            try apply(changes)
        } catch {
            _ = try? delete(.index(made.index))
            throw error.about(creation.operation, link.name)
        }
        made.alias = link.alias
        made.mtu = link.mtu ?? made.mtu
        made.alternativeNames = link.alternativeNames
        // The port's settings are more than those that were asked for, and an answer of the kernel's has them all.
        return link.port == nil ? made : try self.link(.index(made.index)) ?? made
    }

    /// Whether this kernel can make links of a kind. It loads the module that makes them.
    ///
    /// Nothing is made: the kernel looks for the kind first (`rtnl_newlink`, net/core/rtnetlink.c), and none takes an
    /// Ethernet address of five bytes, or does without a link to stand on.
    public mutating func canMakeLinks(of kind: String) throws(NetlinkError) -> Bool {
        var message = MessageBuilder(type: RTM_NEWLINK, flags: NLM_F_CREATE | NLM_F_EXCL)
        message.put(header: ifinfomsg())
        message.put(IFLA_ADDRESS, [UInt8](repeating: 2, count: 5))
        NewLink.Kind.other(kind).put(in: &message)
        let answers = try socket.exchange([NetlinkRequest(message, "look for links of kind", kind)])
        guard let refusal = answers.lazy.compactMap(\.error).first else { return true }
        return refusal.errno != .notSupported || refusal.message?.hasPrefix("Unknown device type") != true
    }

    /// Makes a link in another namespace, where only what the creation itself takes can be set from here.
    private mutating func add(_ link: NewLink, inNamespace namespace: Int32) throws(NetlinkError) -> Link {
        let identifier = try namespaceIdentifier(of: namespace)
        do throws(NetlinkError) {
            try apply(.add(link))
        } catch {
            guard error.errno == .fileExists && error.message == nil else { throw error }
            if try self.link(named: link.name, inNamespace: identifier) != nil { throw error }
            if case .veth = link.kind { throw error }
            try addByInterimName(link, inNamespace: namespace, identifier)
        }
        guard var made = try self.link(named: link.name, inNamespace: identifier) else { throw Self.gone(link) }
        // The kernel tells everything as seen from here, and what a link stands on is here; only a veth's peer need not be.
        if case .veth = link.kind { return made }
        made.peerNamespace = nil
        return made
    }

    /// Makes a link whose name this namespace has too. Before Linux 6.15 the kernel takes such a name for taken, though the
    /// link is made elsewhere (`rtnl_newlink`), and every host has an eth0: it gets its name when it is there.
    private mutating func addByInterimName(
        _ link: NewLink, inNamespace namespace: Int32, _ identifier: Int32
    ) throws(NetlinkError) {
        var interim = link
        interim.name = NewLink.interimName(for: link.name)
        try apply(.add(interim))
        guard let made = try self.link(named: interim.name, inNamespace: identifier) else { throw Self.gone(link) }
        do {
            var inside = try Rtnetlink(in: Namespace(path: "/proc/thread-self/fd/\(namespace)", kind: .net))
            do throws(NetlinkError) {
                try inside.set(.index(made.index), LinkSettings(name: link.name))
            } catch {
                _ = try? inside.delete(.index(made.index))
                throw error.about("create \(link.kind.name)", link.name)
            }
        } catch let error as NetlinkError {
            throw error
        } catch {
            let errno = (error as? SystemError)?.errno ?? .badFileDescriptor
            throw NetlinkError("create \(link.kind.name)", link.name, errno: errno, hint: "\(error)")
        }
    }

    /// A link of another namespace, as seen from here.
    private mutating func link(named name: String, inNamespace identifier: Int32) throws(NetlinkError) -> Link? {
        var query = Self.query(.name(name))
        query.message.put(IFLA_TARGET_NETNSID, identifier)
        do throws(NetlinkError) {
            return try socket.get(query).lazy.compactMap(Link.init).first
        } catch {
            if error.errno == .noSuchDevice { return nil }
            throw error
        }
    }

    private static func gone(_ link: NewLink) -> NetlinkError {
        NetlinkError("create \(link.kind.name)", link.name, errno: .noSuchDevice, hint: "it is gone again")
    }

    /// Changes a link; here a link may be renamed by its name too. Equivalent to `ip link set $link …`.
    public mutating func set(_ link: LinkReference, _ settings: LinkSettings) throws(NetlinkError) {
        var target = link
        if settings.name != nil, case .name = link {
            guard let found = try self.link(link) else {
                throw NetlinkError("change link", "\(link)", errno: .noSuchDevice)
            }
            target = .index(found.index)
        }
        try apply(.set(target, settings))
    }

    /// Deletes a link; see `Change.delete`. Equivalent to `ip link delete $link`.
    public mutating func delete(_ link: LinkReference) throws(NetlinkError) {
        try apply(.delete(link))
    }

    private static func query(_ link: LinkReference) -> NetlinkRequest {
        var message = link.message(RTM_GETLINK)
        message.put(IFLA_EXT_MASK, UInt32(RTEXT_FILTER_SKIP_STATS))
        return NetlinkRequest(message, "look up link", "\(link)")
    }
}
