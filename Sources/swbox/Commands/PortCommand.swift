import Addressing
import CommandSupport
import Engine
import NetworkModel

extension SwboxCommands {
    static let port = Command(
        "port", "CONTAINER [PORT[/PROTOCOL]]",
        summary: "published ports of a container, and where they are on the host",
        examples: ["swbox port web", "swbox port web 80", "swbox port web 53/udp"],
        run: { invocation in
            try invocation.require(1...2, "a container and a port")
            try invocation.engine.recover()
            let container = try invocation.engine.containers.find(invocation.arguments[0])
            let bindings = invocation.engine.ports(of: container).flatMap(\.bindings)
            guard invocation.arguments.count == 2 else {
                for binding in bindings { Output.line("\(binding.inside) -> \(binding.host)") }
                return .success
            }
            let wanted = invocation.arguments[1]
            let name = wanted.contains("/") ? wanted : "\(wanted)/tcp"
            let found = bindings.filter { $0.inside == name }
            guard !found.isEmpty else {
                throw CommandFailure("no public port '\(name)' published for \(invocation.arguments[0])")
            }
            for binding in found { Output.line(binding.host) }
            return .success
        })
}

extension PortMapping {
    /// Port by port, each with an address of each family: `80/tcp` is `0.0.0.0:8080` and `[::]:8080`.
    fileprivate var bindings: [(inside: String, host: String)] {
        let hosts = hostAddress.map { $0.family == .v6 ? ["[\($0)]"] : ["\($0)"] } ?? ["0.0.0.0", "[::]"]
        return zip(sandboxPorts.ports, hostPorts.ports).flatMap { inside, outside in
            hosts.map { ("\(inside)/\(transport.rawValue)", "\($0):\(outside)") }
        }
    }
}
