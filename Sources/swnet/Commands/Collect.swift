import ArgumentParser
import CommandSupport
import NetworkEngine

struct Collect: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc", abstract: "Clean up after sandboxes whose namespaces are gone, and print their names.",
        discussion: """
            Nobody has to call it: whatever a dead sandbox has in the way of another is cleaned up when that happens.
            """)

    @OptionGroup var state: StateOptions

    func run() throws {
        for name in try state.engine.collect() { Output.line(name) }
    }
}
