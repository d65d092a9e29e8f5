import Addressing
import CLinux
import LinuxSystem
import NetworkEngine
public import NetworkModel

/// A container as a sandbox of the network engine: it has the container's name.
extension Engine {
    private var network: NetworkEngine {
        NetworkEngine(runRoot: roots.networkRun, stateRoot: roots.networkState, notice: notice)
    }

    /// Connects the namespace of a container's first process, publishes its ports, and writes its addresses down where
    /// the container looks them up. One transaction.
    func connect(_ container: borrowing PreparedContainer, process: Int32) throws {
        guard case .networks(let names) = container.mode else { return }
        // Before anything is in it: a process that cannot make its root ends at any moment.
        try container.openNamespace.open(process: process)
        let record = container.record
        var attachments = names.map { ConnectRequest.Attachment(network: $0) }
        let addresses = container.addresses
        attachments[0].addresses =
            [addresses.ipv4.map { .v4($0) }, addresses.ipv6.map { .v6($0) }].compactMap { $0 } as [IPAddress]
        attachments[0].macAddress = addresses.mac
        attachments[0].aliases = container.aliases
        let sandbox = try network.connect(
            ConnectRequest(
                sandbox: SandboxReference(name: record.name, location: .process(process)), attachments: attachments,
                ports: record.ports))
        // Only what it has of an interface of the host has to be taken back before its namespace ends.
        if !sandbox.endpoints.contains(where: \.link.holdsParent) { container.openNamespace.close() }
        let lines = sandbox.endpoints.flatMap(\.addresses).map { "\($0.address)\t\(record.hostname)\n" }
        try Descriptor.open("\(container.hostFiles)/hosts", O_WRONLY | O_APPEND).write(text: lines.joined())
        // The C library asks the first three (resolv.conf(5)).
        let servers = sandbox.endpoints.flatMap(\.nameServers).prefix(3)
        if !servers.isEmpty { try setNameServers(Array(servers), in: "\(container.hostFiles)/resolv.conf") }
    }

    /// On people's own networks the network's server answers, for the containers' names and for all others.
    private func setNameServers(_ servers: [IPAddress], in path: String) throws {
        let text = String(decoding: try Descriptor.open(path).readAll(limit: 1 << 20), as: UTF8.self)
        try Descriptor.open(path, O_WRONLY | O_TRUNC).write(text: HostFiles.resolvers(text, servers: servers))
    }

    /// Releases what a container has of the network. Its namespace may be gone.
    ///
    /// One that did not get as far as running may not be connected: then a living sandbox of its name is somebody
    /// else's, and left alone.
    ///
    /// - Parameter namespace: A descriptor of it, if somebody has kept it open.
    func disconnect(_ record: ContainerRecord, _ status: ContainerStatus, namespace: Int32?) {
        guard status.phase == .running || isOwnOrDead(record, status) else { return }
        do {
            try network.release(sandbox: record.name, namespace: namespace)
        } catch {
            // Whatever is left belongs to a dead namespace, which the network's own collector recognises.
            notice("\(error)")
        }
    }

    private func isOwnOrDead(_ record: ContainerRecord, _ status: ContainerStatus) -> Bool {
        guard let sandbox = try? network.sandbox(named: record.name),
            case .process(let number, let startTime) = sandbox.identity.source
        else { return false }
        if number == status.process && startTime == status.startTime { return true }
        return ProcessHandle.startTime(of: number) != startTime
    }

    /// What the network has of a container now; nil when it is not connected.
    func sandbox(of container: Container) -> Sandbox? {
        guard container.isRunning, container.record.isConnected else { return nil }
        return try? network.sandbox(named: container.record.name)
    }

    /// What is published for a container now; nothing when it does not run.
    public func ports(of container: Container) -> [PortMapping] {
        guard container.isRunning else { return [] }
        return sandbox(of: container)?.ports ?? container.record.ports.compactMap(\.mapping)
    }

    /// Containers as they are listed, each with the ports that it has now.
    public func summaries(_ containers: [Container]) -> [ContainerSummary] {
        let isNeeded = containers.contains { $0.isRunning && !$0.record.ports.isEmpty }
        let sandboxes = isNeeded ? (try? network.sandboxes()) ?? [] : []
        let ports = Dictionary(sandboxes.map { ($0.name, $0.ports) }, uniquingKeysWith: { first, _ in first })
        return containers.map { container in
            ContainerSummary(container, ports: container.record.isConnected ? ports[container.record.name] : nil)
        }
    }
}
