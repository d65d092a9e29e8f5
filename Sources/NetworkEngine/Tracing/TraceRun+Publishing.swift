import Addressing
import NetworkModel
import Nftables
import Rtnetlink

/// Published ports: whether the firewall knows of them, and by which of the host's addresses they are reached.
extension TraceRun {
    /// Why a published port of this host's leads nowhere: the firewall does not know of it. nil where it does, and where
    /// nobody publishes the port.
    var lostPublication: (reason: String, advice: String)? {
        let target = request.target
        guard facts.sender == nil || !target.address.isLoopback, case .host = facts.owner(of: target.address),
            target.address != .v6(.loopback), let (sandbox, mapping) = facts.publisher(of: target),
            let inside = facts.translated(target), var firewall = try? Firewall()
        else { return nil }
        let table = FirewallTable.networks.table
        let what = "port \(target.port) to sandbox \(sandbox.name)"
        guard let isBuilt = try? firewall.isBuilt(.networks) else { return nil }
        guard isBuilt else {
            return ("the table \(table), which leads \(what), is missing or not in force", "swnet repair")
        }
        guard let asked = PortRange(target.port), let leading = PortRange(inside.port),
            let single = PortMapping(
                hostAddress: mapping.hostAddress, hostPorts: asked, sandboxPorts: leading,
                transport: mapping.transport)
        else { return nil }
        let facts = [FirewallElement.published(single, target: inside.address, owner: sandbox.name)]
        for (set, elements) in ElementGroups(facts).groups {
            let present = (try? firewall.elementsPresent(in: set)) ?? []
            let isThere = elements.allSatisfy { element in
                present.contains { $0.key == element.key && $0.content == element.content }
            }
            if !isThere { return ("the table \(table) has no element that leads \(what)", "swnet repair") }
        }
        return nil
    }

    /// Where a port of a sandbox is published for who comes in by an interface: an address of the host's, and the port
    /// there. nil where it is not.
    func publishedPlace(of port: UInt16?, _ sandbox: Sandbox, for packet: TracedPacket, from input: String?) -> String?
    {
        guard let port, sandbox.target(packet.destination.family) == packet.destination else { return nil }
        let mapping = sandbox.ports.first { mapping in
            mapping.transport.rawValue == request.target.transport.rawValue && !mapping.isRelayed
                && mapping.sandboxPorts.ports.contains(port)
                && mapping.families.contains(packet.destination.family) && mapping.singleAddress?.isLoopback != true
        }
        guard let mapping else { return nil }
        let asked = mapping.hostPorts.first + (port - mapping.sandboxPorts.first)
        guard let address = mapping.singleAddress ?? ownAddress(packet.destination.family, on: input) else {
            return "port \(asked) of an address of this host"
        }
        return address.endpoint(port: asked)
    }

    private func ownAddress(_ family: IPFamily, on name: String?) -> IPAddress? {
        guard let name, var links = try? Rtnetlink(), let link = try? links.link(named: name) else { return nil }
        let own = try? links.addresses(family: family, link: link.index)
        return own?.lazy.map(\.prefix.address).first { !$0.isLinkLocal }
    }
}
