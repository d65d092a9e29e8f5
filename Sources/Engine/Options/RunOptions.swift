public import Addressing
public import NetworkModel

/// What a container is asked to be: the options of `swbox run`, parsed and checked one by one, not yet together.
public struct RunOptions: Hashable, Sendable {
    public var image: String
    /// Replaces the image's command; empty keeps it.
    public var command: [String] = []
    /// Nil takes a random name.
    public var name: String?
    public var isDetached = false
    /// The container is removed when it ends.
    public var removesItself = false
    /// Standard input stays open.
    public var isInteractive = false
    public var hasTerminal = false
    /// `NAME=value`, or `NAME` to unset.
    public var environment: [String] = []
    /// `user[:group]`, names or numbers.
    public var user: String?
    public var workingDirectory: String?
    public var volumes: [VolumeOption] = []
    /// Replaces the image's entry point and drops its command; empty means none.
    public var entrypoint: String?
    public var hostname: String?
    public var network: NetworkMode = .networks([NetworkName.default])
    public var addresses = StaticAddresses()
    /// Other names of the container on the first network.
    public var aliases: [String] = []
    public var ports: [PortRequest] = []
    public var limits = ResourceOptions()
    public var hasReadOnlyRoot = false
    public var addedCapabilities: [String] = []
    public var droppedCapabilities: [String] = []
    public var isPrivileged = false
    public var labels: [String: String] = [:]
    public var stopSignal: String?

    public init(image: String) { self.image = image }

    /// The addresses that `--ip`, `--ip6` and `--mac-address` ask for.
    public struct StaticAddresses: Hashable, Sendable {
        public var ipv4: IPv4Address?
        public var ipv6: IPv6Address?
        public var mac: MACAddress?

        public init() {}
    }

    /// Refuses what makes no sense together.
    public func validate() throws(EngineError) {
        if let name { try ContainerName.check(name) }
        if case .networks = network {
        } else if !ports.isEmpty {
            throw EngineError(.invalid, "a port cannot be published in network mode '\(network)'")
        }
        try checkAliases()
        var destinations: Set<String> = []
        for volume in volumes where !destinations.insert(volume.destination).inserted {
            throw EngineError(.invalid, "two volumes at '\(volume.destination)'")
        }
        if let directory = workingDirectory, !directory.hasPrefix("/") {
            throw EngineError(.invalid, "working directory '\(directory)' is not an absolute path")
        }
        if let hostname, hostname.isEmpty || hostname.utf8.count > 64 || hostname.utf8.contains(where: { $0 <= 0x20 }) {
            throw EngineError(.invalid, "invalid host name '\(hostname)' (1 to 64 characters)")
        }
        if let stopSignal { _ = try SignalName.number(parsing: stopSignal) }
        _ = try CapabilityName.resolve(add: addedCapabilities, drop: droppedCapabilities)
    }

    /// The default network and the modes that are none have no names to look up, as with docker.
    private func checkAliases() throws(EngineError) {
        guard !aliases.isEmpty else { return }
        guard case .networks(let names) = network, names.first != NetworkName.default else {
            throw EngineError(
                .invalid,
                "network-scoped alias is supported only for containers in user defined networks "
                    + "(--network-alias with --network \(network))")
        }
        if let alias = aliases.first(where: { !NameRecord.isName($0) }) {
            throw EngineError(
                .invalid, "'\(alias)' for --network-alias is not a host's name: \(NameRecord.nameRule)")
        }
    }
}
