import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

/// `swrun run`: makes a container, waits for it, and ends with its exit status.
struct RunCommand {
    private let bundle: String

    init(_ arguments: [String]) throws {
        let parsed = try Arguments(arguments, flags: ["bundle": "bundle", "b": "bundle"])
        guard parsed.words.count == 1, let identifier = parsed.words.first, !identifier.isEmpty else {
            throw CommandFailure("run: one container ID is needed", status: .usage)
        }
        bundle = parsed.flags["bundle"] ?? "."
    }

    func run() throws -> ExitStatus {
        let spec = try readSpec()
        let plan = try InitPlan(spec: spec, options: LaunchOptions(bundle: bundle))
        do {
            let supervision = try Supervision()
            let container = try Launcher.create(plan)
            return ExitStatus(rawValue: try supervision.run(try container.start()))
        } catch let error as LaunchError {
            throw CommandFailure(error.description, status: ExitStatus(rawValue: error.exitCode))
        }
    }

    private func readSpec() throws -> Spec {
        let path = "\(bundle)/config.json"
        let bytes = try Descriptor.open(path).readAll(limit: 16 << 20)
        do {
            return try Spec(json: bytes)
        } catch {
            throw CommandFailure("\(path): \(error)", status: .engineFailure)
        }
    }
}
