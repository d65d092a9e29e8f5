import Addressing
import NetworkModel
import Nftables
import Rtnetlink

/// Connections that the kernel tracks and that a change of ports has made wrong.
///
/// Translation is decided by a connection's first packet. A connection that was translated for a port that is taken back
/// goes on being led to the former owner's address, which somebody else may have by then; and UDP has no end, so a client
/// that goes on sending keeps its "connection", and is led to the port's former owner, or to nobody, until it pauses for
/// half a minute (moby pull requests 44742 and 53384). Equivalent to `conntrack -D -p udp --orig-port-dst PORT`.
enum Conntrack {
    /// Forgets the connections that a change concerns: those led to a removed target, and those to an added port of this
    /// host that lead elsewhere, which only UDP has. Best effort: the change has been made, and entries expire by themselves.
    ///
    /// Also where the targets go with their ports: whoever gets such an address next may have a service on the same port
    /// that it does not publish, and a client that connects again from its old source port would be led there.
    static func forget(_ change: FirewallChange, _ links: inout Rtnetlink) {
        let removed = change.removed.compactMap(Publication.init)
        // Of the others what led elsewhere was forgotten with the port that led there.
        let added = change.added.compactMap(Publication.init).filter { $0.transport == .udp }
        guard !removed.isEmpty || !added.isEmpty, var socket = try? ConntrackSocket(),
            socket.mayHold(from: Set(removed.map(\.target)), to: Set(added.flatMap(\.ports)))
        else { return }
        var local: Set<IPAddress> = []
        if !added.isEmpty, let addresses = try? links.addresses() { local = Set(addresses.map(\.prefix.address)) }
        for transport in Set((removed + added).map(\.transport)) {
            let gone = Ports(removed.filter { $0.transport == transport })
            let new = Ports(added.filter { $0.transport == transport })
            let filter = ConntrackFilter(transport: transport, destinationPort: Ports.only(gone, new))
            guard let connections = try? socket.connections(filter) else { continue }
            let stale = connections.filter { connection in
                gone.publishes(connection) { $0 == connection.reply.source } && connection.status.contains(.dnat)
                    || new.publishes(connection) { $0 != connection.reply.source }
                        && isForHost(connection, local)
            }
            _ = try? socket.delete(stale)
        }
    }

    /// Forgets the connections that a departed endpoint has begun: whoever gets its address next would get their answers,
    /// which UDP's peers may send as long as they like. Once it is out of sight, so that it begins no other. Best effort.
    static func forget(from departed: Endpoint) {
        // Of others the host's table knows nothing: they do not come by the host.
        guard departed.link.hostInterface != nil else { return }
        let addresses = Set(departed.addresses.map(\.address))
        guard !addresses.isEmpty, var socket = try? ConntrackSocket(), socket.mayHold(from: addresses, to: []) else {
            return
        }
        guard let connections = try? socket.connections(from: addresses) else { return }
        _ = try? socket.delete(connections)
    }

    private static func isForHost(_ connection: TrackedConnection, _ local: Set<IPAddress>) -> Bool {
        local.contains(connection.original.destination) || connection.original.destination.isLoopback
    }

    private struct Publication {
        var transport: InternetProtocol
        var ports: ClosedRange<UInt16>
        /// nil for all addresses of the target's family.
        var address: IPAddress?
        var target: IPAddress

        init?(_ element: FirewallElement) {
            guard case .published(let mapping, let target, _) = element else { return nil }
            transport = InternetProtocol(rawValue: mapping.transport.number)
            ports = mapping.hostPorts.ports
            address = mapping.singleAddress
            self.target = target
        }
    }

    /// The publications of one transport by port: lists are long where every port is published by itself.
    private struct Ports {
        private var single: [UInt16: [Publication]] = [:]
        private var ranges: [Publication] = []

        init(_ publications: [Publication]) {
            for publication in publications {
                if publication.ports.count == 1 {
                    single[publication.ports.lowerBound, default: []].append(publication)
                } else {
                    ranges.append(publication)
                }
            }
        }

        /// The one port that any of them is about; nil when there are several.
        static func only(_ one: Ports, _ other: Ports) -> UInt16? {
            let ports = Set(one.single.keys).union(other.single.keys)
            return ports.count == 1 && one.ranges.isEmpty && other.ranges.isEmpty ? ports.first : nil
        }

        /// Whether one of them takes a connection's first packet, and leads it to an address of this kind.
        func publishes(_ connection: TrackedConnection, to isMeant: (IPAddress) -> Bool) -> Bool {
            guard let port = connection.original.destinationPort else { return false }
            let destination = connection.original.destination
            return ((single[port] ?? []) + ranges.filter { $0.ports.contains(port) }).contains { publication in
                publication.target.family == destination.family
                    && (publication.address == nil || publication.address == destination)
                    && isMeant(publication.target)
            }
        }
    }
}
