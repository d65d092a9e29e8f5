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
                try move.checkName(in: kept.namespace)
                done.append(move)
                done[done.endIndex - 1].newName = try move.into(kept.namespace)
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
    /// What it is called there; a name such as `eth%d` is the kernel's to complete.
    var newName: String
    private let index: UInt32
    private let isUp: Bool
    private let addresses: [InterfaceAddress]

    /// - Throws: `SpecError` that names the interface.
    init(name: String, newName: String) throws {
        let field = "linux.netDevices.\(name)"
        let example = newName.hasSuffix("%d") ? "\(newName.dropLast(2))00" : newName
        for (text, valid, place) in [(name, name, field), (newName, example, "\(field).name")]
        where InterfaceName(valid) == nil {
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

    /// With a name that is taken it would be moved all the same, and renamed in vain: the kernel looks at the new name only
    /// when the old one is taken (`__dev_change_net_namespace` of net/core/dev.c).
    func checkName(in namespace: borrowing Namespace) throws {
        var inside = try Rtnetlink(in: namespace)
        guard try inside.link(named: newName) != nil else { return }
        throw SpecError("linux.netDevices.\(name)", "cannot be moved as '\(newName)': there is one of that name")
    }

    /// - Returns: What it is called there.
    func into(_ namespace: borrowing Namespace) throws -> String {
        var host = try Rtnetlink()
        var inside = try Rtnetlink(in: namespace)
        // Nobody else is there yet who could bring another.
        let present = newName.hasSuffix("%d") ? Set(try inside.links().map(\.index)) : []
        do {
            try host.set(.index(index), LinkSettings(name: newName, namespaceDescriptor: namespace.descriptor.rawValue))
        } catch {
            throw SpecError("linux.netDevices.\(name)", "cannot be moved as '\(newName)': \(error)")
        }
        var name = newName
        if name.hasSuffix("%d") {
            // Its index may be another's there, and then it has a new one as well.
            guard let link = try inside.links().first(where: { !present.contains($0.index) }) else {
                throw SpecError("linux.netDevices.\(self.name)", "has not arrived as '\(newName)'")
            }
            name = link.name
        }
        try configure(&inside, name, isUp: true)
        return name
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
