import Foundation
import JSONCoding
import TestSupport

/// What a container runtime does with a list of CNI plugins (specification, section 3), on a host of a test.
///
/// `swnet` is found under `/run/cni/bin`, as a link, where `/opt/cni/bin` would be; other plugins are Debian's.
struct CNIRuntime {
    typealias Document = JSONCoding.JSONValue

    let host: NetworkHost
    var version = "1.0.0"
    var network = "lab"
    /// The members of each plugin's configuration.
    var plugins: [String] = [Self.swnet(#""ipam": {"subnet": "10.44.0.0/24"}"#)]
    /// What `runtimeConfig` is made of: capability and value.
    var capabilities: [String: String] = [:]
    var arguments = ""

    static let folder = "/run/cni/bin"
    static let debian = "/usr/lib/cni"

    static func swnet(_ members: String, capabilities: [String] = []) -> String {
        #""type": "swnet", "capabilities": {\#(capabilities.map { "\"\($0)\": true" }.joined(separator: ", "))}, "#
            + members
    }

    /// Whether Debian's package of plugins is there, and iptables, which two of them run.
    static let hasPlugins =
        FileManager.default.isExecutableFile(atPath: "\(debian)/portmap")
        && ["/usr/sbin/iptables", "/sbin/iptables"].contains { FileManager.default.isExecutableFile(atPath: $0) }

    /// Puts the plugin in its place.
    func install() async throws {
        try await host.must(["mkdir", "-p", Self.folder])
        try await host.must(["ln", "-sf", NetworkHost.swnet, "\(Self.folder)/swnet"])
    }

    /// One on a host with some network namespaces.
    static func prepare(
        _ host: NetworkHost, _ namespaces: String..., change: (inout CNIRuntime) -> Void = { _ in }
    ) async throws -> CNIRuntime {
        var runtime = CNIRuntime(host: host)
        change(&runtime)
        try await runtime.install()
        for name in namespaces { try await host.must(["ip", "netns", "add", name]) }
        return runtime
    }

    static func parse(_ text: String) throws -> Document { try Document(parsing: Array(text.utf8)) }

    // MARK: - Chains

    /// Runs ADD of every plugin in turn.
    ///
    /// - Returns: The last result; nil when one failed, which `output` has told then.
    func add(
        _ container: String, in namespace: String? = nil, interface: String = "eth0"
    ) async throws -> (result: Document?, output: CommandResult) {
        var previous: Document?
        var last: CommandResult?
        for plugin in plugins {
            let output = try await run(
                "ADD", plugin, container, namespace ?? "/run/netns/\(container)", interface, previous)
            last = output
            guard output.status == 0 else { return (nil, output) }
            previous = try Self.parse(output.standardOutput)
        }
        guard let last else { throw CommandError("no plugins") }
        return (previous, last)
    }

    /// Runs CHECK of every plugin; the first failure ends it.
    func check(
        _ container: String, _ previous: Document, interface: String = "eth0"
    ) async throws -> CommandResult {
        try await each(plugins, "CHECK", container, "/run/netns/\(container)", interface, previous)
    }

    /// Runs DEL of every plugin, the last first.
    func delete(
        _ container: String, _ previous: Document? = nil, in namespace: String? = nil, interface: String = "eth0"
    ) async throws -> CommandResult {
        try await each(
            plugins.reversed(), "DEL", container, namespace ?? "/run/netns/\(container)", interface, previous)
    }

    private func each(
        _ plugins: [String], _ command: String, _ container: String, _ namespace: String, _ interface: String,
        _ previous: Document?
    ) async throws -> CommandResult {
        var last: CommandResult?
        for plugin in plugins {
            let output = try await run(command, plugin, container, namespace, interface, previous)
            last = output
            if output.status != 0 { break }
        }
        guard let last else { throw CommandError("no plugins") }
        return last
    }

    // MARK: - One plugin

    /// The document that a plugin gets on standard input.
    func document(
        _ plugin: String, previous: Document? = nil, more: [String: Document] = [:]
    ) throws -> Document {
        guard case .object(var members) = try Self.parse("{\(plugin)}") else { throw CommandError("no object") }
        var runtime: [Document.Member] = []
        if case .object(let declared)? = members.first(where: { $0.name == "capabilities" })?.value {
            for name in declared.map(\.name) {
                if let value = capabilities[name] { runtime.append(.init(name, try Self.parse(value))) }
            }
        }
        members.removeAll { $0.name == "capabilities" }
        members += [.init("cniVersion", .string(version)), .init("name", .string(network))]
        if !runtime.isEmpty { members.append(.init("runtimeConfig", .object(runtime))) }
        if let previous { members.append(.init("prevResult", previous)) }
        return .object(members + more.sorted { $0.key < $1.key }.map { .init($0.key, $0.value) })
    }

    /// Starts one plugin as a runtime would.
    func run(
        _ command: String, _ plugin: String, _ container: String, _ namespace: String, _ interface: String,
        _ previous: Document?, more: [String: Document] = [:]
    ) async throws -> CommandResult {
        let document = try document(plugin, previous: previous, more: more)
        guard case .string(let type)? = document["type"] else { throw CommandError("a plugin without type") }
        let program = type == "swnet" ? "\(Self.folder)/swnet" : "\(Self.debian)/\(type)"
        return try await call(
            command, document.text,
            [
                "CNI_CONTAINERID=\(container)", "CNI_NETNS=\(namespace)", "CNI_IFNAME=\(interface)",
                "CNI_ARGS=\(arguments)",
            ],
            program: program)
    }

    /// Runs a plugin with a command, standard input and variables.
    func call(
        _ command: String, _ input: String, _ variables: [String] = [],
        program: String = "\(CNIRuntime.folder)/swnet"
    ) async throws -> CommandResult {
        try await host.run(
            ["env", "CNI_COMMAND=\(command)", "CNI_PATH=\(Self.folder):\(Self.debian)"] + variables
                + ["bash", "-c", #"printf %s "$1" | exec "$0""#, program, input])
    }
}

extension CommandResult {
    /// The code of an error that was told as the specification wants it: JSON on standard output, and a status.
    var errorCode: Int? {
        guard status != 0, let document = try? JSONValue(standardOutput) else { return nil }
        return document["code"].integer
    }
}
