public import Addressing

/// What it takes to connect a sandbox to networks and publish its ports, as one operation.
public struct ConnectRequest: Hashable, Sendable {
    public var sandbox: SandboxReference
    public var attachments: [Attachment]
    public var ports: [PortRequest]

    public init(sandbox: SandboxReference, attachments: [Attachment] = [], ports: [PortRequest] = []) {
        self.sandbox = sandbox
        self.attachments = attachments
        self.ports = ports
    }

    /// One network to connect to; what is left out is chosen.
    public struct Attachment: Hashable, Sendable {
        public var network: String
        /// At most one of each family.
        public var addresses: [IPAddress]
        public var macAddress: MACAddress?
        /// The interface's name in the sandbox; the default is the first free one of eth0, eth1, …
        public var interface: InterfaceName?
        /// Other names of the sandbox on this network.
        public var aliases: [String]
        /// Kept with the endpoint, for whoever asks for it to find it again.
        public var labels: [String: String]
        /// Whether the sandbox may be in the network already, by an interface of another name.
        public var mayBeFurther: Bool
        public var options: EndpointOptions
        /// The largest packet of this endpoint in bytes, at most the network's.
        public var mtu: Int?
        /// The name of its other end in the host, where it has one.
        public var hostInterface: InterfaceName?
        /// Routes besides those that the network gives; one to the same destination takes the place of the network's.
        public var routes: [RouteRequest]
        /// Whether it gets a default route of each family that `routes` has none of.
        public var hasDefaultRoutes: Bool
        /// Whether a network that serves no names is refused when there are aliases; else they are left out there.
        public var needsNames: Bool
        /// Whether other programs change its interface afterwards (`Endpoint.isHandedOn`).
        public var isHandedOn: Bool

        public init(
            network: String, addresses: [IPAddress] = [], macAddress: MACAddress? = nil,
            interface: InterfaceName? = nil, aliases: [String] = [], labels: [String: String] = [:],
            mayBeFurther: Bool = false, options: EndpointOptions = EndpointOptions(), mtu: Int? = nil,
            hostInterface: InterfaceName? = nil, routes: [RouteRequest] = [], hasDefaultRoutes: Bool = true,
            needsNames: Bool = true, isHandedOn: Bool = false
        ) {
            self.network = network
            self.addresses = addresses
            self.macAddress = macAddress
            self.interface = interface
            self.aliases = aliases
            self.labels = labels
            self.mayBeFurther = mayBeFurther
            self.options = options
            self.mtu = mtu
            self.hostInterface = hostInterface
            self.routes = routes
            self.hasDefaultRoutes = hasDefaultRoutes
            self.needsNames = needsNames
            self.isHandedOn = isHandedOn
        }
    }
}
