public import Addressing
public import JSONCoding

/// What an endpoint's interface is in the kernel.
public enum EndpointLink: Hashable, Sendable {
    /// One end of a veth pair; the other is a port of a bridge.
    case port(host: String, bridge: String)
    /// One end of a veth pair; the other stays alone in the host.
    case pointToPoint(host: String)
    case macvlan(parent: String, mode: NetworkDriver.MacvlanMode)
    case ipvlan(parent: String, mode: NetworkDriver.IPVlanMode)
    case vlan(parent: String, identifier: Int)
    /// An interface of the host that was moved into the sandbox: its name there, and what it gets back with it.
    case moved(String, before: DeviceSettings = DeviceSettings())
    case dummy

    /// What an interface was like before a sandbox got it; nil where that is not known.
    public struct DeviceSettings: Hashable, Sendable {
        public var macAddress: MACAddress?
        /// Bytes.
        public var mtu: Int?

        public init(macAddress: MACAddress? = nil, mtu: Int? = nil) {
            self.macAddress = macAddress
            self.mtu = mtu
        }
    }

    /// The interface that stays in the host as the other end.
    public var hostInterface: String? {
        switch self {
        case .port(let host, _), .pointToPoint(let host): host
        default: nil
        }
    }

    /// The name of the interface of the host through which what the sandbox sends is led to be limited.
    ///
    /// It follows from that of the host's end: `ifb1f2e3d4c` belongs to `veth1f2e3d4c`.
    public var limiter: String? {
        hostInterface.map { host in
            if host.hasPrefix("veth") && host.utf8.count == 12 { return "ifb" + String(host.dropFirst(4)) }
            // FNV-1a (draft-eastlake-fnv), cut to eight digits.
            let hash = host.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
            let digits = String(hash & 0xffff_ffff, radix: 16)
            return "ifb" + String(repeating: "0", count: 8 - digits.count) + digits
        }
    }

    /// Every interface of ours that it may have in the host.
    public var hostInterfaces: [String] { [hostInterface, limiter].compactMap(\.self) }

    /// The interface of the host that it stands on, or is.
    public var parent: String? {
        switch self {
        case .port(_, let bridge): bridge
        case .macvlan(let parent, _), .ipvlan(let parent, _), .vlan(let parent, _): parent
        case .moved(let device, _): device
        case .pointToPoint, .dummy: nil
        }
    }

    /// Whether it has something of an interface of the host that another may want as soon as it has ended: an Ethernet
    /// address, a tag, or all of it.
    public var holdsParent: Bool { bridge == nil && parent != nil }

    public var bridge: String? { if case .port(_, let bridge) = self { bridge } else { nil } }

    /// The kernel's name for its kind; nil for an interface that is not of our making.
    public var kind: String? {
        switch self {
        case .port, .pointToPoint: "veth"
        case .macvlan: "macvlan"
        case .ipvlan: "ipvlan"
        case .vlan: "vlan"
        case .moved: nil
        case .dummy: "dummy"
        }
    }
}

extension EndpointLink: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        func mode<Mode: RawRepresentable<String>>() throws(JSONCodingError) -> Mode {
            guard let mode = Mode(rawValue: try json.string("mode")) else {
                throw JSONCodingError("mode", "is not known")
            }
            return mode
        }
        switch try json.string("kind") {
        case "port": self = .port(host: try json.string("host"), bridge: try json.string("bridge"))
        case "ptp": self = .pointToPoint(host: try json.string("host"))
        case "macvlan": self = .macvlan(parent: try json.string("parent"), mode: try mode())
        case "ipvlan": self = .ipvlan(parent: try json.string("parent"), mode: try mode())
        case "vlan": self = .vlan(parent: try json.string("parent"), identifier: try json.integer("id"))
        case "moved":
            let before = DeviceSettings(
                macAddress: try json.optionalText("mac"), mtu: json["mtu"] == nil ? nil : try json.integer("mtu"))
            self = .moved(try json.string("device"), before: before)
        case "dummy": self = .dummy
        case let kind: throw JSONCodingError("kind", "'\(kind)' is not known")
        }
    }

    public var json: JSONValue {
        switch self {
        case .port(let host, let bridge):
            JSONValue(["kind": "port", "host": .string(host), "bridge": .string(bridge)])
        case .pointToPoint(let host): JSONValue(["kind": "ptp", "host": .string(host)])
        case .macvlan(let parent, let mode):
            JSONValue(["kind": "macvlan", "parent": .string(parent), "mode": .string(mode.rawValue)])
        case .ipvlan(let parent, let mode):
            JSONValue(["kind": "ipvlan", "parent": .string(parent), "mode": .string(mode.rawValue)])
        case .vlan(let parent, let identifier):
            JSONValue(["kind": "vlan", "parent": .string(parent), "id": .integer(identifier)])
        case .moved(let device, let before):
            JSONValue([
                "kind": "moved", "device": .string(device), "mac": before.macAddress.map { .init(text: $0) },
                "mtu": before.mtu.map { .integer($0) },
            ])
        case .dummy: JSONValue(["kind": "dummy"])
        }
    }
}
