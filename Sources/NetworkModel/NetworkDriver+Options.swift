import Addressing

extension NetworkDriver {
    /// Reads a driver's options, `--opt KEY=VALUE` on a command line.
    ///
    /// - Throws: `NetworkError` that names the driver, option or value that is not known or not possible.
    public init(name: String, options: [String: String]) throws(NetworkError) {
        var options = Options(driver: name, left: options)
        switch name {
        case "bridge": self = .bridge(existing: try options.interface("bridge"))
        case "vxlan": self = .vxlan(try VXLANOptions(&options))
        case "ptp": self = .pointToPoint
        case "macvlan":
            self = .macvlan(parent: try options.parent(), mode: try options.word("mode") ?? .bridge)
        case "ipvlan": self = .ipvlan(parent: try options.parent(), mode: try options.word("mode") ?? .l2)
        case "vlan":
            let parent = try options.parent()
            guard let identifier = try options.number("id", 1...4094) else { throw options.missing("id", "id=100") }
            self = .vlan(parent: parent, identifier: identifier)
        case "host-device":
            guard let device = try options.interface("device") else { throw options.missing("device", "device=eth1") }
            self = .hostDevice(device)
        case "dummy": self = .dummy
        default:
            throw NetworkError(
                .invalid, "driver '\(name)' is not known (\(Self.names.joined(separator: ", ")))")
        }
        try options.finish()
    }

    /// The options that make this driver again.
    public var options: [(key: String, value: String)] {
        switch self {
        case .bridge(let existing): existing.map { [("bridge", $0.text)] } ?? []
        case .vxlan(let options): options.texts
        case .pointToPoint, .dummy: []
        case .macvlan(let parent, let mode): [("parent", parent.text), ("mode", mode.rawValue)]
        case .ipvlan(let parent, let mode): [("parent", parent.text), ("mode", mode.rawValue)]
        case .vlan(let parent, let identifier): [("parent", parent.text), ("id", "\(identifier)")]
        case .hostDevice(let device): [("device", device.text)]
        }
    }
}

extension NetworkDriver.VXLANOptions {
    fileprivate init(_ options: inout Options) throws(NetworkError) {
        guard let vni = try options.number("vni", 1...0xff_ffff) else { throw options.missing("vni", "vni=42") }
        self.vni = vni
        port = try options.number("port", 1...65535) ?? Self.standardPort
        peers = try options.addresses("peers")
        group = try options.addresses("group").first
        local = try options.addresses("local").first
        parent = try options.interface("parent")
        if let group {
            guard group.isMulticast else { throw options.wrong("group", "\(group) is no multicast address") }
            guard peers.isEmpty else { throw options.wrong("group", "peers and a group contradict each other") }
            guard parent != nil else { throw options.missing("parent", "parent=eth0", " for a group") }
        }
        let families = Set((peers + [group, local].compactMap(\.self)).map(\.family))
        guard families.count <= 1 else {
            throw options.wrong(
                group != nil ? "group" : "peers",
                "all addresses have to be of one family" + (local.map { ", as local=\($0) is" } ?? ""))
        }
        if let peer = peers.first(where: { $0.isMulticast || $0.isAny }) {
            throw options.wrong("peers", "\(peer) is no host's address")
        }
    }

    fileprivate var texts: [(key: String, value: String)] {
        var texts = [("vni", "\(vni)")]
        if port != Self.standardPort { texts.append(("port", "\(port)")) }
        if !peers.isEmpty { texts.append(("peers", peers.map(\.description).joined(separator: ","))) }
        if let group { texts.append(("group", "\(group)")) }
        if let local { texts.append(("local", "\(local)")) }
        if let parent { texts.append(("parent", parent.text)) }
        return texts
    }
}

/// Options that have not been read yet. What is left at the end is not known.
private struct Options {
    let driver: String
    var left: [String: String]

    func wrong(_ key: String, _ what: String) -> NetworkError {
        NetworkError(.invalid, "driver \(driver), option \(key): \(what)")
    }

    func missing(_ key: String, _ example: String, _ purpose: String = "") -> NetworkError {
        NetworkError(.invalid, "driver \(driver) needs the option \(key)\(purpose) (--opt \(example))")
    }

    mutating func interface(_ key: String) throws(NetworkError) -> InterfaceName? {
        guard let text = left.removeValue(forKey: key) else { return nil }
        guard let name = InterfaceName(text) else { throw wrong(key, "'\(text)' is no interface's name") }
        return name
    }

    mutating func parent() throws(NetworkError) -> InterfaceName {
        guard let parent = try interface("parent") else { throw missing("parent", "parent=eth0") }
        return parent
    }

    mutating func number(_ key: String, _ range: ClosedRange<Int>) throws(NetworkError) -> Int? {
        guard let text = left.removeValue(forKey: key) else { return nil }
        guard let number = Int(text), range.contains(number), text == "\(number)" else {
            throw wrong(key, "'\(text)' is no number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    mutating func word<Word: RawRepresentable & CaseIterable>(_ key: String) throws(NetworkError) -> Word?
    where Word.RawValue == String {
        guard let text = left.removeValue(forKey: key) else { return nil }
        guard let word = Word(rawValue: text) else {
            throw wrong(key, "'\(text)' is none of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    mutating func addresses(_ key: String) throws(NetworkError) -> [IPAddress] {
        guard let text = left.removeValue(forKey: key) else { return [] }
        var addresses: [IPAddress] = []
        for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let address = IPAddress(String(piece)) else { throw wrong(key, "'\(piece)' is no IP address") }
            addresses.append(address)
        }
        return addresses
    }

    func finish() throws(NetworkError) {
        guard let key = left.keys.min() else { return }
        throw NetworkError(.invalid, "driver \(driver) has no option '\(key)'")
    }
}
