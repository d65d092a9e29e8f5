public import Addressing
import CLinux
import LinuxSystem
public import NetworkModel
import Rtnetlink

extension Session {
    /// Gives an endpoint what a DHCP server said, or takes it away; nothing when there is no such endpoint any more.
    fileprivate mutating func setLease(
        _ answer: DHCPAnswer?, _ family: IPFamily, of name: String, on network: String, interface: String
    ) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let index = sandbox.endpoints.firstIndex(where: {
                $0.network == network && $0.interface == interface && $0.leases[family] != nil
            })
        else { return }
        var changed = sandbox
        var endpoint = changed.endpoints[index]
        endpoint.addresses.removeAll { $0.family == family }
        endpoint.gateways.removeAll { $0.family == family }
        if let answer {
            endpoint.addresses.insert(answer.address, at: family == .v4 ? 0 : endpoint.addresses.count)
            if !endpoint.isInternal, let router = answer.router { endpoint.gateways.append(router) }
        }
        endpoint.leases[family] = answer?.lease ?? DHCPLease()
        changed.endpoints[index] = endpoint
        changed.orderDefaultRoutes()
        let steps = adjustment(sandbox.endpoints, changed)
        guard !steps.isEmpty else { return }
        try carryOut(
            NetworkPlan(
                "lease for \(name) on \(network)",
                steps: steps + [.record(name: name, before: sandbox, after: changed)]))
    }

    /// Takes endpoints out again that no server answered.
    ///
    /// - Parameter made: A network that was made for them. It goes as well, unless somebody has joined it meanwhile.
    fileprivate mutating func giveUp(_ endpoints: [Endpoint], of name: String, making made: String?) throws {
        if let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)) {
            let left = sandbox.endpoints.filter { endpoint in
                endpoints.contains { $0.network == endpoint.network && $0.interface == endpoint.interface }
            }
            try carryOut(removal("disconnect \(name)", of: left, and: [], from: sandbox))
        }
        do {
            if let made { try remove(made) }
        } catch let error as NetworkError where error.kind == .inUse {}
    }
}

/// Holds back what is about to end the program, so that what it has begun can be undone first.
private struct Interruption {
    private var signals = sigset_t()
    private var before = sigset_t()

    init() {
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            var action = sigaction()
            sigaction(signal, nil, &action)
            // Who has it ignored, as nohup(1) does, goes on. SIG_IGN is 1.
            if unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self) != 1 { sigaddset(&signals, signal) }
        }
        sigprocmask(SIG_BLOCK, &signals, &before)
    }

    /// Equivalent to `sigtimedwait(2)`.
    ///
    /// - Returns: The signal that came in this time.
    func wait(nanoseconds: Int) -> Int32? {
        var (signals, time) = (signals, timespec(tv_sec: 0, tv_nsec: nanoseconds))
        let signal = sigtimedwait(&signals, nil, &time)
        return signal > 0 ? signal : nil
    }

    /// What comes from now on, and what has come meanwhile, has its usual effect.
    func end() {
        var before = before
        sigprocmask(SIG_SETMASK, &before, nil)
    }
}

extension NetworkEngine {
    /// Waits until DHCP servers have answered the new endpoints of a sandbox. Nobody else waits meanwhile: the engine's
    /// lock is free.
    ///
    /// - Parameter made: A network that was made with the endpoints.
    /// - Throws: `NetworkError` when one does not answer; then the new endpoints are taken out again.
    func awaitLeases(_ sandbox: Sandbox, _ request: ConnectRequest, making made: String? = nil) throws -> Sandbox {
        guard planned == nil, !request.attachments.isEmpty else { return sandbox }
        let joined = sandbox.endpoints.suffix(request.attachments.count)
        guard joined.contains(where: { $0.isLeased || $0.configuresItself }) else { return sandbox }
        let end = ContinuousClock.now + .seconds(DHCPClient.patience)
        let interruption = Interruption()
        defer { interruption.end() }
        while true {
            guard let now = try self.sandbox(named: sandbox.name) else {
                throw NetworkError(.notFound, "\(request.operation): \(sandbox.name) is gone again")
            }
            var missing: String?
            for endpoint in now.endpoints where missing == nil {
                guard joined.contains(where: { ($0.network, $0.interface) == (endpoint.network, endpoint.interface) })
                else { continue }
                missing = try self.missing(endpoint, in: now)
            }
            guard let missing else { return now }
            guard ContinuousClock.now < end else {
                try operate { session in try session.giveUp(Array(joined), of: sandbox.name, making: made) }
                throw NetworkError(.failed, "\(request.operation): \(missing) in \(DHCPClient.patience) seconds")
            }
            guard let signal = interruption.wait(nanoseconds: 20_000_000) else { continue }
            try operate { session in try session.giveUp(Array(joined), of: sandbox.name, making: made) }
            interruption.end()
            raise(signal)
        }
    }

    /// Who has not answered an endpoint yet, in words.
    private func missing(_ endpoint: Endpoint, in sandbox: Sandbox) throws -> String? {
        for family in IPFamily.allCases where endpoint.leases[family] != nil && endpoint.address(family) == nil {
            let server = family == .v4 ? "DHCP server" : "DHCP server for IPv6"
            return "no \(server) has answered on \(endpoint.network)"
        }
        if endpoint.configuresItself, try ownAddresses(of: endpoint, in: sandbox).isEmpty {
            return "no router has advertised a prefix on \(endpoint.network)"
        }
        return nil
    }

    /// The addresses that the kernel has made for an endpoint of what routers advertise, and that it uses by now.
    public func ownAddresses(of endpoint: Endpoint, in sandbox: Sandbox) throws -> [IPPrefix] {
        guard endpoint.configuresItself, sandbox.identity.isAlive else { return [] }
        var inside = try Rtnetlink(in: Namespace(path: sandbox.identity.path, kind: .net))
        guard let link = try inside.link(named: endpoint.interface) else { return [] }
        return try inside.addresses(link: link.index).filter {
            $0.prefix.family == .v6 && !$0.prefix.address.isLinkLocal && !$0.flags.contains(.tentative)
                && !endpoint.addresses.contains($0.prefix)
        }.map(\.prefix)
    }

    /// What the DHCP client of an endpoint has to say, in the client's process: see `DHCPClient`.
    ///
    /// - Parameters:
    ///   - event: `bound`, `renew`, or `deconfig`, `leasefail` and `nak`; nil of the client for IPv6, which says it in its
    ///     environment as `reason`.
    ///   - variable: The client's environment.
    /// - Throws: `NetworkError` for an event that is not known, or an answer without an address.
    public static func handleLease(_ event: String?, _ variable: (String) -> String?) throws {
        if let interface = variable(DHCPClient.launch) { return try DHCPClient.becomeClient(interface, variable) }
        guard let name = variable(DHCPClient.handler), let network = variable("SWNET_DHCP_NETWORK"),
            let file = variable("SWNET_DHCP_FILE"), let run = variable("SWNET_DHCP_RUN"),
            let state = variable("SWNET_DHCP_STATE"), let interface = variable("interface")
        else { throw NetworkError(.invalid, "\(DHCPClient.handler) is for a DHCP client's script") }
        let family: IPFamily = event == nil ? .v6 : .v4
        let answer: DHCPAnswer?
        switch event ?? variable("reason") ?? "" {
        case "bound", "renew", "BOUND6", "RENEW6", "REBIND6", "REBOOT6", "INFORM6":
            guard let told = family == .v4 ? DHCPAnswer(variable) : DHCPAnswer(version6: variable) else {
                throw NetworkError(.invalid, "the DHCP server's answer has no address that a host can have")
            }
            answer = told
        case "deconfig", "EXPIRE6", "RELEASE6", "STOP6": answer = nil
        // Nothing has changed: an address that is lost is followed by deconfig.
        case "leasefail", "nak": return
        case let other:
            // dhcpcd tells of much that is not about leases.
            if family == .v6 { return }
            throw NetworkError(.invalid, "event '\(other)' is not known")
        }
        // Whoever stops the client has the engine's lock, and has taken its file away.
        guard access(file, F_OK) == 0 else { return }
        let place =
            family == .v4 ? "/proc/self/fd/\(DHCPClient.hostNamespace)" : DHCPClient.boundNamespace
        let home = try Namespace(path: place, kind: .net)
        try home.enter(.net) {
            try NetworkEngine(runRoot: run, stateRoot: state).operate { session in
                guard access(file, F_OK) == 0 else { return }
                try session.setLease(answer, family, of: name, on: network, interface: interface)
            }
        }
    }

    /// Whether this process was started by a DHCP client of ours.
    public static func isLeaseHandler(_ variable: (String) -> String?) -> Bool { variable(DHCPClient.handler) != nil }
}
