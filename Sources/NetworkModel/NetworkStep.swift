public import Addressing
public import JSONCoding

/// One step of a plan. Every step knows the step that takes it back, and doing or undoing it twice is harmless.
public enum NetworkStep: Hashable, Sendable {
    /// An address gets an owner; its inverse frees it.
    case lease(network: String, address: IPAddress, owner: String)
    case free(network: String, address: IPAddress, owner: String)
    /// A network gets its definition; its inverse forgets it.
    case define(Network)
    case undefine(Network)
    /// A network gets its bridge, addresses, kernel parameters and run-time directory; its inverse removes them.
    case raise(Network)
    case lower(Network)
    /// With the last network that the host routes for its table goes, and what of ours is in chains of others; its inverse
    /// builds the table again.
    case dismantle(Network)
    /// The elements of the firewall change in one batch.
    case firewall(FirewallChange)
    /// The host begins to forward; the interfaces to be guarded are in the firewall by then. Its inverse stops it.
    case forward(HostForwarding)
    case unforward(HostForwarding)
    /// A sandbox's interface comes to be, with its addresses and routes; its inverse deletes the pair.
    case attach(Endpoint, sandbox: String, identity: SandboxIdentity)
    case detach(Endpoint, sandbox: String, identity: SandboxIdentity)
    /// A process begins to carry what the kernel cannot translate; its inverse ends it.
    case startRelay(PortRelay)
    case stopRelay(PortRelay)
    /// Endpoints that stay get other limits or metrics of their default routes; its inverse gives them the former ones.
    case adjust(before: [Endpoint], after: [Endpoint], sandbox: String, identity: SandboxIdentity)
    /// A sandbox's record is replaced; nil is no record.
    case record(name: String, before: Sandbox?, after: Sandbox?)

    /// Whether a failure leaves nothing of the step behind: a batch of the firewall is taken whole or refused whole.
    public var isAtomic: Bool { if case .firewall = self { true } else { false } }

    /// Whether it lets go of what a sandbox had: nobody knows of it afterwards.
    public var forgets: Bool {
        switch self {
        case .free, .record: true
        default: false
        }
    }

    public var inverse: NetworkStep {
        switch self {
        case .lease(let network, let address, let owner): .free(network: network, address: address, owner: owner)
        case .free(let network, let address, let owner): .lease(network: network, address: address, owner: owner)
        case .define(let network): .undefine(network)
        case .undefine(let network): .define(network)
        case .raise(let network): .lower(network)
        case .lower(let network): .raise(network)
        case .dismantle(let network): .firewall(FirewallChange(added: network.elements))
        case .firewall(let change): .firewall(change.inverse)
        case .forward(let forwarding): .unforward(forwarding)
        case .unforward(let forwarding): .forward(forwarding)
        case .attach(let endpoint, let sandbox, let identity):
            .detach(endpoint, sandbox: sandbox, identity: identity)
        case .detach(let endpoint, let sandbox, let identity):
            .attach(endpoint, sandbox: sandbox, identity: identity)
        case .startRelay(let relay): .stopRelay(relay)
        case .stopRelay(let relay): .startRelay(relay)
        case .adjust(let before, let after, let sandbox, let identity):
            .adjust(before: after, after: before, sandbox: sandbox, identity: identity)
        case .record(let name, let before, let after): .record(name: name, before: after, after: before)
        }
    }
}

extension NetworkStep: CustomStringConvertible {
    public var description: String {
        switch self {
        case .lease(let network, let address, let owner): "lease \(address) of \(network) to \(owner)"
        case .free(let network, let address, let owner): "free \(address) of \(network) from \(owner)"
        case .define(let network): "define network \(network.name)"
        case .undefine(let network): "forget network \(network.name)"
        case .raise(let network): "raise network \(network.name)" + (network.bridgeName.map { ", bridge \($0)" } ?? "")
        case .lower(let network): "lower network \(network.name)" + (network.bridgeName.map { ", bridge \($0)" } ?? "")
        case .dismantle: "remove the firewall's table, and rules of ours in chains of others"
        case .firewall(let change):
            change.isEmpty
                ? "make the firewall's table unless it is there"
                : "change the firewall: "
                    + (change.removed.map { "remove \($0)" } + change.added.map { "add \($0)" }).joined(separator: ", ")
        case .forward(let forwarding):
            "switch on forwarding of " + forwarding.families.map(\.word).joined(separator: " and ")
        case .unforward(let forwarding):
            "switch off forwarding of " + forwarding.families.map(\.word).joined(separator: " and ")
        case .attach(let endpoint, let sandbox, _):
            "attach \(sandbox) to \(endpoint.network): \(endpoint.interface) with "
                + endpoint.addresses.map(\.description).joined(separator: " and ") + endpoint.words
        case .detach(let endpoint, let sandbox, _): "detach \(sandbox) from \(endpoint.network): \(endpoint.interface)"
        case .startRelay(let relay): "start the relay of \(relay)"
        case .stopRelay(let relay): "stop the relay of \(relay)"
        case .adjust(let before, let after, let sandbox, _):
            "adjust \(sandbox): " + zip(before, after).map(Endpoint.words).joined(separator: "; ")
        case .record(let name, let before, let after):
            (after == nil ? "forget" : before == nil ? "record" : "update") + " sandbox \(name)"
                + Self.names(from: before, to: after)
        }
    }

    /// What the name servers get to know, who is started with the first of them and ended with the last.
    private static func names(from before: Sandbox?, to after: Sandbox?) -> String {
        let endpoints = (before?.endpoints ?? []) + (after?.endpoints ?? [])
        let networks = Set(endpoints.filter { !$0.nameServers.isEmpty }.map(\.network))
            .filter { before?.endpoint(in: $0) != after?.endpoint(in: $0) }
        return networks.isEmpty ? "" : ", and its names on \(networks.sorted().joined(separator: " and "))"
    }
}

extension NetworkStep: JSONRepresentable {
    public init(json: JSONValue) throws(JSONCodingError) {
        switch try json.string("step") {
        case "lease":
            self = .lease(
                network: try json.string("network"), address: try json.text("address"), owner: try json.string("owner"))
        case "free":
            self = .free(
                network: try json.string("network"), address: try json.text("address"), owner: try json.string("owner"))
        case "define": self = .define(try Network(json: try json.member("definition")))
        case "undefine": self = .undefine(try Network(json: try json.member("definition")))
        case "raise": self = .raise(try Network(json: try json.member("definition")))
        case "lower": self = .lower(try Network(json: try json.member("definition")))
        case "dismantle": self = .dismantle(try Network(json: try json.member("definition")))
        case "firewall": self = .firewall(try FirewallChange(json: try json.member("change")))
        case "forward": self = .forward(try HostForwarding(json: try json.member("forwarding")))
        case "unforward": self = .unforward(try HostForwarding(json: try json.member("forwarding")))
        case "attach":
            self = .attach(
                try Endpoint(json: try json.member("endpoint")), sandbox: try json.string("sandbox"),
                identity: try SandboxIdentity(json: try json.member("namespace")))
        case "detach":
            self = .detach(
                try Endpoint(json: try json.member("endpoint")), sandbox: try json.string("sandbox"),
                identity: try SandboxIdentity(json: try json.member("namespace")))
        case "startRelay": self = .startRelay(try PortRelay(json: try json.member("relay")))
        case "stopRelay": self = .stopRelay(try PortRelay(json: try json.member("relay")))
        case "adjust":
            self = .adjust(
                before: try json.list("before"), after: try json.list("after"), sandbox: try json.string("sandbox"),
                identity: try SandboxIdentity(json: try json.member("namespace")))
        case "record":
            self = .record(
                name: try json.string("sandbox"),
                before: json["before"] == nil ? nil : try Sandbox(json: json.member("before")),
                after: json["after"] == nil ? nil : try Sandbox(json: json.member("after")))
        case let step: throw JSONCodingError("step", "'\(step)' is not known")
        }
    }

    public var json: JSONValue {
        switch self {
        case .lease(let network, let address, let owner): Self.lease("lease", network, address, owner)
        case .free(let network, let address, let owner): Self.lease("free", network, address, owner)
        case .define(let network): JSONValue(["step": "define", "definition": network.json])
        case .undefine(let network): JSONValue(["step": "undefine", "definition": network.json])
        case .raise(let network): JSONValue(["step": "raise", "definition": network.json])
        case .lower(let network): JSONValue(["step": "lower", "definition": network.json])
        case .dismantle(let network): JSONValue(["step": "dismantle", "definition": network.json])
        case .firewall(let change): JSONValue(["step": "firewall", "change": change.json])
        case .forward(let forwarding): JSONValue(["step": "forward", "forwarding": forwarding.json])
        case .unforward(let forwarding): JSONValue(["step": "unforward", "forwarding": forwarding.json])
        case .attach(let endpoint, let sandbox, let identity): Self.link("attach", endpoint, sandbox, identity)
        case .detach(let endpoint, let sandbox, let identity): Self.link("detach", endpoint, sandbox, identity)
        case .startRelay(let relay): JSONValue(["step": "startRelay", "relay": relay.json])
        case .stopRelay(let relay): JSONValue(["step": "stopRelay", "relay": relay.json])
        case .adjust(let before, let after, let sandbox, let identity):
            JSONValue([
                "step": "adjust", "before": JSONValue(before), "after": JSONValue(after), "sandbox": .string(sandbox),
                "namespace": identity.json,
            ])
        case .record(let name, let before, let after):
            JSONValue(["step": "record", "sandbox": .string(name), "before": before?.json, "after": after?.json])
        }
    }

    private static func lease(_ step: String, _ network: String, _ address: IPAddress, _ owner: String) -> JSONValue {
        JSONValue([
            "step": .string(step), "network": .string(network), "address": .init(text: address),
            "owner": .string(owner),
        ])
    }

    private static func link(
        _ step: String, _ endpoint: Endpoint, _ sandbox: String, _ identity: SandboxIdentity
    ) -> JSONValue {
        JSONValue([
            "step": .string(step), "endpoint": endpoint.json, "sandbox": .string(sandbox), "namespace": identity.json,
        ])
    }
}
