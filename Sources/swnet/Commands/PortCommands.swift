import Addressing
import CommandSupport
import NetworkEngine
import NetworkModel
import JSONCoding

extension SwnetCommands {
    static let publish = Command(
        "publish", "SANDBOX PORT…", summary: "publish ports of a sandbox on the host",
        details: """
            A PORT is [HOSTIP:][HOSTPORT[-END]:]PORT[-END][/tcp|/udp|/sctp]; an IPv6 host address stands in brackets. Without
            a host address the port is published on all of them, 127.0.0.1 included. Without a host port, one is chosen
            that nobody has, the same for IPv4 and IPv6; of a range for a single PORT the first that is free. What was
            chosen is printed, a line for each. The kernel cannot translate [::1]: that address alone is carried by a process
            that lives as long as the port, and no other address includes it.
            """,
        examples: [
            "swnet publish web 8080:80", "swnet publish web 127.0.0.1:8080:80 53:53/udp",
            "swnet publish web 80 127.0.0.1::443", "swnet publish web 8000-8010:80",
            "swnet publish web 8000-8010:9000-9010", "swnet publish web [fd00::1]:8080:80",
        ],
        grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2..., "a sandbox and a port")
            let sandbox = try invocation.sandbox(invocation.arguments[0])
            let ports = try invocation.ports(invocation.arguments.dropFirst())
            return try invocation.perform(ports) { try $0.publish(sandbox, ports) }
        })

    static let unpublish = Command(
        "unpublish", "SANDBOX PORT…", summary: "take back published ports",
        details: """
            Ports are named as they were published, or as 'swnet ports' lists them.
            """,
        examples: ["swnet unpublish web 8080:80", "swnet unpublish web 80"], grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2..., "a sandbox and a port")
            let sandbox = try invocation.sandbox(invocation.arguments[0])
            let ports = try invocation.ports(invocation.arguments.dropFirst())
            return try invocation.perform { try $0.unpublish(sandbox, ports) }
        })

    static let ports = Command(
        "ports", "[FLAG…] [SANDBOX…]", summary: "list published ports", details: JSONReference.ports.text,
        examples: ["swnet ports", "swnet ports web", "swnet ports -q web", "swnet ports --format json"],
        grammar: FlagGrammar([
            .init("quiet", short: "q", help: "only the ports, as they are taken back, a line each"), .format,
        ]),
        run: { invocation in
            let format = try invocation.format
            var ports = try invocation.engine.ports()
            if !invocation.arguments.isEmpty {
                let names = try invocation.arguments.map { try invocation.sandbox($0).name }
                let known = Set(try invocation.engine.sandboxes().map(\.name))
                if let name = names.first(where: { !known.contains($0) }) {
                    throw CommandFailure("there is no connected sandbox named \(name)")
                }
                ports.removeAll { !names.contains($0.sandbox) }
            }
            if invocation.flags.isOn("quiet") {
                Output.write(ports.map { "\($0.mapping)\n" }.joined())
                return .success
            }
            if format == .json {
                try JSONOutput.print(JSONValue.array(ports.map(\.json)))
                return .success
            }
            var table = TextTable(["SANDBOX", "HOST", "PORT", "PROTOCOL", "LEADS TO"])
            for port in ports {
                table.add([
                    port.sandbox, port.mapping.hostPart, "\(port.mapping.sandboxPorts)",
                    port.mapping.transport.rawValue, port.targets.map(\.description).joined(separator: ", "),
                ])
            }
            table.print()
            return .success
        })
}
