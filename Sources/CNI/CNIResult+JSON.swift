import Addressing
public import JSONCoding

extension CNIResult {
    init(_ field: Field) throws(CNIError) {
        let object = try field.object()
        var interfaces: [Interface] = []
        for element in try object["interfaces"].list() ?? [] { interfaces.append(try Interface(element.object())) }
        var addresses: [Address] = []
        for element in try object["ips"].list() ?? [] {
            let address = try Address(element.object())
            if let place = address.interface, !interfaces.indices.contains(place) {
                throw element["interface"].invalid("\(place) is none of the \(interfaces.count) interfaces")
            }
            addresses.append(address)
        }
        var routes: [Route] = []
        for element in try object["routes"].list() ?? [] { routes.append(try Route(element.object())) }
        self.init(
            interfaces: interfaces, addresses: addresses, routes: routes, dns: try NameService(object["dns"]))
        others = object.members(except: ["cniVersion", "interfaces", "ips", "routes", "dns"])
    }

    public func json(_ version: CNIVersion) -> JSONValue {
        .object(
            [
                .init("cniVersion", .string(version.rawValue)),
                .init("interfaces", .array(interfaces.map { $0.json(version) })),
                .init("ips", .array(addresses.map { $0.json(version) })),
                .init("routes", .array(routes.map { $0.json(version) })),
                .init("dns", dns.json),
            ] + others)
    }
}

extension CNIResult.Interface {
    fileprivate init(_ field: Field) throws(CNIError) {
        guard let name = try field["name"].string() else { throw field["name"].missing }
        self.init(
            name: name, macAddress: try field["mac"].string() ?? "", mtu: try field["mtu"].number(0...Int.max),
            sandbox: try field["sandbox"].string() ?? "")
        others = field.members(except: ["name", "mac", "mtu", "sandbox"])
    }

    fileprivate func json(_ version: CNIVersion) -> JSONValue {
        let known: [JSONValue.Member?] = [
            .init("name", .string(name)),
            macAddress.isEmpty ? nil : .init("mac", .string(macAddress)),
            version < .v1_1_0 ? nil : mtu.map { .init("mtu", .integer($0)) },
            sandbox.isEmpty ? nil : .init("sandbox", .string(sandbox)),
        ]
        return .object(known.compactMap(\.self) + others)
    }
}

extension CNIResult.Address {
    fileprivate init(_ field: Field) throws(CNIError) {
        guard let prefix: IPPrefix = try field["address"].parsed("an address as ADDRESS/LENGTH") else {
            throw field["address"].missing
        }
        let gateway: IPAddress? = try field["gateway"].parsed("an IP address")
        self.init(prefix, gateway: gateway, interface: try field["interface"].integer())
        others = field.members(except: ["version", "address", "gateway", "interface"])
    }

    fileprivate func json(_ version: CNIVersion) -> JSONValue {
        let known: [JSONValue.Member?] = [
            // What 1.0.0 took out, 0.4.0 requires.
            version < .v1_0_0 ? .init("version", .string(prefix.family == .v4 ? "4" : "6")) : nil,
            interface.map { .init("interface", .integer($0)) },
            .init("address", .init(text: prefix)),
            gateway.map { .init("gateway", .init(text: $0)) },
        ]
        return .object(known.compactMap(\.self) + others)
    }
}

extension CNIResult.Route {
    fileprivate init(_ field: Field) throws(CNIError) {
        guard let destination: IPPrefix = try field["dst"].parsed("a subnet as ADDRESS/LENGTH") else {
            throw field["dst"].missing
        }
        self.init(
            to: destination, via: try field["gw"].parsed("an IP address"),
            priority: try field["priority"].number(0...Int(UInt32.max)))
        others = field.members(except: ["dst", "gw", "priority"])
    }

    fileprivate func json(_ version: CNIVersion) -> JSONValue {
        let known: [JSONValue.Member?] = [
            .init("dst", .init(text: destination)), gateway.map { .init("gw", .init(text: $0)) },
            version < .v1_1_0 ? nil : priority.map { .init("priority", .integer($0)) },
        ]
        return .object(known.compactMap(\.self) + others)
    }
}

extension CNIResult.NameService {
    /// The `dns` of a configuration or a result.
    init(_ field: Field) throws(CNIError) {
        let object = try field.object()
        servers = try object["nameservers"].strings()
        domain = try object["domain"].string() ?? ""
        search = try object["search"].strings()
        options = try object["options"].strings()
        try Self.check(servers, object["nameservers"])
        try Self.checkWords([domain], object["domain"])
        try Self.checkWords(search, object["search"])
        try Self.checkWords(options, object["options"])
    }

    /// The capability `dns`, which has other names for the same.
    init(runtime field: Field) throws(CNIError) {
        let object = try field.object()
        servers = try object["servers"].strings()
        search = try object["searches"].strings()
        options = try object["options"].strings()
        try Self.check(servers, object["servers"])
        try Self.checkWords(search, object["searches"])
        try Self.checkWords(options, object["options"])
    }

    /// A file in the form of resolv.conf(5), as host-local reads it. A server that is no address is one of the host's own
    /// links (`fe80::1%eth0`), which a container does not have.
    init(resolvConf text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            guard words.count > 1 else { continue }
            switch words[0] {
            case "nameserver": if IPAddress(words[1]) != nil { servers.append(words[1]) }
            case "domain": domain = words[1]
            case "search": search += words.dropFirst()
            case "options": options += words.dropFirst()
            default: break
            }
        }
    }

    private static func check(_ servers: [String], _ field: Field) throws(CNIError) {
        if let server = servers.first(where: { IPAddress($0) == nil }) {
            throw field.invalid("'\(server)' is no IP address")
        }
    }

    /// Refuses what would be another line, or another word, of resolv.conf(5).
    private static func checkWords(_ words: [String], _ field: Field) throws(CNIError) {
        if let word = words.first(where: { $0.contains { $0.isWhitespace || $0.asciiValue.map { $0 < 32 } == true } }) {
            throw field.invalid("'\(word)' is not one word")
        }
    }

    /// What is empty here is taken from there.
    func filled(from other: Self) -> Self {
        var filled = self
        if servers.isEmpty { filled.servers = other.servers }
        if domain.isEmpty { filled.domain = other.domain }
        if search.isEmpty { filled.search = other.search }
        if options.isEmpty { filled.options = other.options }
        return filled
    }

    fileprivate var json: JSONValue {
        let list = { (texts: [String]) in texts.isEmpty ? nil : JSONValue.array(texts.map { .string($0) }) }
        return JSONValue([
            "nameservers": list(servers), "domain": domain.isEmpty ? nil : .string(domain), "search": list(search),
            "options": list(options),
        ])
    }
}

extension Field {
    /// The members of an object that are none of these.
    fileprivate func members(except known: Set<String>) -> [JSONValue.Member] {
        guard case .object(let members)? = value else { return [] }
        return members.filter { !known.contains($0.name) }
    }
}
