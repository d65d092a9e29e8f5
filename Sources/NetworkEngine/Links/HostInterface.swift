import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink

/// Interfaces of the host that networks are made of or stand on.
enum HostInterface {
    /// Sets what an interface that leads to sandboxes needs, before it is up.
    static func protect(_ name: String, hasIPv6: Bool) throws {
        for (parameter, value) in parameters(hasIPv6: hasIPv6) {
            try Sysctl.set(parameter.path(name), to: "\(value)")
        }
    }

    /// The kernel parameters that such an interface has.
    private static func parameters(hasIPv6: Bool) -> [(LinkParameter, Int32)] {
        [
            // It must not take a router's word from a container (CVE-2020-13401).
            (.acceptRouterAdvertisements, 0),
            // Lets 127.0.0.1 be published. The firewall drops what comes from outside and says it is loopback.
            (.routeLocalnet, 1),
        ]
            + (hasIPv6
                ? [
                    // The host asks for its sandboxes' hardware addresses under the link-local address. While the kernel
                    // looks for duplicates of that one, for a second after the first sandbox came, it drops packets.
                    (.acceptDuplicateDetection, 0), (.disableIPv6, 0),
                ] : [])
    }

    /// The switches of a network's bridge, where the host forwards at all: the kernel asks only them about what comes in.
    static func forwarding(of network: Network) throws -> [(LinkParameter, Int32)] {
        network.needsForwarding ? try forwarding(of: network.subnets.map(\.prefix.family)) : []
    }

    /// The same of the host's end of a pair.
    static func forwarding(of families: [IPFamily]) throws -> [(LinkParameter, Int32)] {
        try [(LinkParameter.forwarding, 1), (.forwardingIPv6, 1)].filter { parameter, _ in
            try families.contains(parameter.family) && Forwarding.isOn(parameter.family)
        }
    }

    /// Which parameters of such an interface are not as they should be.
    static func problems(_ link: Link, hasIPv6: Bool) -> [String] {
        problems(link, parameters(hasIPv6: hasIPv6))
    }

    /// Which parameters of a link are not as they should be; one that the kernel lacks is none.
    static func problems(_ link: Link, _ parameters: [(LinkParameter, Int32)]) -> [String] {
        parameters.compactMap { parameter, wanted in
            guard let value = link[parameter], value != wanted else { return nil }
            return "\(parameter.path(link.name)) is \(value) instead of \(wanted)"
        }
    }

    /// The index of an interface; nil when there is none. The corresponding C function is `if_nametoindex`, an ioctl that
    /// does not wait for the lock that every change of a link takes.
    static func index(of name: String) -> UInt32? {
        let index = if_nametoindex(name)
        return index == 0 ? nil : index
    }

    /// The name of an interface; nil when there is none of the index. The corresponding C function is `if_indextoname`.
    static func name(of index: UInt32) -> String? {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        guard if_indextoname(index, &name) != nil else { return nil }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// The one name under which an interface is listed, and not a further one (`ip link property add dev eth0 altname lan0`);
    /// nil when there is none of the name.
    static func realName(of name: String) -> String? { index(of: name).flatMap(Self.name(of:)) }

    /// The largest packet of an interface in bytes; nil when there is none. The corresponding request is `SIOCGIFMTU`, an
    /// ioctl that does not wait for that lock either.
    static func mtu(of name: String) -> UInt32? {
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return nil }
        defer { close(number) }
        // A `struct ifreq`, of which there is one in two modules: the name in IFNAMSIZ bytes, then the answer.
        var request = Array(name.utf8.prefix(Int(IF_NAMESIZE) - 1))
        request += [UInt8](repeating: 0, count: 64 - request.count)
        guard swn_ioctl_pointer(number, UInt(SIOCGIFMTU), &request) == 0 else { return nil }
        return request.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: Int(IF_NAMESIZE), as: UInt32.self) }
    }

    /// Whether this kernel has IPv6 at all, and has not been told to do without.
    static var hasIPv6: Bool {
        let socket = socket(AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        if socket >= 0 { close(socket) }
        return socket >= 0
    }

    /// Refuses an interface that a network cannot stand on.
    ///
    /// - Throws: `NetworkError` when it is missing, or a port of something that takes all it receives.
    static func check(_ name: String, for network: Network, _ links: inout Rtnetlink) throws {
        guard let link = try links.link(named: name) else {
            throw NetworkError(.notFound, "network \(network.name): the host has no interface \(name)")
        }
        if case .bridge = network.driver {
            guard link.kind == "bridge" else {
                throw NetworkError(.invalid, "network \(network.name): interface \(name) is no bridge")
            }
            return
        }
        try check(link, for: network.name, &links)
        if case .macvlan = network.driver, link.hardwareType != UInt16(ARPHRD_ETHER) {
            throw NetworkError(
                .invalid, "network \(network.name): interface \(name) is no Ethernet, which a macvlan needs")
        }
    }

    /// Refuses what is an end of a network of ours: it goes when that network does, and what it leads to would be reached
    /// past that network's rules.
    static func checkOwner(_ link: Link, for network: String) throws {
        // A card that a sandbox had comes back with the mark when that sandbox ends, and is the host's own.
        guard LinkMark.isOnAny(link), let kind = link.kind, ["bridge", "veth", "vxlan", "ifb"].contains(kind) else {
            return
        }
        throw NetworkError(
            .inUse, "network \(network): interface \(link.name) is part of a network of ours (\(link.alias ?? ""))")
    }

    /// Refuses loopback, and a port of something that takes all it receives.
    static func check(_ link: Link, for network: String, _ links: inout Rtnetlink) throws {
        guard !link.flags.contains(.loopback) else {
            throw NetworkError(.invalid, "network \(network): interface \(link.name) is the host's loopback")
        }
        if let master = link.master {
            let owner = try links.link(index: master)?.name ?? "\(master)"
            throw NetworkError(.inUse, "network \(network): interface \(link.name) is a port of \(owner)")
        }
    }
}
