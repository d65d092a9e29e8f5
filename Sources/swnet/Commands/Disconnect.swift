import ArgumentParser
import NetworkEngine
import NetworkModel

struct Disconnect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Take a sandbox out of a network, with the ports that lead there.",
        discussion: """
            Examples:
              swnet disconnect bridge web
            """)

    @Argument(help: "The network's name.") var network: String
    @Argument(
        help: "A container's name, a named network namespace, pid:N, or a path.", transform: ArgumentValue.sandbox)
    var sandbox: SandboxReference
    @OptionGroup var state: StateOptions

    func run() throws { try state.engine.disconnect(sandbox, from: network) }
}
