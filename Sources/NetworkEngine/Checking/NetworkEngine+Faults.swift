public import Addressing
public import NetworkModel

/// What somebody was told about an endpoint, and still expects of it.
public struct ExpectedEndpoint: Hashable, Sendable {
    public var network: String
    public var interface: String
    /// nil when any will do.
    public var macAddress: MACAddress?
    public var addresses: [IPPrefix]
    /// The routers of default routes.
    public var gateways: [IPAddress]
    public var ports: [PortMapping]

    public init(
        network: String, interface: String, macAddress: MACAddress? = nil, addresses: [IPPrefix] = [],
        gateways: [IPAddress] = [], ports: [PortMapping] = []
    ) {
        self.network = network
        self.interface = interface
        self.macAddress = macAddress
        self.addresses = addresses
        self.gateways = gateways
        self.ports = ports
    }
}

extension NetworkEngine {
    /// How an endpoint, and what it stands on, differ in the kernel from what is recorded and expected.
    ///
    /// - Throws: `NetworkError` of the kind `notFound` when there is no such endpoint.
    public func faults(of sandbox: Sandbox, expecting expected: ExpectedEndpoint) throws -> [String] {
        try operate("check \(sandbox.name)", isReading: true) { session in
            guard let sandbox = try session.store.sandbox(key: sandbox.key),
                var endpoint = sandbox.endpoint(in: expected.network, interface: expected.interface)
            else {
                throw NetworkError(
                    .notFound, "\(sandbox.name) is not connected to \(expected.network) by \(expected.interface)")
            }
            var faults = expected.ports.filter { !sandbox.ports.contains($0) }.map { "port \($0) is not published" }
            let leases = endpoint.addresses.map(\.address)
            // Plugins behind ours may have given addresses, and taken routes away.
            endpoint.addresses = expected.addresses
            endpoint.gateways = expected.gateways
            if let mac = expected.macAddress { endpoint.macAddress = mac }
            endpoint.mtu = nil
            let ports = expected.ports.filter(sandbox.ports.contains)
            faults += try session.check(endpoint, of: sandbox, leases: leases, ports: ports).map(\.description)
            return faults
        }
    }
}
