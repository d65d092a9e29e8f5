import ArgumentParser
import CommandSupport
import ImageArchive
import ImageStore

/// `swbox load`, with docker's arguments and output.
struct LoadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "load", abstract: "Add the images of a docker archive or an OCI layout.",
        discussion: """
            Examples:
              swbox load -i images.tar
              docker save redis | swbox load
            """)

    @Option(name: .customLong("root"), help: ArgumentHelp("Where images are kept.", visibility: .hidden))
    var root = ImageStore.defaultRoot

    @Option(name: [.short, .long], help: "An archive or an OCI layout's directory, instead of standard input.")
    var input: String?

    @Option(name: .long, help: "The name for an image to which an OCI layout gives none, or only a tag.")
    var name: String?

    @Flag(name: [.short, .long], help: "Print no progress.")
    var quiet = false

    func run() throws {
        var task = ImageLoad()
        task.name = try name.map { try ImageReference(parsing: $0) }
        let progress = ProgressReport(isQuiet: quiet)
        let results = try task.run(
            input.flatMap { $0 == "-" ? nil : .path($0) } ?? .standardInput, into: ImageStore(root: root),
            progress: progress.report)
        progress.finish()
        for result in results {
            for (reference, old) in result.replaced.sorted(by: { $0.key.description < $1.key.description }) {
                Output.line(
                    "The image \(reference.familiar) already exists, renaming the old one with ID \(old) to empty string"
                )
            }
            for reference in result.references { Output.line("Loaded image: \(reference.familiar)") }
            if result.references.isEmpty { Output.line("Loaded image ID: \(result.image.id)") }
        }
    }
}
