import Addressing
public import JSONCoding

/// Something in the kernel that is not as it is recorded.
public struct NetworkDifference: Hashable, Sendable {
    /// What it is about: `network lab`, `web on lab`, `firewall`.
    public var object: String
    /// What is wrong with it; lower case, without a full stop.
    public var problem: String
    /// What makes it right again.
    public var remedy: Remedy

    public init(_ object: String, _ problem: String, _ remedy: Remedy) {
        self.object = object
        self.problem = problem
        self.remedy = remedy
    }

    /// What a repair does; of several differences with one remedy, it does it once.
    public enum Remedy: Hashable, Sendable {
        /// The network's own interfaces are made or set up again.
        case network(String)
        /// The endpoint's interface is made again: sandbox, network, and which of the sandbox's interfaces it is.
        case endpoint(String, network: String, interface: String)
        /// The endpoint's interface is there, and is set up again.
        case interface(String, network: String, interface: String)
        /// The table is built again from what is recorded.
        case firewall
        /// Relays that are gone are started again, and those of nobody stopped.
        case relays
        /// Our packets are let through chains of others again, as was asked for.
        case foreign
        /// Forwarding is switched on again.
        case forwarding
        /// Leases and the index of ports are written again from the records.
        case records
        /// The name server's files are written again from the records, and it is started when it is not there.
        case names
        /// What lies in the place of one of our folders is removed, and the folder made.
        case folder(String)
        /// What is left of a sandbox whose namespace is gone is cleaned up.
        case release(String)
        /// What is left of a network that nobody knows any more is removed.
        case remains(String)
        /// An interface that carries our mark and belongs to nobody is removed.
        case stray(String)
        /// Broken, and only a person can make it right: what they can do is said.
        case person(String)
        /// Somebody else's, which may be as they want it: nothing is done, but what a person can do is said.
        case advice(String)
    }

    /// What a repair does, in words; nil where that is for a person.
    public var repair: String? {
        switch remedy {
        case .network(let name): "set up the interfaces of network \(name)"
        case .endpoint(let sandbox, let network, let interface):
            "make \(interface) of \(sandbox) on \(network) again"
        case .interface(let sandbox, let network, let interface):
            "set up \(interface) of \(sandbox) on \(network)"
        case .firewall: "build the table from the records"
        case .relays: "start and stop relays"
        case .foreign: "add rules to chains of others"
        case .forwarding: "switch forwarding"
        case .records: "write the records"
        case .names: "write the names, and start their server"
        case .folder(let path): "make the folder \(path)"
        case .release(let sandbox): "clean up after \(sandbox)"
        case .remains(let name): "remove what is left of network \(name)"
        case .stray(let name): "remove the interface \(name)"
        case .person, .advice: nil
        }
    }

    /// Whether it is ours to repair.
    public var isOurs: Bool { advice == nil }

    /// Whether nothing of ours is broken.
    public var isOthers: Bool { if case .advice = remedy { true } else { false } }

    /// What a person can do, where nobody else can.
    public var advice: String? {
        switch remedy {
        case .person(let advice), .advice(let advice): advice
        default: nil
        }
    }
}

extension NetworkDifference: CustomStringConvertible {
    public var description: String {
        "\(object): \(problem)" + (advice.map { " (\($0))" } ?? "")
    }
}

extension NetworkDifference {
    /// For people and `jq`.
    public var json: JSONValue {
        JSONValue([
            "object": .string(object), "problem": .string(problem), "repairable": .bool(isOurs),
            "remedy": repair.map { .string($0) },
            "advice": advice.map { .string($0) },
        ])
    }
}
