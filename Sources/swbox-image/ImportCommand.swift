import ArgumentParser
import CommandSupport
import ImageArchive
import ImageStore

/// `swbox import`, with docker's arguments.
struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import", abstract: "Make an image of one layer out of an archive of a root file system.",
        discussion: """
            Examples:
              swbox import redis.tar redis
              swbox import -c 'CMD ["redis-server"]' redis.tar redis:7
              tar -C rootfs -c . | swbox import - web
            """)

    @Option(name: .customLong("root"), help: ArgumentHelp("Where images are kept.", visibility: .hidden))
    var root = ImageStore.defaultRoot

    @Option(name: [.short, .long], help: "Apply a Dockerfile instruction to the image: CMD [\"sh\"], ENV A=b.")
    var change: [String] = []

    @Option(name: [.short, .long], help: "A note for the image's history.")
    var message: String?

    @Argument(help: "A tar archive, plain or compressed; - is standard input.")
    var file: String

    @Argument(help: "The image's name.")
    var name: String?

    func run() throws {
        var task = ImageImport()
        task.changes = change
        task.message = message
        let reference = try name.map { try ImageReference(parsing: $0) }
        let progress = ProgressReport()
        let result = try task.run(
            file == "-" ? .standardInput : .path(file), into: ImageStore(root: root), as: reference,
            progress: progress.report)
        progress.finish()
        Output.line("\(result.image.id)")
    }
}
