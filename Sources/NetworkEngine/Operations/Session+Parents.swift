import Addressing
import NetworkModel
import Rtnetlink

/// Interfaces of the host on which links of several sandboxes stand.
extension Session {
    /// Refuses a link that the kernel refuses beside another with no more than a number, and one that would change the
    /// other without a word.
    func checked(_ link: EndpointLink) throws -> EndpointLink {
        for other in try store.sandboxes() where other.identity.isAlive {
            for theirs in other.endpoints.map(\.link) {
                guard let (what, reason) = link.conflict(with: theirs) else { continue }
                throw NetworkError(.taken, "\(what) is taken by \(other.name): \(reason)")
            }
        }
        return link
    }

    /// Takes down everything that a sandbox has.
    ///
    /// - Parameter open: Its namespace, where that is open past its processes: what would stay in the host's way until the
    ///   kernel has ended the namespace is taken out of it. A pair is not, which would only cost time.
    mutating func release(_ sandbox: Sandbox, open: SandboxIdentity?) throws {
        guard let open, open.isSameNamespace(as: sandbox.identity) else {
            return try release(sandbox)
        }
        var plan = removal("release \(sandbox.name)", of: sandbox.endpoints, and: sandbox.ports, from: sandbox)
        plan.steps = plan.steps.map { step in
            guard case .detach(let endpoint, let name, _) = step, endpoint.link.holdsParent else { return step }
            return .detach(endpoint, sandbox: name, identity: open)
        }
        try carryOut(plan)
    }

    /// The host's interface that a sandbox is to have, unless another has it or stands on it.
    mutating func checkedDevice(_ device: String, for network: Network) throws -> EndpointLink {
        for other in try store.sandboxes() {
            guard let theirs = other.endpoints.first(where: { $0.network == network.name || $0.link.parent == device })
            else { continue }
            guard other.identity.isAlive else {
                try release(other)
                continue
            }
            var what = ""
            if case .moved = theirs.link {} else { what = ", whose interface on \(theirs.network) stands on it" }
            throw NetworkError(
                .taken,
                "interface \(device) is taken by \(other.name)\(what) (swnet disconnect \(theirs.network) \(other.name))"
            )
        }
        for name in try store.raisedNetworks() {
            guard case .vxlan(let options)? = try store.network(name)?.driver, options.parent?.text == device else {
                continue
            }
            throw NetworkError(.taken, "interface \(device) is taken by network \(name), whose VXLAN stands on it")
        }
        let link = try links.link(named: device)
        return .moved(device, before: .init(macAddress: link?.address, mtu: link.map { Int($0.mtu) }))
    }

    /// Refuses to stand on an interface that the host does not have because a sandbox has it.
    mutating func checkNotGiven(_ network: Network) throws {
        guard let parent = network.driver.parent?.text, !network.driver.isHostDevice,
            HostInterface.index(of: parent) == nil
        else { return }
        for other in try store.sandboxes() {
            for endpoint in other.endpoints {
                guard case .moved(parent, _) = endpoint.link else { continue }
                guard other.identity.isAlive else {
                    try release(other)
                    break
                }
                throw NetworkError(
                    .taken,
                    "network \(network.name): interface \(parent) is taken by \(other.name) "
                        + "(swnet disconnect \(endpoint.network) \(other.name))")
            }
        }
    }

    /// Says that nothing passes yet. A VLAN's own link could not even be brought up, which is an error.
    func noticeDown(_ network: Network) {
        if case .vlan = network.driver { return }
        guard let parent = network.driver.parent?.text, !network.driver.isHostDevice, links.isUp(parent) == false else {
            return
        }
        notice(
            "the host's interface \(parent) is down: nothing passes on network \(network.name) until it is up "
                + "(ip link set \(parent) up)")
    }

    /// Refuses an Ethernet address by which a macvlan could not be told from another one of the same interface, or from that
    /// interface itself.
    mutating func checkApart(_ macAddress: MACAddress, _ driver: NetworkDriver) throws {
        guard case .macvlan(let parent, let mode) = driver, mode != .passthru else { return }
        guard try links.link(named: parent.text)?.address != macAddress else {
            throw NetworkError(.taken, "mac \(macAddress) is that of \(parent) itself (--mac)")
        }
        for other in try store.sandboxes() where other.identity.isAlive {
            for endpoint in other.endpoints where endpoint.macAddress == macAddress {
                guard case .macvlan(parent.text, _) = endpoint.link else { continue }
                throw NetworkError(
                    .taken,
                    "mac \(macAddress) is taken by \(other.name) on \(endpoint.network), which stands on \(parent) too "
                        + "(--mac)")
            }
        }
    }
}

extension EndpointLink {
    /// What two links cannot both have of the host, and why; nil when they go together.
    fileprivate func conflict(with other: EndpointLink) -> (what: String, reason: String)? {
        switch (self, other) {
        case (.macvlan(let parent, let mode), .macvlan(let same, let theirs))
        where parent == same && (mode == .passthru || theirs == .passthru):
            return ("interface \(parent)", "a macvlan of the mode passthru is alone on it")
        case (.macvlan(let parent, _), .ipvlan(let same, _)), (.ipvlan(let parent, _), .macvlan(let same, _)):
            // The kernel hands what an interface receives to one taker (`netdev_rx_handler_register`).
            return parent == same ? ("interface \(parent)", "it carries macvlans or ipvlans, not both") : nil
        case (.ipvlan(let parent, let mode), .ipvlan(let same, let theirs)) where parent == same && mode != theirs:
            // The newest counts for all of them (`ipvlan_link_new`, drivers/net/ipvlan/ipvlan_main.c).
            return ("interface \(parent)", "its ipvlans have one mode, and that is \(theirs.rawValue)")
        case (.vlan(let parent, let tag), .vlan(let same, let theirs)) where parent == same && tag == theirs:
            return ("VLAN \(tag) of interface \(parent)", "one sandbox at a time has it")
        default: return nil
        }
    }
}
