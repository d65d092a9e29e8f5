import Addressing
import NetworkModel
import Rtnetlink

extension NameService {
    /// How the name server of a network differs from what it should be.
    func problems(of network: Network, _ sandboxes: [Sandbox]) throws -> [String] {
        let wanted = record(of: network, sandboxes)
        guard let text = try file(of: network) else {
            return wanted.isEmpty ? [] : ["the name server's file is missing"]
        }
        var problems: [String] = []
        if !NameRecord(text).saysTheSame(as: wanted) {
            problems.append("the name server's file is not what is recorded")
        }
        guard Self.isInstalled, !wanted.isEmpty else { return problems }
        guard isRunning else { return problems + ["the name server is not running"] }
        var diagnostics = try SocketDiagnostics()
        let sockets = try diagnostics.boundSockets([.udp])
        for gateway in network.subnets.compactMap(\.gateway)
        where !sockets.contains(where: { $0.takes(gateway, port: Network.nameServerPort, .udp) }) {
            problems.append("the name server does not listen on \(gateway)")
        }
        return problems
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
        for network in networks {
            let record = record(of: network, sandboxes)
            try replaceFile(of: network, with: record.isEmpty ? nil : record.text)
        }
        return try restart()
    }
}
