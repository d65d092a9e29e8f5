public import Addressing
import JSONCoding

/// What a network configuration asks for, in the words of the bridge and host-local plugins (section 1, and the plugins'
/// own documentation), so that a configuration of theirs works with another `type`.
///
/// Keys that are not known are ignored. Keys that are known and cannot be done are refused, so that nobody believes to
/// have an isolation that is not there.
public struct CNIConfiguration: Hashable, Sendable {
    /// `ipam.type` is `dhcp`: a DHCP server gives the addresses.
    public var usesDHCP = false
    /// `driver`, how the network joins its endpoints; nil for a bridge. The engine knows which there are.
    public var driver: String?
    /// `options` of the driver.
    public var options: [String: String] = [:]
    /// The subnets that addresses are chosen from: `ipam.subnet`, `ipam.ranges`, `runtimeConfig.ipRanges`.
    public var pools: [CNIAddressPool] = []
    /// `exclude`: addresses that are never chosen.
    public var excluded: [IPAddress] = []
    /// The largest packet in bytes, `mtu`; nil for the default.
    public var mtu: Int?
    /// `internal`, or `isGateway: false`: no way out, and none in.
    public var isInternal = false
    /// `macspoofchk`: what a container sends under another's address is dropped.
    public var guardsSources = false
    /// `portIsolation`: containers reach the gateway and not each other.
    public var isolatesPorts = false
    /// `isDefaultGateway`: a default route of each family, whatever `routes` say.
    public var isDefaultGateway = false
    /// `ipam.routes`; nil when nothing is said of them, which is a default route of each family.
    public var routes: [CNIResult.Route]?
    /// `ipMasq`: whether outgoing connections take the host's address; nil when nothing is said of it, and then they do.
    public var masquerades: Bool?
    /// The addresses that this attachment has to have.
    public var addresses: [IPAddress] = []
    public var macAddress: MACAddress?
    /// Other names of the sandbox on this network.
    public var aliases: [String] = []
    public var ports: [CNIPortMapping] = []
    /// nil when no limit is asked for.
    public var bandwidth: CNIBandwidth?
    public var dns = CNIResult.NameService()
    /// `ipam.resolvConf`: a file in the form of resolv.conf(5) that counts where `dns` says nothing; nil for none.
    public var resolvConf: String?
    private var saysDNS = false

    init(_ document: Field, network: String, arguments: CNIArguments) throws(CNIError) {
        let runtime = try document["runtimeConfig"].object()
        try Self.refuseUnsupported(document)
        mtu = try document["mtu"].number(0...65535).flatMap { $0 == 0 ? nil : $0 }
        try readGateway(document)
        guardsSources = try document["macspoofchk"].flag() == true
        isolatesPorts = try document["portIsolation"].flag() == true
        driver = try document["driver"].string()
        try readProvider(document["ipam"])
        for (name, field) in try document["options"].members() ?? [] {
            guard let text = try field.string() else { throw field.missing }
            options[name] = text
        }
        pools = try CNIAddressPool.read(document, runtime)
        excluded = try Self.addresses([document["exclude"], document["ipam"]["exclude"]]) ?? []
        routes = try routes(document["ipam"]["routes"])

        let given = try document["args"].object()["cni"].object()
        addresses = try Self.addresses([runtime["ips"], given["ips"]]) ?? arguments.addresses
        try checkAddresses()
        macAddress = try Self.macAddress([runtime["mac"], given["mac"], document["mac"]]) ?? arguments.macAddress
        aliases = try Self.aliases(runtime["aliases"], network)
        if let name = arguments.podName, Self.isHostName(name), !aliases.contains(name) { aliases.append(name) }
        ports = CNIPortMapping.joined(try CNIPortMapping.read(runtime["portMappings"]))
        bandwidth = try CNIBandwidth(runtime["bandwidth"])
        let fallback = try CNIResult.NameService(document["dns"])
        dns = try CNIResult.NameService(runtime: runtime["dns"]).filled(from: fallback)
        saysDNS = !fallback.isEmpty
        resolvConf = try document["ipam"]["resolvConf"].string().flatMap { $0.isEmpty ? nil : $0 }
    }

    /// Keys of the bridge plugin that ask for something that is not there.
    private static func refuseUnsupported(_ document: Field) throws(CNIError) {
        if let vlan = try document["vlan"].number(0...4094), vlan != 0 {
            throw document["vlan"].unsupported("there are no VLANs inside a network")
        }
        if let trunk = try document["vlanTrunk"].list(), !trunk.isEmpty {
            throw document["vlanTrunk"].unsupported("there are no VLANs inside a network")
        }
        if try document["disableContainerInterface"].flag() == true {
            throw document["disableContainerInterface"].unsupported("not there yet")
        }
    }

    private mutating func readProvider(_ field: Field) throws(CNIError) {
        guard let name = try field.object()["type"].string(), !name.isEmpty, name != "host-local" else { return }
        guard name == "dhcp" else {
            throw field["type"].unsupported("addresses are given as by host-local, or by a DHCP server (dhcp)")
        }
        usesDHCP = true
        // Of the plugin's own keys.
        for key in ["request", "provide"] {
            guard let list = try field[key].list(), !list.isEmpty else { continue }
            throw field[key].unsupported("the client asks for what it needs")
        }
    }

    private mutating func readGateway(_ document: Field) throws(CNIError) {
        let isGateway = try document["isGateway"].flag()
        masquerades = try document["ipMasq"].flag()
        if isGateway == false {
            for key in ["isDefaultGateway", "ipMasq"] where try document[key].flag() == true {
                throw document[key].invalid("contradicts isGateway: false, a network with no way out")
            }
        }
        let wish = try document["internal"].flag()
        if wish == true, isGateway == true { throw document["internal"].invalid("contradicts isGateway: true") }
        isInternal = wish ?? (isGateway == false)
        isDefaultGateway = try document["isDefaultGateway"].flag() == true
    }

    /// Who is asked for names: where the configuration's `dns` says nothing, the file that `resolvConf` names does.
    ///
    /// - Parameter text: What is in that file.
    public func dns(resolvConf text: String) -> CNIResult.NameService {
        saysDNS ? dns : dns.filled(from: CNIResult.NameService(resolvConf: text))
    }
}

// MARK: - Routes

extension CNIConfiguration {
    private func routes(_ field: Field) throws(CNIError) -> [CNIResult.Route]? {
        guard let list = try field.list() else { return nil }
        var routes: [CNIResult.Route] = []
        for element in list { routes.append(try route(element.object())) }
        guard usesDHCP else { return routes }
        if let place = routes.firstIndex(where: { $0 != CNIResult.Route(to: .everything($0.destination.family)) }) {
            throw list[place].unsupported("the DHCP server says which routes there are")
        }
        return nil
    }

    private func route(_ field: Field) throws(CNIError) -> CNIResult.Route {
        guard let destination: IPPrefix = try field["dst"].parsed("a subnet as ADDRESS/LENGTH") else {
            throw field["dst"].missing
        }
        guard destination.isNetwork else {
            throw field["dst"].invalid("\(destination) has host bits set (did you mean \(destination.network))")
        }
        if isInternal { throw field.invalid("a route to \(destination) contradicts a network with no way out") }
        let family = destination.family
        guard pools.isEmpty || pools.contains(where: { $0.subnet.family == family }) else {
            throw field["dst"].invalid("\(destination), and there is no subnet of that family")
        }
        let priority = try field["priority"].number(0...Int(UInt32.max)) ?? 0
        // The main table, and the scope of a route by a gateway, are what they are without.
        for (key, usual) in [("mtu", 0), ("advmss", 0), ("table", 254), ("scope", 0)] {
            guard let number = try field[key].number(0...Int(UInt32.max)), number != usual, number != 0 else {
                continue
            }
            throw field[key].unsupported("a route has dst, gw and priority")
        }
        let gateway: IPAddress? = try field["gw"].parsed("an IP address")
        if let gateway {
            guard gateway.family == family else {
                throw field["gw"].invalid("\(gateway) is no next hop to \(destination)")
            }
            guard pools.isEmpty || pools.contains(where: { $0.subnet.allowsHost(gateway) }) else {
                let subnets = pools.map(\.subnet.description).joined(separator: ", ")
                throw field["gw"].invalid("\(gateway) is no host's address of \(subnets)")
            }
        }
        return CNIResult.Route(to: destination, via: gateway, priority: priority == 0 ? nil : priority)
    }
}

// MARK: - One attachment

extension CNIConfiguration {
    /// The first of several places that says something, as a list.
    private static func addresses(_ fields: [Field]) throws(CNIError) -> [IPAddress]? {
        for field in fields {
            guard let list = try field.list(), !list.isEmpty else { continue }
            var addresses: [IPAddress] = []
            for element in list {
                guard let text = try element.string() else { throw element.missing }
                guard let address = IPAddress(leaving: text) else {
                    throw element.invalid("'\(text)' is no IP address")
                }
                addresses.append(address)
            }
            return addresses
        }
        return nil
    }

    private func checkAddresses() throws(CNIError) {
        for (index, address) in addresses.enumerated() {
            if addresses[..<index].contains(address) {
                throw CNIError(.invalidConfiguration, "ips: \(address) is asked for twice")
            }
            if pools.isEmpty { continue }
            guard let pool = pools.first(where: { $0.subnet.contains(address) }) else {
                let subnets = pools.map(\.subnet.description).joined(separator: ", ")
                throw CNIError(.invalidConfiguration, "ips: \(address) is outside of \(subnets)")
            }
            if let other = addresses[..<index].first(where: { pool.subnet.contains($0) }) {
                throw CNIError(.invalidConfiguration, "ips: \(other) and \(address) are both of \(pool.subnet)")
            }
        }
    }

    private static func macAddress(_ fields: [Field]) throws(CNIError) -> MACAddress? {
        for field in fields {
            let what = "six pairs of hexadecimal digits (02:00:00:00:00:01)"
            guard let address: MACAddress = try field.parsed(what) else { continue }
            guard address.isUnicast else { throw field.invalid("'\(address)' is no interface's address") }
            return address
        }
        return nil
    }

    /// A list of names (CONVENTIONS.md), or as podman has it such a list for each network.
    private static func aliases(_ field: Field, _ network: String) throws(CNIError) -> [String] {
        var field = field
        if case .object? = field.value { field = field[network] }
        let aliases = try field.strings()
        if let alias = aliases.first(where: { !isHostName($0) }) { throw field.invalid("'\(alias)' is no host's name") }
        return aliases
    }

    /// RFC 1123, section 2.1, and the underscore that people use.
    private static func isHostName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.utf8.count) && !label.hasPrefix("-") && CNIAttachment.isIdentifier("a" + label)
            }
    }
}
