import ArgumentParser
import NetworkEngine

struct Remove: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "rm", abstract: "Remove networks.",
        discussion: """
            A network that somebody is connected to stays. With the last network everything of swnet leaves the kernel; \
            the default network comes back when it is next used.

            Examples:
              swnet rm lab
            """)

    @Argument(help: "The networks' names.") var networks: [String]
    @OptionGroup var state: StateOptions

    func run() throws {
        let engine = try state.engine
        for name in networks { try engine.removeNetwork(name) }
    }
}
