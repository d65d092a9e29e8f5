import Addressing
import ContainerRuntime
import LinuxSystem
import Netlink
import Rtnetlink
import RuntimeSpec

/// Interfaces of the host that become a container's, with their addresses (runtime-spec, config-linux.md, "Network
/// Devices").
enum HostDevices {
    static let mover = NetworkDevices { devices, path in
        let moves = try devices.sorted { $0.key < $1.key }.map { name, device in
            try Move(name: name, newName: device.name.flatMap { $0.isEmpty ? nil : $0 } ?? name)
        }
        // Kept open for the way back: the container's process may be gone by then, and its namespace with it.
        let kept = try KeptNamespace(path)
        var done: [Move] = []
        do {
            for move in moves {
                done.append(move)
                try move.into(kept.namespace)
            }
        } catch {
            for move in done.reversed() { try? move.back(from: kept.namespace) }
            throw error
        }
        return NetworkDevices.Moved { [done] in
            for move in done.reversed() { try? move.back(from: kept.namespace) }
        }
    }

    private final class KeptNamespace: Sendable {
        let namespace: Namespace
        init(_ path: String) throws(SystemError) { namespace = try Namespace(path: path, kind: .net) }
    }
}

/// One interface on its way.
private struct Move {
    let name: String
    let newName: String
    private let index: UInt32
    private let isUp: Bool
    private let addresses: [InterfaceAddress]

    /// - Throws: `SpecError` that names the interface.
    init(name: String, newName: String) throws {
        let field = "linux.netDevices.\(name)"
        for (text, place) in [(name, field), (newName, "\(field).name")] where InterfaceName(text) == nil {
            throw SpecError(place, "'\(text)' is no name of an interface")
        }
        var host = try Rtnetlink()
        guard let link = try host.link(named: name) else { throw SpecError(field, "the host has no such interface") }
        (self.name, self.newName, index, isUp) = (name, newName, link.index, link.isUp)
        // The kernel makes the others itself.
        addresses = try host.addresses(link: link.index).filter {
            $0.link == link.index && $0.scope == .universe && $0.flags.contains(.permanent)
        }
    }

    func into(_ namespace: borrowing Namespace) throws {
        var host = try Rtnetlink()
        do {
            try host.set(.index(index), LinkSettings(name: newName, namespaceDescriptor: namespace.descriptor.rawValue))
        } catch {
            throw SpecError("linux.netDevices.\(name)", "cannot be moved as '\(newName)': \(error)")
        }
        var inside = try Rtnetlink(in: namespace)
        try configure(&inside, newName, isUp: true)
    }

    /// Fails when it never was there, which is fine.
    func back(from namespace: borrowing Namespace) throws {
        let home = try Namespace.current(.net)
        var inside = try Rtnetlink(in: namespace)
        guard let link = try inside.link(named: newName) else { return }
        try inside.set(.index(link.index), LinkSettings(name: name, namespaceDescriptor: home.descriptor.rawValue))
        var host = try Rtnetlink()
        try configure(&host, name, isUp: isUp)
    }

    /// A move takes an interface's addresses away and sets it down.
    private func configure(_ links: inout Rtnetlink, _ name: String, isUp: Bool) throws {
        guard let link = try links.link(named: name) else { return }
        var changes = addresses.map { address in
            var moved = InterfaceAddress(
                address.prefix, link: link.index, peer: address.peer, broadcast: address.broadcast)
            moved.flags = address.flags.intersection([.noPrefixRoute, .noDuplicateDetection])
            return Change.replaceAddress(moved)
        }
        changes.append(.set(.index(link.index), LinkSettings(up: isUp)))
        try links.apply(changes)
    }
}
