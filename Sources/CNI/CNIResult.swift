public import Addressing
import JSONCoding

/// What ADD has made, and what plugins hand on to each other as `prevResult` (section 5, ADD Success).
public struct CNIResult: Hashable, Sendable {
    public var interfaces: [Interface]
    public var addresses: [Address]
    public var routes: [Route]
    public var dns: NameService
    /// Members that no version of the specification has; they are handed on.
    var others: [JSONValue.Member] = []

    public init(
        interfaces: [Interface] = [], addresses: [Address] = [], routes: [Route] = [], dns: NameService = NameService()
    ) {
        self.interfaces = interfaces
        self.addresses = addresses
        self.routes = routes
        self.dns = dns
    }

    public struct Interface: Hashable, Sendable {
        public var name: String
        /// Empty where there is none.
        public var macAddress: String
        /// Bytes; since 1.1.0.
        public var mtu: Int?
        /// The path of the network namespace it is in; empty for the host's.
        public var sandbox: String
        var others: [JSONValue.Member] = []

        public init(name: String, macAddress: String = "", mtu: Int? = nil, sandbox: String = "") {
            self.name = name
            self.macAddress = macAddress
            self.mtu = mtu
            self.sandbox = sandbox
        }
    }

    public struct Address: Hashable, Sendable {
        /// With the length of its subnet.
        public var prefix: IPPrefix
        public var gateway: IPAddress?
        /// The place of its interface in the list.
        public var interface: Int?
        var others: [JSONValue.Member] = []

        public init(_ prefix: IPPrefix, gateway: IPAddress? = nil, interface: Int? = nil) {
            self.prefix = prefix
            self.gateway = gateway
            self.interface = interface
        }
    }

    public struct Route: Hashable, Sendable {
        public var destination: IPPrefix
        /// nil: the gateway of an address of the family.
        public var gateway: IPAddress?
        /// Its metric, when it was asked for; since 1.1.0.
        public var priority: Int?
        var others: [JSONValue.Member] = []

        public init(to destination: IPPrefix, via gateway: IPAddress? = nil, priority: Int? = nil) {
            self.destination = destination
            self.gateway = gateway
            self.priority = priority
        }

        /// Whether it is where routes are that nobody puts elsewhere (`RT_TABLE_MAIN`).
        public var isInMainTable: Bool {
            others.allSatisfy { $0.name != "table" || [.null, .integer(0), .integer(254)].contains($0.value) }
        }
    }

    /// What a resolver has to know.
    public struct NameService: Hashable, Sendable {
        public var servers: [String] = []
        public var domain = ""
        public var search: [String] = []
        public var options: [String] = []

        public init() {}
        public var isEmpty: Bool { self == NameService() }
    }
}

// MARK: - Chaining

extension CNIResult {
    /// What ran before and what this plugin has made.
    public func appended(to previous: CNIResult) -> CNIResult {
        var result = previous
        result.interfaces += interfaces
        result.addresses += addresses.map { address in
            var address = address
            address.interface = address.interface.map { $0 + previous.interfaces.count }
            return address
        }
        result.routes += routes.filter { !previous.routes.contains($0) }
        if !dns.isEmpty { result.dns = dns }
        return result
    }

    /// The sandbox's interface of a name. A sandbox may be told by another path than the one it is known by here, so
    /// that any counts.
    public func interface(of attachment: CNIAttachment) -> (place: Int, interface: Interface)? {
        let place = interfaces.firstIndex { $0.name == attachment.interface.text && !$0.sandbox.isEmpty }
        return place.map { ($0, interfaces[$0]) }
    }
}
