import Addressing
import LinuxSystem
public import NetworkModel
import Rtnetlink

/// What a person asks of an endpoint, checked against the network, the sandbox and the host.
extension Session {
    /// Refuses options that the network's driver or the sandbox's other endpoints do not allow.
    func options(
        _ attachment: ConnectRequest.Attachment, _ network: Network, of sandbox: Sandbox
    ) throws -> EndpointOptions {
        let options = attachment.options
        try options.validate(mtu: attachment.mtu ?? network.mtu)
        if options.hasLimits { try network.driver.checkLimits() }
        if network.hasSubnet(.v6),
            let off = options.sysctls.first(where: { $0.name == "net.ipv6.conf.IFNAME.disable_ipv6" && $0.value != "0" }
            )
        {
            throw NetworkError(
                .invalid, "sysctl '\(off)': network \(network.name) gives an address of IPv6 (--sysctl)")
        }
        if let metric = options.metric {
            if let other = sandbox.endpoints.first(where: { $0.options.metric == metric && $0.hasDefaultRoute }) {
                throw NetworkError(
                    .taken, "metric \(metric) is that of \(sandbox.name)'s default route by \(other.network) (--metric)"
                )
            }
        }
        return options
    }

    /// The largest packet of an endpoint: what was asked for, or the network's.
    func mtu(_ attachment: ConnectRequest.Attachment, _ network: Network) throws -> Int? {
        guard let wanted = attachment.mtu else {
            // The parent's may have become smaller since.
            if let mtu = network.mtu { try checkFits(mtu, network) }
            return network.mtu
        }
        let least = network.hasSubnet(.v6) ? 1280 : 68
        guard (least...65535).contains(wanted) else {
            throw NetworkError(.invalid, "mtu \(wanted) is out of range (\(least) to 65535, --mtu)")
        }
        let most = network.mtu ?? 1500
        guard wanted <= most || !network.driver.isRoutedByHost else {
            throw NetworkError(
                .invalid, "mtu \(wanted) is more than the \(most) of network \(network.name) (--mtu)")
        }
        try checkFits(wanted, network)
        return wanted
    }

    /// Refuses packets that are too large for what the network stands on. Of a macvlan and a VLAN the kernel says no more
    /// than EINVAL, and of an ipvlan and a bridge nothing.
    func checkFits(_ mtu: Int, _ network: Network) throws {
        switch network.driver {
        case .bridge(let parent?), .macvlan(let parent, _), .ipvlan(let parent, _), .vlan(let parent, _):
            guard let most = HostInterface.mtu(of: parent.text), mtu > Int(most) else { return }
            throw NetworkError(.invalid, "mtu \(mtu) is more than the \(most) of \(parent) (--mtu)")
        default: break
        }
    }

    /// The name of the host's end of a pair: what was asked for, or one that nobody has.
    mutating func hostInterface(_ attachment: ConnectRequest.Attachment, _ network: Network) throws -> String {
        guard let wanted = attachment.hostInterface?.text else {
            // What is no port of a bridge is what packets come in by, and bears the mark that firewalls of others see.
            let prefix = network.driver == .pointToPoint ? Network.interfaceMark : "veth"
            while true {
                let name = prefix + randomHex(bytes: 4)
                if HostInterface.index(of: name) == nil { return name }
            }
        }
        guard network.driver.hasHostEnd else {
            throw NetworkError(
                .invalid,
                "interface \(wanted): an endpoint of the driver \(network.driver.name) has no end in the host "
                    + "(--host-ifname)")
        }
        guard network.driver != .pointToPoint || wanted.hasPrefix(Network.interfaceMark) else {
            throw NetworkError(
                .invalid,
                "interface \(wanted): on a network of the driver ptp it begins with \(Network.interfaceMark), by which "
                    + "rules in other firewalls know what is ours (--host-ifname)")
        }
        guard try links.link(named: wanted) == nil else {
            throw NetworkError(.taken, "the host has an interface \(wanted) already (--host-ifname)")
        }
        return wanted
    }

    /// The step that gives endpoints which stay the settings that they have in another state of their sandbox.
    func adjustment(_ before: [Endpoint], _ after: Sandbox) -> [NetworkStep] {
        let pairs = zip(before, after.endpoints).filter { $0 != $1 }
        if pairs.isEmpty { return [] }
        return [
            .adjust(
                before: pairs.map(\.0), after: pairs.map(\.1), sandbox: after.name, identity: after.identity)
        ]
    }

    /// Changes the limits of an endpoint that is there.
    mutating func limit(
        _ sandbox: Sandbox, in network: String, egress: RateLimit??, ingress: RateLimit??
    ) throws -> Sandbox {
        guard let index = sandbox.endpoints.firstIndex(where: { $0.network == network }) else {
            throw NetworkError(.notFound, "\(sandbox.name) is not connected to \(network)")
        }
        guard sandbox.identity.isAlive else {
            throw NetworkError(.notFound, "sandbox \(sandbox.name): \(sandbox.identity.loss) (swnet gc)")
        }
        var changed = sandbox
        if let egress { changed.endpoints[index].options.egress = egress }
        if let ingress { changed.endpoints[index].options.ingress = ingress }
        let endpoint = changed.endpoints[index]
        try endpoint.options.validate(mtu: endpoint.mtu)
        if endpoint.options.hasLimits { try self.network(network).driver.checkLimits() }
        let steps = adjustment(sandbox.endpoints, changed)
        guard !steps.isEmpty else { return sandbox }
        try carryOut(
            NetworkPlan(
                "limit \(sandbox.name) on \(network)",
                steps: steps + [.record(name: sandbox.name, before: sandbox, after: changed)]))
        return changed
    }
}

extension NetworkDriver {
    /// Whether an endpoint is a pair, one end of which stays in the host.
    var hasHostEnd: Bool {
        switch self {
        case .bridge, .vxlan, .pointToPoint: true
        default: false
        }
    }

    /// Refuses limits where they would have to be set inside of the sandbox, whose owner could take them away.
    fileprivate func checkLimits() throws(NetworkError) {
        guard !hasHostEnd else { return }
        throw NetworkError(
            .invalid,
            "the driver \(name) leaves nothing in the host where a rate could be limited: bridge, vxlan and ptp do "
                + "(--egress, --ingress)")
    }
}

extension NetworkEngine {
    /// Changes the rate limits of an endpoint while it is in use. nil leaves a direction as it is, `.some(nil)` frees it.
    ///
    /// - Throws: `NetworkError` when there is no such endpoint, or its driver has no place for a limit.
    @discardableResult
    public func limit(
        _ reference: SandboxReference, on network: String, egress: RateLimit?? = nil, ingress: RateLimit?? = nil
    ) throws -> Sandbox {
        try operate("limit \(reference.name) on \(network)") { session in
            try session.limit(session.recorded(reference), in: network, egress: egress, ingress: ingress)
        }
    }
}
