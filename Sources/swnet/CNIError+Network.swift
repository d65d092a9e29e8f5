import CNI
import NetworkModel

extension CNIError {
    /// What the engine refused, under the number that a runtime understands.
    init(_ error: NetworkError) {
        let code: Code =
            switch error.kind {
            case .invalid: .invalidConfiguration
            case .notFound: .unknownContainer
            case .taken, .inUse: .taken
            case .failed: .failed
            }
        // A flag of the command line is no help to who writes a configuration.
        var message = error.message
        while let start = message.firstRange(of: " (--"), let end = message[start.upperBound...].firstIndex(of: ")") {
            message.removeSubrange(start.lowerBound...end)
        }
        self.init(code, message)
    }
}

extension CNIConfiguration {
    /// The ports in the engine's words.
    ///
    /// - Throws: `CNIError` 2 for a protocol that cannot be published, 7 for an address that cannot.
    func mappings() throws(CNIError) -> [PortMapping] {
        var mappings: [PortMapping] = []
        for port in ports {
            guard let transport = TransportProtocol(rawValue: port.transport) else {
                throw CNIError(
                    .unsupportedField, "unsupported field runtimeConfig.portMappings.protocol: \"\(port.transport)\"",
                    details: "published are \(TransportProtocol.allCases.map(\.rawValue).joined(separator: ", "))")
            }
            guard
                let mapping = PortMapping(
                    hostAddress: port.hostAddress, hostPorts: port.hostPorts, sandboxPorts: port.sandboxPorts,
                    transport: transport)
            else { continue }
            do throws(NetworkError) {
                // Its text is what a person may write, so the same is refused here.
                mappings.append(try PortMapping(parsing: mapping.description))
            } catch {
                throw CNIError(.invalidConfiguration, "runtimeConfig.portMappings: \(error.message)")
            }
        }
        return mappings
    }

    /// The limits of `runtimeConfig.bandwidth` in the engine's words. A burst that lets no packet pass becomes one that
    /// does: with the plugin bandwidth nothing at all would get through.
    ///
    /// - Throws: `CNIError` 7 for a rate that nothing can be done with.
    func limits() throws(CNIError) -> EndpointOptions {
        guard let bandwidth else { return EndpointOptions() }
        let packet = EndpointOptions.packet(mtu: mtu)
        let limit = { (bits: Int, burst: Int, key: String) throws(CNIError) -> RateLimit? in
            if bits == 0 { return nil }
            let bytes = UInt32(clamping: max(burst / 8, packet))
            guard let limit = RateLimit(bits: UInt64(bits), burst: bytes) else {
                throw CNIError(
                    .invalidConfiguration,
                    "runtimeConfig.bandwidth.\(key): \(bits) is out of range (\(RateLimit.range.lowerBound) to "
                        + "\(RateLimit.range.upperBound) bits a second)")
            }
            return limit
        }
        return EndpointOptions(
            egress: try limit(bandwidth.egressRate, bandwidth.egressBurst, "egressRate"),
            ingress: try limit(bandwidth.ingressRate, bandwidth.ingressBurst, "ingressRate"))
    }
}
