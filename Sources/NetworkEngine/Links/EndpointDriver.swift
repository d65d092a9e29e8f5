import Addressing
import CLinux
import LinuxSystem
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

/// The interface of an endpoint: makes it in the sandbox, sets it up, and takes it away again.
struct EndpointDriver {
    let endpoint: Endpoint
    let sandbox: String
    let mark: LinkMark
    /// Whether what is made was there before: then it takes back what others have got of it meanwhile.
    var isRestored = false

    /// The mark that what we make carries, so that it can be recognised as ours.
    var alias: String { mark.alias(of: endpoint, sandbox) }

    /// Makes the interface and sets it up. When that fails, nothing of it is left.
    ///
    /// - Parameters:
    ///   - host: The host's links.
    ///   - namespace: The sandbox's network namespace.
    func attach(_ host: inout Rtnetlink, namespace: borrowing Namespace) throws {
        switch endpoint.link {
        case .port(let name, let bridge):
            // Whether it is ours, or any bridge at all, has been looked at when the network was raised.
            guard let master = HostInterface.index(of: bridge) else { throw gone(bridge) }
            try attachPair(name, &host, namespace, master: master)
        case .pointToPoint(let name): try attachPair(name, &host, namespace, master: nil)
        case .macvlan(let parent, let mode):
            let parent = try find(parent, &host).index
            try attachInside(.macvlan(.init(mode: mode.ofLink), parent: parent), &host, namespace)
        case .ipvlan(let parent, let mode):
            let parent = try find(parent, &host).index
            try attachInside(.ipvlan(.init(mode: mode.ofLink), parent: parent), &host, namespace)
        case .vlan(let parent, let identifier):
            let parent = try find(parent, &host).index
            try attachInside(.vlan(.init(UInt16(clamping: identifier)), parent: parent), &host, namespace)
        case .dummy: try attachInside(.dummy, &host, namespace)
        case .moved(let device, let before): try move(device, before, &host, namespace)
        }
    }

    /// What it is as a port of a bridge. With br_netfilter a sandbox that reaches its own published port is answered
    /// through the same port.
    private var port: BridgePort {
        BridgePort(hairpin: true, isolated: endpoint.isIsolated, locked: endpoint.isOnOwnBridge ? false : nil)
    }

    /// The same, with what others may have changed.
    private var restoredPort: BridgePort {
        guard endpoint.isOnOwnBridge else { return port }
        var restored = BridgePort.usual
        (restored.hairpin, restored.isolated, restored.locked) = (port.hairpin, port.isolated, port.locked)
        return restored
    }

    private func find(_ name: String, _ host: inout Rtnetlink) throws -> Link {
        guard let link = try host.link(named: name) else { throw gone(name) }
        return link
    }

    private func gone(_ name: String) -> NetworkError {
        NetworkError(.failed, "network \(endpoint.network): the host's interface \(name) is gone")
    }

    private func attachPair(
        _ name: String, _ host: inout Rtnetlink, _ namespace: borrowing Namespace, master: UInt32?
    ) throws {
        let bridgeMTU = endpoint.link.bridge.flatMap(HostInterface.mtu)
        let mtu = endpoint.mtu.map { UInt32($0) } ?? bridgeMTU
        // One request with both names and the peer's namespace: nothing passes through the host under another name.
        // One queue: each further one costs the kernel files in /sys.
        let peer = NewLink.Peer(
            endpoint.interface, mtu: mtu, address: endpoint.macAddress,
            namespaceDescriptor: namespace.descriptor.rawValue, queues: 1)
        // A smaller packet size is the sandbox's alone: a bridge takes over the least of its ports.
        //
        // Down: that it has no carrier yet is told to nobody then. The kernel notes it before it answers, so that the
        // port stays closed until the other end is up.
        let link: Link
        do throws(NetlinkError) {
            link = try host.add(NewLink(name, .veth(peer: peer), mtu: bridgeMTU ?? mtu, master: master, queues: 1))
        } catch {
            guard let bridge = endpoint.link.bridge, error.errno == .exchangeFull else { throw error }
            throw NetworkError(
                .failed,
                "network \(endpoint.network): bridge \(bridge) has as many ports as a bridge can have, 1023;"
                    + " make another network for more sandboxes")
        }
        let isQuiet = !isRestored && master.map { QuietArrival.isPossible(endpoint, bridge: $0, &host) } == true
        do {
            // Up last, and by itself: of other changes to a link that is up the kernel tells everybody, and looks for it in
            // all routes of IPv6, as long as it has no carrier.
            let settings = settings(isPort: master != nil, isLocked: isQuiet, mtu: bridgeMTU ?? mtu)
            var changes: [Change] = [.set(.index(link.index), settings)]
            if master != nil { changes.append(.set(.index(link.index), LinkSettings(up: true))) }
            try host.apply(changes)
            if master == nil {
                try HostEnd(name: name, index: link.index, endpoint: endpoint).configure(isNew: true, &host)
            }
            if endpoint.options.hasLimits { try limiter.apply(&host) }
            try SandboxInterface(endpoint: endpoint, sandbox: sandbox, isRestored: isRestored, isQuiet: isQuiet)
                .configure(namespace)
            if isQuiet { try host.set(.index(link.index), LinkSettings(port: BridgePort(locked: false))) }
        } catch {
            _ = try? host.delete(.index(link.index))
            try? limiter.remove(&host)
            // Whoever deletes the bridge meanwhile leaves no port of it, which the kernel tells of a number only.
            if let bridge = endpoint.link.bridge, HostInterface.index(of: bridge) != master { throw gone(bridge) }
            throw error
        }
    }

    /// What the host's end of a pair is besides what it is made as.
    private func settings(isPort: Bool, isLocked: Bool, mtu: UInt32?) -> LinkSettings {
        var settings = LinkSettings(alias: alias)
        guard isPort else { return settings }
        settings.port = port
        if isLocked { settings.port?.locked = true }
        // A port passes frames on and needs no address of its own. With less than 1280 it can have none (RFC 8200).
        if HostInterface.hasIPv6, mtu.map({ $0 >= 1280 }) != false { settings.generatesAddress = false }
        return settings
    }

    private func attachInside(
        _ kind: NewLink.Kind, _ host: inout Rtnetlink, _ namespace: borrowing Namespace
    ) throws {
        var rounds = 0
        while true {
            do {
                return try attachOnce(kind, &host, namespace)
            } catch let error as NetlinkError {
                guard let conflict = ParentConflict(endpoint, error) else {
                    guard error.errno == .networkDown, let parent = endpoint.link.parent else { throw error }
                    throw NetworkError(
                        .failed,
                        "network \(endpoint.network): the host's interface \(parent) is down (ip link set \(parent) up)"
                    )
                }
                // Whoever it is, no sandbox of ours that lives: those were asked before. A namespace that has ended keeps its
                // links until the kernel comes to them in the background (`cleanup_net`, net/core/net_namespace.c).
                if let holder = try conflict.visibleHolder(&host) { throw conflict.refusal(holder) }
                guard rounds < Self.patience else { throw conflict.refusal(nil) }
                rounds += 1
                usleep(25_000)
            }
        }
    }

    /// How many times 25 ms an ended namespace is given for what it has of an interface of the host.
    private static let patience = 40

    private func attachOnce(
        _ kind: NewLink.Kind, _ host: inout Rtnetlink, _ namespace: borrowing Namespace
    ) throws {
        let link = try host.add(
            NewLink(
                endpoint.interface, kind, mtu: endpoint.mtu.map { UInt32($0) }, address: endpoint.macAddress,
                namespaceDescriptor: namespace.descriptor.rawValue))
        do {
            // In this mode it is made with its parent's (`macvlan_common_newlink`, drivers/net/macvlan.c).
            let isPassthru = if case .macvlan(_, mode: .passthru) = endpoint.link { true } else { false }
            try SandboxInterface(endpoint: endpoint, sandbox: sandbox, isRestored: isRestored).configure(
                namespace, LinkSettings(address: isPassthru ? endpoint.macAddress : nil, alias: alias))
        } catch {
            try? namespace.withLinks { links in try links.delete(.index(link.index)) }
            throw error
        }
    }

    private func move(
        _ device: String, _ before: EndpointLink.DeviceSettings, _ host: inout Rtnetlink,
        _ namespace: borrowing Namespace
    ) throws {
        let link = try find(device, &host)
        try HostInterface.check(link, for: endpoint.network, &host)
        // By the mark it is found again, whatever it is called then. What its owner has written there stays.
        try host.set(
            .index(link.index),
            LinkSettings(
                name: endpoint.interface, alias: link.alias == nil || mark.isOn(link) ? alias : nil,
                namespaceDescriptor: namespace.descriptor.rawValue))
        do {
            try SandboxInterface(endpoint: endpoint, sandbox: sandbox, isRestored: isRestored).configure(
                namespace,
                LinkSettings(mtu: endpoint.mtu.map { UInt32($0) }, address: endpoint.macAddress))
        } catch {
            try? returnDevice(device, before, &host, namespace)
            throw error
        }
    }
}

// MARK: - Restoring

extension EndpointDriver {
    /// Sets the interface up again, and the host's end of a pair. Both have to be there.
    func restore(_ host: inout Rtnetlink, namespace: borrowing Namespace) throws {
        let mtu = endpoint.isHandedOn ? nil : endpoint.mtu.map { UInt32($0) }
        switch endpoint.link {
        case .port(let name, let bridge):
            let master = try find(bridge, &host)
            let link = try findOwn(name, &host)
            try host.set(.index(link.index), LinkSettings(up: true, mtu: master.mtu, master: master.index))
            if link.alias != alias { try host.set(.index(link.index), LinkSettings(alias: alias)) }
            try host.set(.index(link.index), LinkSettings(port: restoredPort))
            if endpoint.isOnOwnBridge { try host.openPort(link.index) }
        case .pointToPoint(let name):
            let link = try findOwn(name, &host)
            if let mtu = endpoint.mtu { try host.set(.index(link.index), LinkSettings(mtu: UInt32(mtu))) }
            try HostEnd(name: name, index: link.index, endpoint: endpoint).configure(isNew: false, &host)
        default: break
        }
        if endpoint.options.hasLimits { try limiter.apply(&host) }
        // The parent's index is said only of a new link.
        let kind: NewLink.Kind? =
            switch endpoint.link {
            case .macvlan(_, let mode): .macvlan(.init(mode: mode.ofLink), parent: 0)
            case .ipvlan(_, let mode): .ipvlan(.init(mode: mode.ofLink), parent: 0)
            default: nil
            }
        try SandboxInterface(endpoint: endpoint, sandbox: sandbox, isRestored: true, isKept: true).configure(
            namespace,
            LinkSettings(mtu: mtu, address: endpoint.isHandedOn ? nil : endpoint.macAddress, kind: kind))
    }
}

// MARK: - Detaching

extension EndpointDriver {
    private func findOwn(_ name: String, _ host: inout Rtnetlink) throws -> Link {
        let link = try find(name, &host)
        guard owns(link) else {
            throw NetworkError(
                .taken, "network \(endpoint.network): an interface \(name) exists that is not this endpoint's")
        }
        return link
    }

    /// Takes the interface away. One that is gone already is fine, and one that is not ours stays.
    func detach(_ host: inout Rtnetlink, identity: SandboxIdentity) throws {
        if let name = endpoint.link.hostInterface {
            if identity.isAlive || !identity.isOfProcess {
                try removePair(name, &host)
            } else {
                // Nearly always the namespace ends with its process and takes the pair along: waiting for that is nobody's
                // business. But another process may be in it, and go on using an address that is given to others now.
                LinkRemoval.removeLater(name, where: owns)
            }
            if endpoint.options.egress != nil { try limiter.remove(&host) }
            try removeRoutes(identity)
            return
        }
        guard identity.isAlive else {
            if case .moved(let device, let before) = endpoint.link { try nameAgain(device, before, &host) }
            return
        }
        try removeRoutes(identity)
        let namespace = try Namespace(path: identity.path, kind: .net)
        if case .moved(let device, let before) = endpoint.link {
            return try returnDevice(device, before, &host, namespace)
        }
        try namespace.withLinks { links in
            // One without an alias is ours too: it is set after the link is made, and the name was free before.
            let names = [endpoint.interface, NewLink.interimName(for: endpoint.interface)]
            for name in names {
                guard let link = try links.link(named: name), link.kind == endpoint.link.kind,
                    link.alias == nil || link.alias == alias
                else { continue }
                try links.delete(.index(link.index))
            }
        }
    }

    /// Whether a link that has the name of the host's end is that, and not what somebody else has made meanwhile.
    ///
    /// The mark is set after the link is made, so that one without it may be ours: a port of the bridge from its first
    /// moment on, or not up yet.
    func owns(_ link: Link) -> Bool {
        guard link.kind == "veth" else { return false }
        if link.alias == alias { return true }
        guard let bridge = endpoint.link.bridge else { return link.alias == nil && !link.isUp }
        return link.master != nil && link.master == HostInterface.index(of: bridge)
    }

    /// Whether the interface that was made is in a namespace.
    func isAttached(_ host: inout Rtnetlink, to namespace: borrowing Namespace) throws -> Bool {
        guard let inside = try namespace.withLinks({ try $0.link(named: endpoint.interface) }) else { return false }
        guard let name = endpoint.link.hostInterface else { return inside.alias == alias }
        guard let link = try host.link(named: name) else { return false }
        return owns(link) && link.peer == inside.index
    }

    private func removePair(_ name: String, _ host: inout Rtnetlink) throws {
        if let link = try host.link(named: name), owns(link) { try LinkRemoval.remove(link, &host) }
    }

    /// Takes away the routes that belong to no interface and so do not go with one.
    private func removeRoutes(_ identity: SandboxIdentity) throws {
        let routes = endpoint.routes.filter { $0.gateway == nil }
        guard !routes.isEmpty, identity.isAlive else { return }
        try Namespace(path: identity.path, kind: .net).withLinks { links in
            // One that somebody has taken away already is fine.
            _ = try links.attempt(routes.map { .deleteRoute($0.route(link: 0)) })
        }
    }

    private func returnDevice(
        _ device: String, _ before: EndpointLink.DeviceSettings, _ host: inout Rtnetlink,
        _ namespace: borrowing Namespace
    ) throws {
        let home = try Namespace.current(.net)
        let isThere = try host.link(named: device) != nil
        try namespace.withLinks { links in
            let marked = try links.links().first { $0.alias == alias }
            // When the host has it, the interface of that name in the sandbox is another.
            guard let link = try marked ?? (isThere ? nil : links.link(named: endpoint.interface)) else { return }
            guard !isThere else {
                throw NetworkError(
                    .taken,
                    "network \(endpoint.network): \(device) cannot come back from \(sandbox): the host has another"
                        + " interface of that name by now (ip link set \(device) name OTHER)")
            }
            var settings = before.differing(from: link)
            settings.name = device
            if marked != nil { settings.alias = "" }
            settings.namespaceDescriptor = home.descriptor.rawValue
            try links.set(.index(link.index), settings)
        }
    }

    /// A card comes back by itself when its namespace has ended: by the name that it had there, or by another where the host
    /// has that (`default_device_exit_net`, net/core/dev.c).
    private func nameAgain(
        _ device: String, _ before: EndpointLink.DeviceSettings, _ host: inout Rtnetlink
    ) throws {
        guard let link = try host.links().first(where: { $0.alias == alias }) else { return }
        var settings = before.differing(from: link)
        if try host.link(named: device) == nil { settings.name = device }
        settings.alias = ""
        try host.set(.index(link.index), settings)
    }
}

extension EndpointLink.DeviceSettings {
    /// What a link has to get to be as it was.
    fileprivate func differing(from link: Link) -> LinkSettings {
        LinkSettings(
            mtu: mtu.map(UInt32.init(clamping:)).flatMap { $0 == link.mtu ? nil : $0 },
            address: macAddress == link.address ? nil : macAddress)
    }
}

extension NetworkDriver.MacvlanMode {
    var ofLink: NewLink.Macvlan.Mode {
        switch self {
        case .bridge: .bridge
        case .private: .private
        case .vepa: .vepa
        case .passthru: .passthru
        }
    }
}

extension NetworkDriver.IPVlanMode {
    var ofLink: NewLink.IPVlan.Mode {
        switch self {
        case .l2: .l2
        case .l3: .l3
        case .l3s: .l3s
        }
    }
}

extension Endpoint {
    /// Whether it is on a bridge of ours, whose ports are locked only while they are set up (`QuietArrival`): the owner of
    /// another may have reasons to lock one (IEEE 802.1X).
    var isOnOwnBridge: Bool { link.bridge?.hasPrefix(Network.interfaceMark) == true }
}

extension Rtnetlink {
    /// Has a port pass on what comes, unless it has no carrier: it will by itself then, when there is one.
    mutating func openPort(_ index: UInt32) throws(NetlinkError) {
        do throws(NetlinkError) {
            try set(.index(index), LinkSettings(port: BridgePort(state: .forwarding)))
        } catch {
            if error.errno != .networkDown { throw error }
        }
    }
}

extension Namespace {
    /// The links of this network namespace.
    borrowing func withLinks<Result>(_ body: (inout Rtnetlink) throws -> Result) throws -> Result {
        var links = try Rtnetlink(in: self)
        return try body(&links)
    }
}
