import Addressing
import CNI
import NetworkEngine
import NetworkModel

/// The network that a CNI configuration is about: made with the first attachment, and compared with ever after.
struct CNINetwork {
    let request: CNIRequest
    let configuration: CNIConfiguration

    /// Connects a sandbox to the network, which is made with it unless it is there.
    ///
    /// - Returns: The sandbox, and whether the network was made.
    /// - Throws: `CNIError` 7 when it is there and contradicts the configuration.
    func connect(_ connection: ConnectRequest, _ engine: NetworkEngine) throws -> (sandbox: Sandbox, isNew: Bool) {
        try engine.connect(connection, making: networkRequest(), comparing: { try compare($0, engine) })
    }

    /// Why the next ADD would fail; nil when it would not.
    func obstacle(_ engine: NetworkEngine) throws -> NetworkError? {
        if let network = try engine.definition(of: request.network) { try compare(network, engine) }
        return try engine.obstacle(to: networkRequest())
    }

    private func networkRequest() throws(NetworkError) -> NetworkRequest {
        NetworkRequest(
            name: request.network, driver: try driver ?? .bridge(), subnets: configuration.pools.map(\.subnet),
            alternatives: Set(configuration.pools.filter(\.isAlternative).map(\.subnet)),
            gateways: configuration.pools.compactMap(\.gateway),
            ranges: configuration.pools.flatMap(\.addressRanges), excluded: configuration.excluded,
            hasAddresses: !configuration.usesDHCP, mtu: configuration.mtu, isInternal: configuration.isInternal,
            policy: NetworkPolicy(
                isolatesPorts: configuration.isolatesPorts, guardsSources: configuration.guardsSources,
                keepsSources: try keepsSources),
            providers: configuration.usesDHCP ? [.dhcp] : [])
    }

    /// nil when the configuration says nothing of it.
    private var driver: NetworkDriver? {
        get throws(NetworkError) {
            guard configuration.driver != nil || !configuration.options.isEmpty else { return nil }
            return try NetworkDriver(name: configuration.driver ?? "bridge", options: configuration.options)
        }
    }

    /// Where the host translates nothing anyway, that is no wish.
    private var keepsSources: Bool {
        get throws(NetworkError) {
            guard configuration.masquerades == false, !configuration.isInternal else { return false }
            return try driver?.isRoutedByHost != false
        }
    }

    private func compare(_ network: Network, _ engine: NetworkEngine) throws {
        if let driver = try driver, ![driver, engine.resolved(driver)].contains(network.driver) {
            throw contradiction("driver \(text(driver))", text(network.driver))
        }
        if configuration.usesDHCP != network.providers.contains(.dhcp) {
            let words = { (isUsed: Bool) in isUsed ? "addresses of a DHCP server" : "addresses of its own" }
            throw contradiction(words(configuration.usesDHCP), words(!configuration.usesDHCP))
        }
        for pool in configuration.pools {
            guard let subnet = network.subnets.first(where: { $0.prefix == pool.subnet }) else {
                let subnets = network.subnets.map(\.prefix.description).joined(separator: ", ")
                throw contradiction("subnet \(pool.subnet)", subnets)
            }
            if let gateway = pool.gateway, gateway != subnet.gateway {
                throw contradiction("gateway \(gateway)", subnet.gateway?.description ?? "no gateway")
            }
            let ranges = pool.addressRanges.sorted { $0.first < $1.first }
            if !ranges.isEmpty, ranges != subnet.ranges {
                let wanted = ranges.map(\.description).joined(separator: " and ")
                throw contradiction(
                    "range \(wanted)", subnet.ranges.isEmpty ? "all of \(subnet.prefix)" : subnet.extent)
            }
            if pool.isAlternative != subnet.isAlternative {
                let words = { "\(pool.subnet) \($0 ? "instead of" : "beside") the subnet before it" }
                throw contradiction(words(pool.isAlternative), words(subnet.isAlternative))
            }
        }
        if let mtu = configuration.mtu, mtu != network.mtu ?? 1500 {
            throw contradiction("mtu \(mtu)", "\(network.mtu ?? 1500)")
        }
        for (wanted, isThere, what) in [
            (configuration.guardsSources, network.policy.guardsSources, "macspoofchk"),
            (configuration.isolatesPorts, network.policy.isolatesPorts, "portIsolation"),
        ] where wanted && !isThere {
            throw contradiction(what, "nothing of the kind")
        }
        if configuration.isInternal != network.isInternal {
            throw contradiction(
                configuration.isInternal ? "no way out" : "a way out", network.isInternal ? "none" : "one")
        }
        if let masquerades = configuration.masquerades, network.isOpen, masquerades == network.policy.keepsSources {
            throw contradiction("ipMasq: \(masquerades)", "ipMasq: \(!masquerades)")
        }
    }

    private func text(_ driver: NetworkDriver) -> String {
        ([driver.name] + driver.options.map { "\($0.key)=\($0.value)" }).joined(separator: " ")
    }

    private func contradiction(_ wanted: String, _ found: String) -> CNIError {
        CNIError(
            .invalidConfiguration, "network \(request.network) exists with \(found), and not with \(wanted)",
            details: "swnet rm \(request.network) has the next attachment make it anew")
    }
}

extension CNIAddressPool {
    fileprivate var addressRanges: [AddressRange] { ranges.compactMap { AddressRange($0.lowerBound, $0.upperBound) } }
}
