import Addressing
import NetworkModel

/// What a dry run takes for done, while the records stay as they are: what would be cleaned up before its own plan, after
/// dead sandboxes and interrupted operations.
struct StorePretence {
    /// By key; nil for one that is released.
    var sandboxes: [String: Sandbox?] = [:]
    /// By name; nil for one that is forgotten.
    var networks: [String: Network?] = [:]
    fileprivate var lowered: Set<String> = []
    /// Leases, by their paths.
    var freed: Set<String> = []
    /// Of the host, and in sandboxes by their namespaces: what is only still there.
    fileprivate var hostInterfaces: Set<String> = []
    fileprivate var interfaces: [UInt64: Set<String>] = [:]
    /// Relays that have ended.
    fileprivate var relays: [PortRelay] = []
    fileprivate(set) var isEmpty = true
}

extension Store {
    /// Takes a step for carried out.
    borrowing func pretend(_ step: NetworkStep) {
        memory.pretence.isEmpty = false
        switch step {
        case .record(let name, _, let after):
            memory.pretence.sandboxes.updateValue(after, forKey: SandboxReference.key(forName: name))
        case .define(let network): memory.pretence.networks.updateValue(network, forKey: network.name)
        case .undefine(let network): memory.pretence.networks.updateValue(nil, forKey: network.name)
        case .lower(let network): memory.pretence.lowered.insert(network.name)
        case .free(let network, let address, _): memory.pretence.freed.insert("networks/\(network)/leases/\(address)")
        case .detach(let endpoint, _, let identity):
            memory.pretence.hostInterfaces.formUnion(endpoint.link.hostInterfaces)
            memory.pretence.interfaces[identity.inode, default: []].insert(endpoint.interface)
        case .stopRelay(let relay): memory.pretence.relays.append(relay)
        // Nothing else is asked about in a plan, or it is only there for what is built up, which none of this does.
        default: break
        }
    }

    /// From now on a sandbox has nothing, whatever is recorded.
    borrowing func pretendRelease(of key: String) {
        memory.pretence.isEmpty = false
        memory.pretence.sandboxes.updateValue(nil, forKey: key)
    }

    var isPretending: Bool { !memory.pretence.isEmpty }

    /// Whether a sandbox's record is another than what is written.
    borrowing func isPretended(_ key: String) -> Bool { isPretending && memory.pretence.sandboxes[key] != nil }

    borrowing func isReleased(_ key: String) -> Bool { isPretending && memory.pretence.sandboxes[key] == .some(nil) }

    var pretendedSandboxes: [Sandbox] { memory.pretence.sandboxes.values.compactMap(\.self) }

    /// Relays that are only still there.
    var endedRelays: [PortRelay] { memory.pretence.relays }

    borrowing func isLowered(_ network: String) -> Bool { isPretending && memory.pretence.lowered.contains(network) }

    var detachedHostInterfaces: Set<String> { memory.pretence.hostInterfaces }

    borrowing func detachedInterfaces(of identity: SandboxIdentity) -> Set<String> {
        memory.pretence.interfaces[identity.inode] ?? []
    }
}
