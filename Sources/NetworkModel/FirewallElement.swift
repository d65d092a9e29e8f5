public import Addressing
public import JSONCoding

/// One fact that the firewall has to know. Rules never change; only elements of their sets and maps come and go.
public enum FirewallElement: Hashable, Sendable {
    /// Ports of the host that lead to an address.
    case published(PortMapping, target: IPAddress, owner: String)
    /// A bridge of ours, or the host's end of a pair that is a network's link as well.
    case bridge(String, network: String)
    /// A bridge whose endpoints do not reach each other, not even by published ports.
    case apart(String)
    /// An address of such an endpoint, with its Ethernet address: it reaches itself by its published ports.
    case itself(IPAddress, MACAddress)
    /// A bridge whose network is cut off from the outside.
    case internalBridge(String)
    /// The host's end of a pair, and the subnet that its network has on all its pairs: inside it the host routes.
    case routed(String, IPPrefix)
    /// A bridge whose network is open to others that are.
    case openBridge(String)
    /// A bridge whose network has nothing to do with others.
    case strictBridge(String)
    /// A bridge whose outgoing traffic keeps its addresses.
    case plainBridge(String)
    /// The UDP port at which other hosts send what is for a network here.
    case tunnel(UInt16)
    /// A subnet whose outgoing traffic takes this address of the host's.
    case source(IPPrefix, IPAddress, network: String)
    /// An interface that the host must not route between and others of its kind.
    case guarded(IPFamily, String)
    /// A gateway where a network's names are asked for.
    case nameServer(IPAddress, network: String)
    /// A bridge's port that nothing comes in by but what is its endpoint's own.
    case guardedPort(String, sandbox: String)
    /// What is an endpoint's own: the port that it is behind, its Ethernet address and one of its addresses.
    case ownAddress(String, MACAddress, IPAddress)
}

extension FirewallElement: CustomStringConvertible {
    public var description: String {
        switch self {
        case .published(let mapping, let target, let owner): "published \(mapping) to \(target) of \(owner)"
        case .bridge(let name, _): "bridge \(name)"
        case .apart(let name): "apart on \(name)"
        case .itself(let address, let mac): "itself \(address) with \(mac)"
        case .internalBridge(let name): "internal bridge \(name)"
        case .routed(let link, let prefix): "routed \(prefix) by \(link)"
        case .openBridge(let name): "open bridge \(name)"
        case .strictBridge(let name): "strict bridge \(name)"
        case .plainBridge(let name): "plain bridge \(name)"
        case .tunnel(let port): "tunnel at \(port)"
        case .source(let prefix, let source, _): "source of \(prefix) \(source)"
        case .guarded(let family, let name): "guarded \(family.word) \(name)"
        case .nameServer(let address, let network): "name server \(address) of \(network)"
        case .guardedPort(let port, let sandbox): "guarded port \(port) of \(sandbox)"
        case .ownAddress(let port, let mac, let address): "own address \(address) with \(mac) at \(port)"
        }
    }
}

extension FirewallElement: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        switch try json.string("kind") {
        case "published":
            self = .published(
                try PortMapping(json: json.member("mapping")), target: try json.text("target"),
                owner: try json.string("owner"))
        case "bridge": self = .bridge(try json.string("bridge"), network: try json.string("network"))
        case "apart": self = .apart(try json.string("bridge"))
        case "itself": self = .itself(try json.text("address"), try json.text("mac"))
        case "open": self = .openBridge(try json.string("bridge"))
        case "strict": self = .strictBridge(try json.string("bridge"))
        case "plain": self = .plainBridge(try json.string("bridge"))
        case "tunnel": self = .tunnel(UInt16(clamping: try json.integer("port")))
        case "internal": self = .internalBridge(try json.string("bridge"))
        case "routed": self = .routed(try json.string("link"), try json.text("subnet"))
        case "source":
            self = .source(
                try json.text("subnet"), try json.text("source"), network: try json.string("network"))
        case "guarded":
            self = .guarded(try json.string("family") == IPFamily.v4.rawValue ? .v4 : .v6, try json.string("interface"))
        case "nameServer":
            self = .nameServer(try json.text("address"), network: try json.string("network"))
        case "guardedPort":
            self = .guardedPort(try json.string("port"), sandbox: try json.string("sandbox"))
        case "own":
            self = .ownAddress(try json.string("port"), try json.text("mac"), try json.text("address"))
        case let kind: throw JSONCodingError("kind", "'\(kind)' is not known")
        }
    }

    public var json: JSONValue {
        switch self {
        case .published(let mapping, let target, let owner):
            JSONValue([
                "kind": "published", "mapping": mapping.json, "target": .init(text: target), "owner": .string(owner),
            ])
        case .bridge(let name, let network):
            JSONValue(["kind": "bridge", "bridge": .string(name), "network": .string(network)])
        case .apart(let name): JSONValue(["kind": "apart", "bridge": .string(name)])
        case .itself(let address, let mac):
            JSONValue(["kind": "itself", "address": .init(text: address), "mac": .init(text: mac)])
        case .openBridge(let name): JSONValue(["kind": "open", "bridge": .string(name)])
        case .strictBridge(let name): JSONValue(["kind": "strict", "bridge": .string(name)])
        case .internalBridge(let name): JSONValue(["kind": "internal", "bridge": .string(name)])
        case .plainBridge(let name): JSONValue(["kind": "plain", "bridge": .string(name)])
        case .tunnel(let port): JSONValue(["kind": "tunnel", "port": .integer(Int(port))])
        case .routed(let link, let prefix):
            JSONValue(["kind": "routed", "link": .string(link), "subnet": .init(text: prefix)])
        case .source(let prefix, let source, let network):
            JSONValue([
                "kind": "source", "subnet": .init(text: prefix), "source": .init(text: source),
                "network": .string(network),
            ])
        case .guarded(let family, let name):
            JSONValue(["kind": "guarded", "family": .string(family.rawValue), "interface": .string(name)])
        case .nameServer(let address, let network):
            JSONValue([
                "kind": "nameServer", "address": .init(text: address), "network": .string(network),
            ])
        case .guardedPort(let port, let sandbox):
            JSONValue(["kind": "guardedPort", "port": .string(port), "sandbox": .string(sandbox)])
        case .ownAddress(let port, let mac, let address):
            JSONValue([
                "kind": "own", "port": .string(port), "mac": .init(text: mac), "address": .init(text: address),
            ])
        }
    }
}

extension JSONValue: ExpressibleByStringLiteral {
    public init(stringLiteral text: String) { self = .string(text) }
}
