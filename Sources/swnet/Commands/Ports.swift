import Addressing
import ArgumentParser
import CommandSupport
import NetworkEngine
import NetworkModel

struct Ports: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "List published ports.",
        discussion: """
            Examples:
              swnet ports
              swnet ports --format json
            """)

    @OptionGroup var output: FormatOption
    @OptionGroup var state: StateOptions

    func run() throws {
        let ports = try state.engine.ports()
        if output.format == .json { return try JSONOutput.print(JSONValue.array(ports.map(\.json))) }
        var table = TextTable(["SANDBOX", "HOST", "PORT", "PROTOCOL", "LEADS TO"])
        for port in ports {
            table.add([
                port.sandbox, port.mapping.hostPart, "\(port.mapping.sandboxPorts)", port.mapping.transport.rawValue,
                port.targets.map(\.description).joined(separator: ", "),
            ])
        }
        table.print()
    }
}
