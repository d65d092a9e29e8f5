import Addressing
import CLinux
import LinuxSystem
import NetworkModel

extension Session {
    /// Gives an endpoint what a DHCP server said, or takes it away; nothing when there is no such endpoint any more.
    fileprivate mutating func setLease(
        _ answer: DHCPAnswer?, of name: String, on network: String, interface: String
    ) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)),
            let index = sandbox.endpoints.firstIndex(where: {
                $0.network == network && $0.interface == interface && $0.dhcp != nil
            })
        else { return }
        var changed = sandbox
        changed.endpoints[index].addresses = answer.map { [$0.address] } ?? []
        let isInternal = changed.endpoints[index].isInternal
        changed.endpoints[index].gateways = isInternal ? [] : [answer?.router].compactMap(\.self)
        changed.endpoints[index].dhcp = answer?.lease ?? DHCPLease()
        changed.orderDefaultRoutes()
        let steps = adjustment(sandbox.endpoints, changed)
        guard !steps.isEmpty else { return }
        try carryOut(
            NetworkPlan(
                "lease for \(name) on \(network)",
                steps: steps + [.record(name: name, before: sandbox, after: changed)]))
    }

    /// Takes endpoints out again that no server answered.
    fileprivate mutating func giveUp(_ endpoints: [Endpoint], of name: String) throws {
        guard let sandbox = try store.sandbox(key: SandboxReference.key(forName: name)) else { return }
        let left = sandbox.endpoints.filter { endpoint in
            endpoints.contains { $0.network == endpoint.network && $0.interface == endpoint.interface }
        }
        try carryOut(removal("disconnect \(name)", of: left, and: [], from: sandbox))
    }
}

extension NetworkEngine {
    /// How long a DHCP server may take to answer a new endpoint.
    private static let patience = Duration.seconds(12)

    /// Waits until DHCP servers have answered the new endpoints of a sandbox. Nobody else waits meanwhile: the engine's
    /// lock is free.
    ///
    /// - Throws: `NetworkError` when one does not answer; then the new endpoints are taken out again.
    func awaitLeases(_ sandbox: Sandbox, _ request: ConnectRequest) throws -> Sandbox {
        guard planned == nil, !request.attachments.isEmpty else { return sandbox }
        let joined = sandbox.endpoints.suffix(request.attachments.count)
        guard joined.contains(where: { $0.dhcp != nil }) else { return sandbox }
        let end = ContinuousClock.now + Self.patience
        while true {
            guard let now = try self.sandbox(named: sandbox.name) else {
                throw NetworkError(.notFound, "\(request.operation): \(sandbox.name) is gone again")
            }
            let waiting = now.endpoints.first { endpoint in
                endpoint.dhcp != nil && endpoint.addresses.isEmpty
                    && joined.contains { $0.network == endpoint.network && $0.interface == endpoint.interface }
            }
            guard let waiting else { return now }
            guard ContinuousClock.now < end else {
                try operate { session in try session.giveUp(Array(joined), of: sandbox.name) }
                throw NetworkError(
                    .failed, "\(request.operation): no DHCP server has answered on \(waiting.network) in 12 seconds")
            }
            usleep(20_000)
        }
    }

    /// What the DHCP client of an endpoint has to say, in the client's process: see `DHCPClient`.
    ///
    /// - Parameters:
    ///   - event: `bound`, `renew`, or `deconfig`, `leasefail` and `nak`.
    ///   - variable: The client's environment.
    /// - Throws: `NetworkError` for an event that is not known, or an answer without an address.
    public static func handleLease(_ event: String, _ variable: (String) -> String?) throws {
        guard let name = variable(DHCPClient.handler), let network = variable("SWNET_DHCP_NETWORK"),
            let file = variable("SWNET_DHCP_FILE"), let run = variable("SWNET_DHCP_RUN"),
            let state = variable("SWNET_DHCP_STATE"), let interface = variable("interface")
        else { throw NetworkError(.invalid, "\(DHCPClient.handler) is for a DHCP client's script") }
        let answer: DHCPAnswer?
        switch event {
        case "bound", "renew":
            guard let told = DHCPAnswer(variable) else {
                throw NetworkError(.invalid, "the DHCP server's answer has no address that a host can have")
            }
            answer = told
        case "deconfig": answer = nil
        // Nothing has changed: an address that is lost is followed by deconfig.
        case "leasefail", "nak": return
        default: throw NetworkError(.invalid, "event '\(event)' is not known")
        }
        // Whoever stops the client has the engine's lock, and has taken its file away.
        guard access(file, F_OK) == 0 else { return }
        let home = try Namespace(path: "/proc/self/fd/\(DHCPClient.hostNamespace)", kind: .net)
        try home.enter(.net) {
            try NetworkEngine(runRoot: run, stateRoot: state).operate { session in
                guard access(file, F_OK) == 0 else { return }
                try session.setLease(answer, of: name, on: network, interface: interface)
            }
        }
    }

    /// Whether this process was started by a DHCP client of ours.
    public static func isLeaseHandler(_ variable: (String) -> String?) -> Bool { variable(DHCPClient.handler) != nil }
}
