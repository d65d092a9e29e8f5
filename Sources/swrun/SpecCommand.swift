import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

/// `swrun spec`: writes a `config.json` to start from.
struct SpecCommand {
    private let bundle: String

    init(_ arguments: [String]) throws {
        let parsed = try Arguments(arguments, flags: ["bundle": "bundle", "b": "bundle"])
        guard parsed.words.isEmpty else {
            throw CommandFailure("spec: unknown argument '\(parsed.words[0])'", status: .usage)
        }
        bundle = parsed.flags["bundle"] ?? "."
    }

    func run() throws -> ExitStatus {
        let path = "\(bundle)/config.json"
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644)
        var spec = Spec.standard()
        spec.root = Spec.Root(path: "rootfs", readonly: true)
        spec.hostname = "swrun"
        spec.process?.terminal = true
        try file.writeAll(try spec.json() + [UInt8(ascii: "\n")])
        return .success
    }
}
