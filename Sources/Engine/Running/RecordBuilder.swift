import ImageStore
import NetworkModel

/// Joins what was asked for with what the image says into a record, by docker's rules.
struct RecordBuilder {
    let options: RunOptions
    let image: Image
    /// The image's name as it is shown.
    let imageName: String

    /// docker's PATH for an image that sets none.
    static let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

    /// The program and its arguments.
    ///
    /// - Throws: `EngineError` when neither the image nor the command line names one.
    func arguments() throws(EngineError) -> [String] {
        let arguments: [String]
        if let entrypoint = options.entrypoint {
            // Another entry point takes other arguments, so the image's command goes with the image's entry point.
            arguments = (entrypoint.isEmpty ? [] : [entrypoint]) + options.command
        } else {
            arguments = image.config.entrypoint + (options.command.isEmpty ? image.config.command : options.command)
        }
        guard let program = arguments.first, !program.isEmpty else {
            throw EngineError(.invalid, "no command specified (image \(imageName) has none)")
        }
        return arguments
    }

    func environment(hostname: String) -> [String] {
        var list = EnvironmentList([Self.path, "HOSTNAME=\(hostname)"])
        if options.hasTerminal { list.set("TERM=xterm") }
        for variable in image.config.environment where variable.dropFirst().contains("=") { list.set(variable) }
        for variable in options.environment { list.set(variable) }
        return list.variables
    }

    func workingDirectory() -> String {
        let directory = options.workingDirectory ?? image.config.workingDirectory
        return directory.isEmpty ? "/" : normalizedPath(directory)
    }

    func capabilities() throws(EngineError) -> [String] {
        if options.isPrivileged { return CapabilityName.all }
        return try CapabilityName.resolve(add: options.addedCapabilities, drop: options.droppedCapabilities)
    }

    /// Volumes of the image that no option covers: each container gets one of its own.
    ///
    /// - Throws: `EngineError` for one over /proc.
    func volumes() throws(EngineError) -> [VolumeOption] {
        let given = Set(options.volumes.map(\.destination))
        let own = image.config.volumes.map(normalizedPath).filter { $0 != "/" && !given.contains($0) }
        if let place = own.first(where: VolumeOption.isInProc) {
            throw EngineError(.invalid, "image \(imageName): its volume '\(place)' would be mounted over /proc")
        }
        return options.volumes + own.map { VolumeOption(source: .anonymous, destination: $0) }
    }

    func record(
        id: String, name: String, created: String, hostname: String, mounts: [MountRecord], layers: [String]
    ) throws(EngineError) -> ContainerRecord {
        ContainerRecord(
            id: id, name: name, image: imageName, imageID: image.id.hex, created: created, arguments: try arguments(),
            environment: environment(hostname: hostname), workingDirectory: workingDirectory(),
            user: options.user ?? image.config.user, hostname: hostname, hasTerminal: options.hasTerminal,
            isInteractive: options.isInteractive, removesItself: options.removesItself,
            hasReadOnlyRoot: options.hasReadOnlyRoot, isPrivileged: options.isPrivileged,
            capabilities: try capabilities(), limits: options.limits, network: options.network.description,
            ports: options.ports, mounts: mounts, labels: image.config.labels.merging(options.labels) { $1 },
            stopSignal: options.stopSignal ?? image.config.stopSignal ?? "SIGTERM", layers: layers)
    }
}
