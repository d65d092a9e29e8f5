import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// Ports that processes of the host have: publishing one would take it away from them without a word.
enum HostPorts {
    /// How many ports are asked about one by one; more than that are looked up in a list of all sockets.
    private static let fewPorts = 16

    /// Refuses ports that a process of the host has, and host addresses that the host does not have.
    static func check(_ mappings: [PortMapping], _ index: PortIndex) throws {
        guard !mappings.isEmpty else { return }
        for case .v6(let address)? in mappings.map(\.hostAddress) where address.isLinkLocal {
            throw NetworkError(.invalid, PortRequest.linkLocalRefusal("\(address)"))
        }
        if mappings.reduce(0, { $0 + $1.hostPorts.count }) > fewPorts {
            try checkList(mappings, index)
            var seen: Set<IPAddress> = []
            for mapping in mappings {
                guard let address = mapping.singleAddress, seen.insert(address).inserted else { continue }
                if !hasAddress(mapping) { throw noSuchAddress(mapping) }
            }
            return
        }
        for mapping in mappings {
            for port in mapping.hostPorts.ports {
                switch attempt(mapping, port: port) {
                case .free: continue
                case .noSuchAddress: throw noSuchAddress(mapping)
                case .taken:
                    // Now that it is an error, there is time to find out whose it is.
                    if try checkList([mapping], index) { continue }
                    // Connections of the host's own go on by what the kernel remembers of them.
                    if mapping.transport == .tcp, try isConnected(port) { continue }
                    throw taken(mapping, port, "a process of the host")
                }
            }
        }
    }

    /// Whether a process of the host has a port that a mapping would take.
    static func isTaken(_ mapping: PortMapping, port: UInt16, _ index: PortIndex) -> Bool {
        guard case .taken = attempt(mapping, port: port) else { return false }
        return !index.hasRelay(at: port, besides: mapping) || (try? checkList([mapping], index)) != true
    }

    /// Whether the host has the address that a port is published at.
    static func hasAddress(_ mapping: PortMapping) -> Bool {
        if case .noSuchAddress = attempt(mapping, port: 0) { false } else { true }
    }

    private enum Answer { case free, taken, noSuchAddress }

    /// Asks the kernel by binding a socket. The corresponding system call is `bind`.
    private static func attempt(_ mapping: PortMapping, port: UInt16) -> Answer {
        // A socket of both families meets those of either, as a port of all addresses does.
        let address = mapping.hostAddress ?? .v6(.any)
        var answer = bindSocket(address, port, mapping.transport)
        if answer == EAFNOSUPPORT && mapping.hostAddress == nil {
            answer = bindSocket(.v4(.any), port, mapping.transport)
        }
        if case .v4(let single)? = mapping.hostAddress, single != .any, isBroadcast(single) { return .noSuchAddress }
        return switch answer {
        case EADDRINUSE: .taken
        case EADDRNOTAVAIL: .noSuchAddress
        default: .free
        }
    }

    /// Whether an address is that of all on a link, which a socket may be bound to. The kernel lets nobody send there who has
    /// not asked for it (`SO_BROADCAST`, ip(7)).
    private static func isBroadcast(_ address: IPv4Address) -> Bool {
        let number = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard number >= 0 else { return false }
        let descriptor = Descriptor(owning: number)
        return SocketName(.v4(address), port: 9).connect(descriptor.rawValue) != 0 && swn_errno() == EACCES
    }

    /// - Returns: 0 or an errno.
    private static func bindSocket(_ address: IPAddress, _ port: UInt16, _ transport: TransportProtocol) -> Int32 {
        let family = address.family == .v4 ? AF_INET : AF_INET6
        let type = (transport == .udp ? SOCK_DGRAM : SOCK_STREAM).rawValue | SOCK_CLOEXEC.rawValue
        let number = socket(family, Int32(type), transport == .sctp ? Int32(IPPROTO_SCTP) : 0)
        guard number >= 0 else { return swn_errno() }
        let descriptor = Descriptor(owning: number)
        if transport == .tcp {
            // Connections that linger in TIME_WAIT are nobody's; a socket that listens is in the way even so.
            var yes: Int32 = 1
            setsockopt(descriptor.rawValue, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        if address.family == .v6 {
            var yes: Int32 = address.isAny ? 0 : 1
            setsockopt(
                descriptor.rawValue, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &yes, socklen_t(MemoryLayout<Int32>.size))
        }
        return SocketName(address, port: port).bind(descriptor.rawValue) == 0 ? 0 : swn_errno()
    }

    /// Looks for the ports in the kernel's list of sockets, and names the process that has one.
    ///
    /// - Returns: Whether relays of ours are all that was found.
    @discardableResult
    private static func checkList(_ mappings: [PortMapping], _ index: PortIndex) throws -> Bool {
        var hasRelay = false
        for (mapping, socket) in try holders(of: mappings) {
            guard isRelay(socket, mapping, index) else {
                throw taken(mapping, socket.port, SocketOwner.description(inode: socket.inode))
            }
            hasRelay = true
        }
        return hasRelay
    }

    /// The sockets of the host that have ports of mappings, each with a mapping. Those of SCTP are in no list.
    static func holders(of mappings: [PortMapping]) throws -> [(mapping: PortMapping, socket: BoundSocket)] {
        var diagnostics = try SocketDiagnostics()
        var holders: [(mapping: PortMapping, socket: BoundSocket)] = []
        for (transport, kind) in [(TransportProtocol.tcp, BoundSocket.Transport.tcp), (.udp, .udp)] {
            let wanted = mappings.filter { $0.transport == transport }
            if wanted.isEmpty { continue }
            let table = PortTable(wanted)
            for socket in try diagnostics.boundSockets([kind]) {
                _ = table.contains(socket.port, socket.port) { place in
                    guard socket.takes(wanted[place].hostAddress, port: socket.port, kind) else { return false }
                    holders.append((wanted[place], socket))
                    return true
                }
            }
        }
        return holders
    }

    /// Whether a socket is that of a relay of ours, beside a mapping.
    static func isRelay(_ socket: BoundSocket, _ mapping: PortMapping, _ index: PortIndex) -> Bool {
        socket.address == .v6(.loopback) && index.hasRelay(at: socket.port, besides: mapping)
    }

    /// Whether a connection of the host has a port, or had it until a moment ago.
    private static func isConnected(_ port: UInt16) throws -> Bool {
        var diagnostics = try SocketDiagnostics()
        return try diagnostics.connectedSockets().contains { $0.port == port }
    }

    private static func taken(_ mapping: PortMapping, _ port: UInt16, _ owner: String) -> NetworkError {
        NetworkError(
            .taken,
            "port '\(mapping)': \(mapping.hostAddress?.endpoint(port: port) ?? "\(port)")/"
                + "\(mapping.transport.rawValue) is taken by \(owner)")
    }

    private static func noSuchAddress(_ mapping: PortMapping) -> NetworkError {
        NetworkError(
            .invalid, "port '\(mapping)': \(mapping.hostAddress.map(\.description) ?? "") is no address of this host")
    }
}
