import Addressing
import CLinux
import CNI
import CommandSupport
import JSONCoding
import LinuxSystem
import NetworkEngine
import NetworkModel
import SystemPackage

/// swnet as a CNI plugin: it is one when `CNI_COMMAND` is set and no command is given.
///
/// Everything that the specification says of requests, results and errors is in the module CNI; here a request becomes
/// calls of the engine. One attachment is one endpoint, whose labels say which container and interface asked for it.
struct CNICommand {
    let request: CNIRequest
    let engine: NetworkEngine

    /// Does what the environment and standard input ask for. An error is JSON on standard output.
    static func run(_ program: Program, environment: @escaping (String) -> String?) -> ExitStatus {
        var version = CNIVersion.latest
        do throws(CNIError) {
            let operation = try CNIOperation(environment)
            let input = try readInput()
            version = CNIRequest.version(of: input)
            if operation == .version {
                print(try CNIVersion.reply(to: input))
                return .success
            }
            let request = try CNIRequest(operation, environment: environment, input: input)
            guard geteuid() == 0 else {
                throw CNIError(operation == .status ? .unavailable : .failed, "networks can only be changed by root")
            }
            let engine = NetworkEngine { program.warn($0) }
            if let output = try CNICommand(request: request, engine: engine).perform() { print(output) }
            return .success
        } catch {
            print(error.json(version))
            return program.failure
        }
    }

    /// The longest document that is read; a list of 65,535 ports is 5 MiB.
    private static let longestInput = 32 << 20

    private static func readInput() throws(CNIError) -> [UInt8] {
        do throws(SystemError) {
            return try Descriptor(owning: 0).readAll(limit: longestInput)
        } catch {
            throw CNIError(.inputOutput, "read the network configuration: \(error)")
        }
    }

    private static func print(_ value: JSONValue) { Output.line(value.text) }

    /// - Returns: What goes to standard output; nil for nothing.
    private func perform() throws(CNIError) -> JSONValue? {
        do {
            switch request.operation {
            case .add: return try add().json(request.version)
            case .delete: try delete()
            case .check: try check()
            case .collectGarbage: try collectGarbage()
            case .status: try status()
            case .version: break
            }
            return nil
        } catch let error as CNIError {
            throw error
        } catch let error as NetworkError {
            throw CNIError(error)
        } catch {
            throw CNIError(.failed, "\(error)")
        }
    }
}

// MARK: - Operations

extension CNICommand {
    private func add() throws -> CNIResult {
        let attachment = try attachmentOrThrow()
        let configuration = try request.configuration()
        let previous = try request.previousResult()
        let ports = try configuration.mappings()
        let limits = try configuration.limits()
        let dns = try nameService(configuration)
        try checkNamespace()

        // A container that is on two networks is told its ports with both; they lead to the first.
        let published = Set(try engine.sandbox(named: attachment.container)?.ports ?? [])
        let connection = ConnectRequest(
            sandbox: SandboxReference(name: attachment.container, location: .path(request.namespace)),
            attachments: [
                .init(
                    network: request.network, addresses: configuration.addresses,
                    macAddress: configuration.macAddress, interface: attachment.interface,
                    aliases: configuration.aliases, labels: CNILabels(attachment, ports).labels, mayBeFurther: true,
                    options: limits, routes: configuration.routes?.map(RouteRequest.init) ?? [],
                    hasDefaultRoutes: configuration.routes == nil || configuration.isDefaultGateway,
                    // Whoever starts plugins need not know that nobody serves names on this network.
                    needsNames: false, isHandedOn: true)
            ], ports: ports.filter { !published.contains($0) }.map(PortRequest.init))
        let (sandbox, isNew) = try connect(connection, configuration)
        do {
            guard let endpoint = sandbox.endpoint(in: request.network, interface: attachment.interface.text)
            else {
                throw CNIError(.failed, "the endpoint of \(attachment.container) is gone again")
            }
            var result = try self.result(endpoint, of: sandbox, dns)
            // Who says nothing of resolvers gets the network's, which knows the names of containers.
            if result.dns.servers.isEmpty, previous?.dns.isEmpty ?? true {
                result.dns.servers = endpoint.nameServers.map(\.description)
            }
            return previous.map(result.appended) ?? result
        } catch {
            // An error means that nothing was made.
            try? delete()
            if isNew { try? engine.removeNetwork(request.network) }
            throw error
        }
    }

    private func connect(
        _ connection: ConnectRequest, _ configuration: CNIConfiguration
    ) throws -> (sandbox: Sandbox, isNew: Bool) {
        do {
            return try CNINetwork(request: request, configuration: configuration).connect(connection, engine)
        } catch let error as NetworkError where error.kind == .notFound {
            // With a namespace that is there, what is missing is of the host; 3 would say that there is no such container.
            try checkNamespace()
            throw CNIError(.invalidConfiguration, error.message)
        }
    }

    /// Who is asked for names, by the configuration or by the file that it names.
    private func nameService(_ configuration: CNIConfiguration) throws(CNIError) -> CNIResult.NameService {
        guard let path = configuration.resolvConf else { return configuration.dns }
        do throws(SystemError) {
            let bytes = try Descriptor.open(path, O_RDONLY | O_NONBLOCK).readAll(limit: 1 << 20)
            return configuration.dns(resolvConf: String(decoding: bytes, as: UTF8.self))
        } catch {
            throw CNIError(.inputOutput, "ipam.resolvConf: \(error)")
        }
    }

    private func result(
        _ endpoint: Endpoint, of sandbox: Sandbox, _ dns: CNIResult.NameService
    ) throws -> CNIResult {
        let network = try engine.network(named: request.network)
        let (host, inside) = try engine.links(of: endpoint, in: sandbox)
        var interfaces = host.map { CNIResult.Interface($0) }
        if let inside { interfaces.append(CNIResult.Interface(inside, sandbox: request.namespace)) }
        return CNIResult(
            interfaces: interfaces,
            addresses: try (endpoint.addresses + engine.ownAddresses(of: endpoint, in: sandbox)).map { prefix in
                CNIResult.Address(
                    prefix, gateway: network.subnet(of: prefix.address)?.gateway ?? router(prefix, endpoint),
                    interface: interfaces.count - 1)
            },
            routes: routes(endpoint), dns: dns)
    }

    /// Those that lead somewhere; a priority is told when somebody has asked for it.
    private func routes(_ endpoint: Endpoint) -> [CNIResult.Route] {
        let metric = endpoint.options.metric.map(Int.init)
        return endpoint.gateways.map { CNIResult.Route(to: .everything($0.family), via: $0, priority: metric) }
            + endpoint.deviceRoutes.map { CNIResult.Route(to: .everything($0), priority: metric) }
            + endpoint.routes.compactMap { route in
                route.gateway.map {
                    CNIResult.Route(to: route.destination, via: $0, priority: route.metric.map(Int.init))
                }
            }
    }

    /// The router that a DHCP server told, which is in no subnet of ours.
    private func router(_ prefix: IPPrefix, _ endpoint: Endpoint) -> IPAddress? {
        endpoint.isLeased ? endpoint.gateways.first(where: prefix.contains) : nil
    }

    /// Takes out what ADD made, if anything: the namespace may be gone, and so may be the previous result.
    private func delete() throws {
        let attachment = try attachmentOrThrow()
        try engine.disconnect(from: request.network, first: attachment.container, ports: CNILabels.ports(of:)) {
            endpoint in
            CNILabels(endpoint)?.attachment == attachment
        }
    }

    private func check() throws {
        let attachment = try attachmentOrThrow()
        guard let previous = try request.previousResult() else {
            throw CNIError(.invalidConfiguration, "prevResult is missing, which CHECK compares with")
        }
        guard let (place, interface) = previous.interface(of: attachment) else {
            throw CNIError(
                .invalidConfiguration, "prevResult.interfaces: there is no \(attachment.interface) in a sandbox")
        }
        let configuration = try request.configuration()
        let (sandbox, endpoint) = try find(attachment)
        if let namespace = try? Namespace(path: request.namespace, kind: .net),
            namespace.identity.inode != sandbox.identity.inode
        {
            throw CNIError(
                .unknownContainer,
                "CNI_NETNS: container \(attachment.container) is attached in another namespace than \(request.namespace)"
            )
        }
        let expected = ExpectedEndpoint(
            network: request.network, interface: attachment.interface.text,
            macAddress: MACAddress(interface.macAddress), mtu: interface.mtu,
            addresses: previous.addresses.filter { $0.interface == place }.map {
                .init($0.prefix, gateway: $0.gateway)
            },
            routes: previous.routes.filter(\.isInMainTable).map(RouteRequest.init),
            ports: CNILabels.ports(of: endpoint), furtherPorts: try configuration.mappings(),
            limits: configuration.bandwidth == nil ? nil : try configuration.limits(),
            hostAddresses: previous.hostAddresses, nameServers: previous.dns.servers.compactMap { IPAddress($0) })
        let faults = try engine.faults(of: sandbox, expecting: expected)
        guard faults.isEmpty else { throw CNIError(.broken, faults.joined(separator: "; ")) }
    }

    private func find(_ attachment: CNIAttachment) throws -> (Sandbox, Endpoint) {
        if let sandbox = try engine.sandbox(named: attachment.container), let endpoint = endpoint(sandbox, attachment) {
            return (sandbox, endpoint)
        }
        // The namespace may have been known by another name before.
        for sandbox in try engine.sandboxes() {
            if let endpoint = endpoint(sandbox, attachment) { return (sandbox, endpoint) }
        }
        throw CNIError(
            .unknownContainer,
            "container \(attachment.container) is not attached to \(request.network) by \(attachment.interface)")
    }

    private func endpoint(_ sandbox: Sandbox, _ attachment: CNIAttachment) -> Endpoint? {
        sandbox.endpoints.first { $0.network == request.network && CNILabels($0)?.attachment == attachment }
    }

    private func collectGarbage() throws {
        let valid = try request.validAttachments()
        try engine.disconnect(from: request.network, ports: CNILabels.ports(of:)) { endpoint in
            // What a person connected with swnet itself is nobody's garbage.
            CNILabels(endpoint).map { !valid.contains($0.attachment) } ?? false
        }
    }

    private func status() throws {
        let network = CNINetwork(request: request, configuration: try request.configuration())
        guard let obstacle = try network.obstacle(engine) else { return }
        throw CNIError(.unavailable, obstacle.message)
    }

    /// Refuses a namespace that is none, before a network is made for its sake.
    private func checkNamespace() throws(CNIError) {
        let path = request.namespace
        do throws(SystemError) {
            let isOwn = try Namespace(path: path, kind: .net).identity == Namespace.current(.net).identity
            guard isOwn else { return }
        } catch {
            switch error.errno {
            case .noSuchFileOrDirectory, .notDirectory:
                throw CNIError(.unknownContainer, "CNI_NETNS: there is no namespace file \(path)")
            case .invalidArgument:
                throw CNIError(.invalidEnvironment, "CNI_NETNS: \(path) is no network namespace")
            default: throw CNIError(.failed, "CNI_NETNS: \(error)")
            }
        }
        throw CNIError(.invalidEnvironment, "CNI_NETNS: \(path) is the host's own network namespace")
    }

    private func attachmentOrThrow() throws(CNIError) -> CNIAttachment {
        guard let attachment = request.attachment else {
            throw CNIError(.invalidEnvironment, "CNI_CONTAINERID, CNI_IFNAME are missing")
        }
        return attachment
    }
}

extension CNIResult {
    /// The Ethernet addresses of the host's interfaces, by their names.
    fileprivate var hostAddresses: [String: MACAddress] {
        var addresses: [String: MACAddress] = [:]
        for interface in interfaces where interface.sandbox.isEmpty {
            addresses[interface.name] = MACAddress(interface.macAddress)
        }
        return addresses
    }
}

extension RouteRequest {
    fileprivate init(_ route: CNIResult.Route) {
        self.init(
            to: route.destination.network, via: route.gateway, metric: route.priority.map(UInt32.init(clamping:)))
    }
}

extension CNIResult.Interface {
    fileprivate init(_ link: NetworkEngine.LinkFacts, sandbox: String = "") {
        self.init(name: link.name, macAddress: link.macAddress?.description ?? "", mtu: link.mtu, sandbox: sandbox)
    }
}
