import Addressing
import LinuxSystem
import NetworkModel
import Nftables
import Rtnetlink
import JSONCoding

/// The switch that makes a host forward packets, and what has to be looked after when it is thrown.
enum Forwarding {
    private static func parameter(_ family: IPFamily) -> String {
        family == .v4 ? "net/ipv4/ip_forward" : "net/ipv6/conf/all/forwarding"
    }

    static func isOn(_ family: IPFamily) throws -> Bool { try Sysctl.read(parameter(family)) != "0" }

    /// What has to be done so that the host forwards these families, which it does not yet.
    ///
    /// - Parameter own: The names of our interfaces, whatever mark they carry by now: guarded, they would be cut off.
    fileprivate static func needed(
        _ missing: [IPFamily], _ links: inout Rtnetlink, own: Set<String>
    ) throws -> HostForwarding {
        let names = try foreignLinks(&links, own)
        var forwarding = HostForwarding()
        for family in missing { forwarding[family] = names }
        if missing.contains(.v6) {
            // 1 means "unless forwarding": without this the host would lose its own router (moby pull request 50646).
            forwarding.acceptsRouterAdvertisements = try names.filter {
                try Sysctl.read("net/ipv6/conf/\($0)/accept_ra") == "1"
            }
        }
        return forwarding
    }

    /// Throws the switch. Equivalent to `sysctl -w net.ipv4.ip_forward=1`.
    static func enable(_ forwarding: HostForwarding) throws {
        for name in forwarding.acceptsRouterAdvertisements {
            try Sysctl.set("net/ipv6/conf/\(name)/accept_ra", to: "2")
        }
        for family in forwarding.families { try Sysctl.set(parameter(family), to: "1") }
    }

    /// Interfaces that somebody has told since to hear routers only while the host does not forward.
    static func deaf(_ forwarding: HostForwarding) throws -> [String] {
        guard try isOn(.v6) else { return [] }
        return try forwarding.acceptsRouterAdvertisements.filter {
            try Sysctl.read("net/ipv6/conf/\($0)/accept_ra") == "1"
        }
    }

    /// Throws it back. Interfaces that have gone meanwhile are no error.
    static func disable(_ forwarding: HostForwarding) throws {
        for family in forwarding.families { try Sysctl.set(parameter(family), to: "0") }
        for name in forwarding.acceptsRouterAdvertisements
        where try Sysctl.read("net/ipv6/conf/\(name)/accept_ra") == "2" {
            try Sysctl.set("net/ipv6/conf/\(name)/accept_ra", to: "1")
        }
    }

    /// How a person ends what we do not.
    static func adviceToEnd(_ forwarding: HostForwarding) -> String {
        forwarding.families.map { "sysctl -w \(parameter($0).replacing("/", with: "."))=0" }.joined(separator: "; ")
            + "; swnet repair"
    }

    fileprivate static func foreignLinks(_ links: inout Rtnetlink, _ own: Set<String>) throws -> [String] {
        try links.links().filter { !$0.flags.contains(.loopback) && !$0.isOurs && !own.contains($0.name) }.map(\.name)
    }
}

extension Link {
    /// Whether we made it: the alias says so.
    var isOurs: Bool { LinkMark.isOnAny(self) }
}

extension Session {
    /// The names of the host's interfaces that networks and endpoints of ours have.
    func ownInterfaces() throws -> Set<String> {
        var names = Set(try store.sandboxes { _, _ in }.flatMap { $0.endpoints.flatMap(\.link.hostInterfaces) })
        for network in try networks({ _ in }) where network.driver.ownsBridge {
            if let bridge = network.bridgeName { names.insert(bridge) }
            names.insert(network.vxlanName)
        }
        return names
    }

    /// What has to be done so that the host forwards for a network; nil when it does already.
    mutating func neededForwarding(for network: Network) throws -> HostForwarding? {
        let missing = try network.subnets.map(\.prefix.family).filter { try !Forwarding.isOn($0) }
        if missing.isEmpty { return nil }
        let own = try ownInterfaces()
        return try Forwarding.needed(missing, &links, own: own)
    }

    /// The part of what we switched on that nobody else can have come to rely on: no interface has come since, or it is
    /// off by now.
    mutating func restorable(_ forwarding: HostForwarding) throws -> HostForwarding {
        let present = try Forwarding.foreignLinks(&links, try ownInterfaces())
        var restorable = forwarding
        for family in forwarding.families where try Forwarding.isOn(family) {
            if present.allSatisfy({ forwarding[family]?.contains($0) == true }) { continue }
            restorable[family] = nil
            if family == .v6 { restorable.acceptsRouterAdvertisements = [] }
        }
        return restorable
    }

    /// The interfaces that have come since something was switched on; nil when there is none.
    mutating func comers(since forwarding: HostForwarding) throws -> String? {
        let known = forwarding.families.flatMap { forwarding[$0] ?? [] }
        let later = try Forwarding.foreignLinks(&links, try ownInterfaces()).filter { !known.contains($0) }
        return forwarding.families.isEmpty || later.isEmpty ? nil : later.joined(separator: ", ")
    }

    /// What was switched on so that the host forwards.
    ///
    /// Where its record is missing or damaged, it is what our table still guards: a host that goes on forwarding without
    /// a guard is a router between its own interfaces.
    mutating func forwarding() throws -> HostForwarding {
        if let recorded = try? store.forwarding() { return recorded }
        var forwarding = try firewall.guardedForwarding()
        // Nobody needs 2 where nothing is forwarded, so it came with the guard.
        forwarding.acceptsRouterAdvertisements = (forwarding[.v6] ?? []).filter {
            (try? Sysctl.read("net/ipv6/conf/\($0)/accept_ra")) == "2"
        }
        return forwarding
    }

    /// Notes what is about to be switched on, or has been switched off. The guard is there before the record, and an
    /// administrator's own settings are not ours for that.
    mutating func noteForwarding(_ change: (HostForwarding) -> HostForwarding) throws {
        let before = try (try? store.forwarding()) ?? firewall.guardedForwarding()
        try store.setForwarding(change(before))
    }

    /// What is wrong with its record; nil when nothing is.
    mutating func forwardingProblem() throws -> String? {
        do {
            guard try store.forwarding() == nil, try !firewall.guardedForwarding().isEmpty else { return nil }
            return "the record of what was switched on to forward is missing"
        } catch let error as NetworkError {
            return "\(error.message)"
        }
    }
}

extension Firewall {
    /// The forwarding that the table guards now.
    fileprivate mutating func guardedForwarding() throws -> HostForwarding {
        var forwarding = HostForwarding()
        guard try parts()?.contains(Ruleset.guarded.name) == true else { return forwarding }
        for element in try elementsPresent(in: Ruleset.guarded) {
            guard element.key.count == 2, case .ifname(let name) = element.key[1] else { continue }
            let family: IPFamily = element.key[0] == .nfproto(.ip) ? .v4 : .v6
            forwarding[family] = (forwarding[family] ?? []) + (name == HostForwarding.mark ? [] : [name])
        }
        return forwarding
    }
}

extension Store {
    /// What was switched on, as it is recorded; nil when nothing is.
    borrowing func forwarding() throws -> HostForwarding? {
        let path = run.file("forwarding")
        guard let forwarding: HostForwarding = try Self.read("forwarding", in: run, path, "swnet repair") else {
            return nil
        }
        // It is only there when there is something to say.
        if forwarding.isEmpty { throw NetworkError(.failed, "read \(path): it names no family (swnet repair)") }
        return forwarding
    }

    borrowing func setForwarding(_ forwarding: HostForwarding) throws {
        if forwarding.isEmpty {
            try run.remove("forwarding")
        } else {
            try replace("forwarding", with: forwarding.json.bytes)
        }
    }
}
