import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink

extension NameService {
    /// How the name server of a network differs from what it should be.
    func problems(of network: Network, _ sandboxes: [Sandbox]) throws -> [String] {
        let wanted = record(of: network, sandboxes)
        let bytes: [UInt8]?
        do {
            bytes = try file(of: network)
        } catch let error as SystemError where error.damage != nil {
            return ["the name server's file is not what is recorded"]
        }
        guard let bytes else { return wanted.isEmpty ? [] : ["the name server's file is missing"] }
        var problems: [String] = []
        if !NameRecord(bytes).saysTheSame(as: wanted) {
            problems.append("the name server's file is not what is recorded")
        }
        guard Self.isInstalled, !wanted.isEmpty else { return problems }
        problems += try silence(of: network)
        if running != nil, hasOtherResolvers {
            problems.append("the name server was not told that \(Self.resolvers) has changed")
        }
        return problems
    }

    /// Why nobody answers at a network's gateways; empty when somebody does.
    func silence(of network: Network) throws -> [String] {
        guard let server = running else { return ["the name server is not running"] }
        // It keeps its sockets and answers nobody.
        if ProcessHandle.facts(of: server)?.isStopped == true { return ["the name server is stopped"] }
        return try deafGateways(network).map { "the name server does not listen on \($0)" }
    }

    /// The gateways at which nobody listens. A server that was told of a change a moment ago opens its sockets anew.
    private func deafGateways(_ network: Network) throws -> [IPAddress] {
        var diagnostics = try SocketDiagnostics()
        var deaf: [IPAddress] = []
        for _ in 0..<40 {
            let sockets = try diagnostics.boundSockets([.udp])
            deaf = network.subnets.compactMap(\.gateway).filter { gateway in
                !sockets.contains { $0.takes(gateway, port: Network.nameServerPort, .udp) }
            }
            if deaf.isEmpty || !wasToldJustNow { break }
            usleep(50_000)
        }
        return deaf
    }

    private func record(of network: Network, _ sandboxes: [Sandbox]) -> NameRecord {
        var record = NameRecord(gateways: network.subnets.compactMap(\.gateway))
        for sandbox in sandboxes {
            guard let endpoint = sandbox.endpoint(in: network.name) else { continue }
            record.append(sandbox.key, endpoint, name: sandbox.name)
        }
        return record
    }

    /// Writes the files of all networks again, and has the server read them; starts it when it is not there.
    ///
    /// - Returns: What a person should know; nil when all is well.
    func restore(_ networks: [Network], _ sandboxes: [Sandbox]) throws -> String? {
        // What it is told of other networks keeps another server from listening there.
        let run = try open()
        if run.contains(name) {
            let known = Set(networks.map(\.name) + [Self.pidFileName])
            for other in try run.entries(of: name) where !known.contains(other) { try run.remove("\(name)/\(other)") }
        }
        for network in networks {
            try replaceFile(of: network, with: record(of: network, sandboxes))
        }
        return try restart()
    }
}
