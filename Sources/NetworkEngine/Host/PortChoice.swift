import Addressing
import LinuxSystem
import NetworkModel

/// Chooses ports of the host that neither a sandbox nor a process has.
///
/// They are chosen outside of `net.ipv4.ip_local_port_range`: from there the kernel gives ports to whoever connects or
/// binds without naming one, and would give the same again. Only when all others are taken, they come from the range that
/// docker takes them from, 49153 to 65535 (moby's portallocator; IANA's dynamic ports, RFC 6335 section 6).
struct PortChoice {
    /// Ports that are published, or promised to an earlier request, by transport and host address.
    private var taken: [Group: [Bool]] = [:]
    /// What is left to choose from when anything will do, the best last.
    private var dynamic: [Group: [UInt16]] = [:]
    private let index: PortIndex
    private let fixed: [PortMapping]

    private struct Group: Hashable {
        var transport: TransportProtocol
        var address: IPAddress?
    }

    /// - Parameters:
    ///   - index: What is published.
    ///   - fixed: What the same operation publishes besides.
    init(_ index: PortIndex, besides fixed: [PortMapping]) {
        self.index = index
        self.fixed = fixed
    }

    /// The mappings of a request, one for each port of the sandbox; nil when the host has no free port for one.
    mutating func mappings(_ request: PortRequest) throws -> [PortMapping]? {
        if let mapping = request.mapping { return [mapping] }
        let group = Group(transport: request.transport, address: request.hostAddress)
        var taken = self.taken[group] ?? occupied(request)
        var candidates = try request.candidates ?? dynamic[group] ?? Self.dynamic()
        defer {
            self.taken[group] = taken
            if request.hostPorts == .any { dynamic[group] = candidates }
        }
        var mappings: [PortMapping] = []
        for port in request.sandboxPorts.ports {
            var choice: PortMapping?
            while choice == nil, let candidate = candidates.popLast() {
                guard !taken[Int(candidate)], let mapping = request.mapping(candidate, to: port),
                    !HostPorts.isTaken(mapping, port: candidate, index)
                else { continue }
                taken[Int(candidate)] = true
                choice = mapping
            }
            guard let choice else { return nil }
            mappings.append(choice)
        }
        return mappings
    }

    /// Which ports a mapping of the request's address and transport would collide at.
    private func occupied(_ request: PortRequest) -> [Bool] {
        var taken = [Bool](repeating: false, count: Int(UInt16.max) + 1)
        guard let all = PortRange(1, .max),
            let everything = PortMapping(
                hostAddress: request.hostAddress, hostPorts: all, sandboxPorts: all, transport: request.transport)
        else { return taken }
        for mapping in index.conflicts(with: everything).map(\.mapping) + fixed
        where mapping.conflicts(with: everything) {
            for port in mapping.hostPorts.ports { taken[Int(port)] = true }
        }
        return taken
    }

    /// The ports to choose from, the best last, beginning anywhere: one that was given back a moment ago is not the next
    /// to be chosen, so that a client that still has its number does not meet another's server.
    private static func dynamic() throws -> [UInt16] {
        let local = try numbers("net/ipv4/ip_local_port_range").map(UInt16.init(clamping:))
        let avoided = Set(try reserved() + [Network.nameServerPort])
        let own = local.count == 2 && local[0] <= local[1] ? local[0]...local[1] : 0...0
        let best = (32768...UInt16.max).filter { !own.contains($0) && !avoided.contains($0) }
        let others = (49153...UInt16.max).filter { own.contains($0) && !avoided.contains($0) }
        return (rotated(best) + rotated(others)).reversed()
    }

    private static func rotated(_ ports: [UInt16]) -> [UInt16] {
        guard !ports.isEmpty else { return [] }
        let start = randomBytes(2).reduce(0) { $0 << 8 | Int($1) } % ports.count
        return Array(ports[start...] + ports[..<start])
    }

    /// What the administrator keeps for somebody: `8080,9148-9150`.
    private static func reserved() throws -> [UInt16] {
        let text = try Sysctl.read("net/ipv4/ip_local_reserved_ports") ?? ""
        return text.split(separator: ",").compactMap { PortRange(String($0)) }.flatMap(\.ports)
    }

    private static func numbers(_ parameter: String) throws -> [Int] {
        (try Sysctl.read(parameter) ?? "").split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    }
}

extension PortRequest {
    /// The ports of the host that it names, the first last; nil when it names none.
    fileprivate var candidates: [UInt16]? {
        switch hostPorts {
        case .these(let ports), .oneOf(let ports): ports.ports.reversed()
        case .any: nil
        }
    }
}

extension Session {
    /// What is published for requests, and the part of it whose host ports were chosen, in order.
    mutating func choosePorts(_ requests: [PortRequest]) throws -> (ports: [PortMapping], chosen: [ChosenPort]) {
        let fixed = requests.compactMap(\.mapping)
        guard fixed.count < requests.count else { return (fixed, []) }
        if let choice = try choosePorts(requests, fixed).found { return choice }
        // The dead give back what they had.
        try collect()
        let (found, refused) = try choosePorts(requests, fixed)
        if let found { return found }
        let request = refused.map { "port '\($0)': " } ?? ""
        guard case .oneOf(let ports)? = refused?.hostPorts else {
            throw NetworkError(.taken, "\(request)the host has no free port left to choose")
        }
        throw NetworkError(.taken, "\(request)every port of \(ports) is taken (swnet ports)")
    }

    private func choosePorts(
        _ requests: [PortRequest], _ fixed: [PortMapping]
    ) throws -> (found: (ports: [PortMapping], chosen: [ChosenPort])?, refused: PortRequest?) {
        var choice = PortChoice(try PortIndex(store), besides: fixed)
        var ports: [PortMapping] = []
        var chosen: [ChosenPort] = []
        for request in requests {
            guard let mappings = try choice.mappings(request) else { return (nil, request) }
            ports += mappings
            if request.mapping == nil { chosen += mappings.map { ChosenPort($0, for: request) } }
        }
        return ((ports, chosen), nil)
    }
}
