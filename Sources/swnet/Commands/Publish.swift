import ArgumentParser
import NetworkEngine
import NetworkModel

struct Publish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Publish ports of a sandbox on the host.",
        discussion: """
            A port is [HOSTIP:]HOSTPORT[-END]:PORT[-END][/tcp|/udp]; an IPv6 host address stands in brackets. Without a \
            host address the port is published on all of them, 127.0.0.1 included.

            Examples:
              swnet publish web 8080:80
              swnet publish web 127.0.0.1:8080:80 53:53/udp
              swnet publish web 8000-8010:9000-9010
              swnet publish web [fd00::1]:8080:80
            """)

    @Argument(
        help: "A container's name, a named network namespace, pid:N, or a path.", transform: ArgumentValue.sandbox)
    var sandbox: SandboxReference
    @Argument(
        help: ArgumentHelp("[HOSTIP:]HOSTPORT[-END]:PORT[-END][/tcp|/udp]", valueName: "port"),
        transform: ArgumentValue.port)
    var ports: [PortMapping]
    @OptionGroup var state: StateOptions

    func run() throws { try state.engine.publish(sandbox, ports) }
}
