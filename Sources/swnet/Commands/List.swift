import Addressing
import ArgumentParser
import CommandSupport
import NetworkEngine
import NetworkModel

struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ls", abstract: "List networks.",
        discussion: """
            Examples:
              swnet ls
              swnet ls --format json
            """)

    @OptionGroup var output: FormatOption
    @OptionGroup var state: StateOptions

    func run() throws {
        let engine = try state.engine
        let networks = try engine.networks()
        if output.format == .json { return try JSONOutput.print(JSONValue(networks)) }
        let sandboxes = try engine.sandboxes()
        var table = TextTable(["NAME", "DRIVER", "BRIDGE", "SUBNETS", "INTERNAL", "SANDBOXES"])
        for network in networks {
            table.add([
                network.name, network.driver.rawValue, network.bridgeName,
                network.subnets.map(\.prefix.description).joined(separator: ", "), network.isInternal ? "yes" : "no",
                "\(sandboxes.count { $0.endpoint(in: network.name) != nil })",
            ])
        }
        table.print()
    }
}
