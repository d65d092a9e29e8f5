import ArgumentParser
import NetworkEngine
import NetworkModel

struct Unpublish: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take back published ports.",
        discussion: """
            Ports are named as they were published; `swnet ports` lists them.

            Examples:
              swnet unpublish web 8080:80
            """)

    @Argument(
        help: "A container's name, a named network namespace, pid:N, or a path.", transform: ArgumentValue.sandbox)
    var sandbox: SandboxReference
    @Argument(
        help: ArgumentHelp("[HOSTIP:]HOSTPORT[-END]:PORT[-END][/tcp|/udp]", valueName: "port"),
        transform: ArgumentValue.port)
    var ports: [PortMapping]
    @OptionGroup var state: StateOptions

    func run() throws { try state.engine.unpublish(sandbox, ports) }
}
