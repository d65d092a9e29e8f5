import CLinux
import ContainerLog
import ContainerRuntime
import ImageStore
import LinuxSystem
import NetworkModel
import SystemPackage
import JSONCoding

/// A container that exists and does not run yet: record, files and names are there, the kernel knows nothing of it.
struct PreparedContainer: ~Copyable {
    var lock: SupervisorLock
    let record: ContainerRecord
    let identity: ContainerUser
    let hostFiles: String
    let network: ContainerSpec.NetworkNamespace
    let mode: NetworkMode
    let addresses: RunOptions.StaticAddresses
    let aliases: [String]
    let openNamespace = OpenNamespace()
}

/// The network namespace of a container that has something of an interface of the host: open until that is taken back, which
/// would otherwise be the kernel's to do, in its own time.
final class OpenNamespace {
    /// Its descriptor; nil where nothing is open.
    private(set) var number: Int32?

    func open(process: Int32) throws(SystemError) {
        close()
        number = try Namespace.of(process: process, .net).descriptor.duplicate().release()
    }

    func close() {
        if let number { _ = CLinux.close(number) }
        number = nil
    }

    deinit { close() }
}

extension Engine {
    /// Checks everything that can be checked before anything is made, and then makes the container's files.
    ///
    /// - Throws: `EngineError`, `ImageStoreError` and others; nothing is left.
    func prepare(_ options: RunOptions) throws -> PreparedContainer {
        try options.validate()
        try recover()
        // Until the record names the image, this keeps others from removing it.
        let imagesLock = try images.lock(.shared)
        defer { _ = imagesLock }
        let (image, imageName) = try findImage(options.image)
        let builder = RecordBuilder(options: options, image: image, imageName: imageName)
        _ = try builder.arguments()
        let layers = images.layerDirectories(of: image)
        let files = LayerFiles(layers: layers)
        let users = try UserDatabase(root: .overlay(.init(lower: layers.reversed(), upper: nil, work: nil)))
        let identity = try users.user(options.user ?? image.config.user)
        let shared = try sharedContainer(options.network)

        let lock = try containers.create(name: options.name, removesItself: options.removesItself)
        var volumes: [MountRecord] = []
        do {
            let hostname = try hostname(options, shared, id: lock.id)
            for volume in try builder.volumes() { volumes.append(try mount(volume, files, for: lock.id)) }
            let record = try builder.record(
                id: lock.id, name: lock.name, created: Engine.now(), hostname: hostname, mounts: volumes, layers: layers
            )
            let directory = try Descriptor.openDirectory(containers.directory(of: lock.id))
            try directory.makeDirectory("upper", mode: 0o755)
            try directory.makeDirectory("work", mode: 0o700)
            try writeHostFiles(record, options.network, in: directory)
            try directory.replaceFile("container.json", with: record.json.bytes, mode: 0o600)
            return PreparedContainer(
                lock: lock, record: record, identity: identity,
                hostFiles: containers.directory(of: shared?.record.id ?? record.id),
                network: namespace(options.network, shared), mode: options.network, addresses: options.addresses,
                aliases: options.aliases)
        } catch {
            removeAnonymousVolumes(volumes)
            try? containers.remove(lock)
            throw error
        }
    }

    /// An image by its name or id, and the name it is shown by, which is the one it was called by.
    func findImage(_ text: String) throws -> (image: Image, name: String) {
        guard let image = try images.image(text) else {
            let name = (try? ImageReference(parsing: text))?.familiar ?? text
            throw EngineError(.notFound, "no such image: \(name) (swbox load or import it first)")
        }
        return (image, text)
    }

    /// The container whose network namespace is to be shared.
    private func sharedContainer(_ mode: NetworkMode) throws -> Container? {
        guard case .container(let name) = mode else { return nil }
        let container = try containers.find(name)
        guard container.isRunning, container.status.process != nil else {
            throw EngineError(.conflict, "network container:\(name): container \(name) is not running")
        }
        return container
    }

    private func namespace(_ mode: NetworkMode, _ shared: Container?) -> ContainerSpec.NetworkNamespace {
        switch mode {
        case .host: .host
        case .none, .networks: .own
        case .container: .path("/proc/\(shared?.status.process ?? 0)/ns/net")
        }
    }

    private func hostname(_ options: RunOptions, _ shared: Container?, id: String) throws -> String {
        if let name = options.hostname { return name }
        if let shared { return shared.record.hostname }
        guard case .host = options.network else { return String(id.prefix(ContainerRecord.shortLength)) }
        var name = [CChar](repeating: 0, count: 65)
        guard gethostname(&name, 64) == 0 else { throw SystemError("read the host's name", errno: .last) }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// `/etc/hosts` gets the container's own addresses when they are known.
    private func writeHostFiles(
        _ record: ContainerRecord, _ mode: NetworkMode, in directory: borrowing Descriptor
    ) throws {
        func create(_ name: String, _ text: String) throws {
            let file = try Descriptor.open(
                name, O_WRONLY | O_CREAT | O_EXCL, mode: 0o644, relativeTo: directory.rawValue)
            // Whatever the caller's umask is, the container's users have to read it.
            fchmod(file.rawValue, 0o644)
            if !text.isEmpty { try file.write(text: text) }
        }
        func host(_ path: String) -> String? {
            (try? Descriptor.open(path).readAll(limit: 1 << 20)).map { String(decoding: $0, as: UTF8.self) }
        }
        let isHost = if case .host = mode { true } else { false }
        let resolvers = host("/etc/resolv.conf") ?? ""
        try create("hostname", record.hostname + "\n")
        if case .container = mode { return }
        let own = HostFiles.hosts(hostname: record.hostname, addresses: [])
        try create("hosts", isHost ? host("/etc/hosts") ?? own : own)
        try create(
            "resolv.conf",
            isHost
                ? resolvers : HostFiles.resolvers(host: resolvers, upstream: host("/run/systemd/resolve/resolv.conf")))
    }

    static func now() -> String {
        var bytes: [UInt8] = []
        ContainerLog.Timestamp.now().append(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
