import Addressing
import NetworkModel
public import JSONCoding

/// `swbox inspect`: docker's document, with the members that exist here, so that what reads docker's reads this.
///
/// Beyond docker's members there is `State.StartTime` (clock ticks since boot), which with `Pid` names the process for
/// good, and `GraphDriver.Data`, which has the directories of the overlay.
public struct Inspection {
    let container: Container
    let directory: String
    let endpoints: [Endpoint]
    /// What is published.
    let ports: [PortMapping]

    public var json: JSONValue {
        let record = container.record
        return JSONValue([
            "Id": .string(record.id), "Created": .string(record.created),
            "Path": .string(record.arguments.first ?? ""), "Args": .strings(Array(record.arguments.dropFirst())),
            "State": state, "Image": .string("sha256:\(record.imageID)"),
            "ResolvConfPath": .string("\(directory)/resolv.conf"),
            "HostnamePath": .string("\(directory)/hostname"), "HostsPath": .string("\(directory)/hosts"),
            "LogPath": .string("\(directory)/log"), "Name": .string("/\(record.name)"), "Driver": .string("overlay"),
            "Platform": .string("linux"), "HostConfig": hostConfig, "GraphDriver": graphDriver,
            "Mounts": .array(record.mounts.map(mount)), "Config": config, "NetworkSettings": networkSettings,
        ])
    }

    private var state: JSONValue {
        let status = container.status
        let zero = "0001-01-01T00:00:00Z"
        return JSONValue([
            "Status": .string(ContainerSummary(container).state), "Running": .bool(container.isRunning),
            "Paused": .bool(false), "Restarting": .bool(false), "Dead": .bool(false),
            // One that is being made has a process already, and is not to be signalled or entered yet.
            "Pid": .integer(container.isRunning ? Int(status.process ?? 0) : 0),
            "StartTime": container.isRunning ? status.startTime.map { .integer(Int(clamping: $0)) } : nil,
            "ExitCode": .integer(Int(status.exitCode ?? 0)), "Error": .string(status.error ?? ""),
            "StartedAt": .string(status.started ?? zero), "FinishedAt": .string(status.finished ?? zero),
        ])
    }

    private var hostConfig: JSONValue {
        let record = container.record
        let binds =
            record.mounts.map { mount in
                .string("\(mount.volume ?? mount.source):\(mount.destination)\(mount.isReadOnly ? ":ro" : "")")
            } as [JSONValue]
        return JSONValue([
            "Binds": .array(binds), "NetworkMode": .string(record.network), "PortBindings": portBindings,
            "AutoRemove": .bool(record.removesItself), "Privileged": .bool(record.isPrivileged),
            "ReadonlyRootfs": .bool(record.hasReadOnlyRoot), "Capabilities": .strings(record.capabilities),
            "Memory": .integer(Int(record.limits.memory ?? 0)),
            "CpuShares": .integer(Int(record.limits.cpuShares ?? 0)),
            "CpuQuota": .integer(Int(record.limits.cpuQuota ?? 0)),
            "CpuPeriod": .integer(Int(record.limits.cpuPeriod ?? 0)),
            "CpusetCpus": .string(record.limits.cpus ?? ""), "PidsLimit": .integer(Int(record.limits.pids ?? 0)),
            "LogConfig": JSONValue(["Type": .string("json-file")]),
            "RestartPolicy": JSONValue(["Name": .string("no"), "MaximumRetryCount": .integer(0)]),
        ])
    }

    private var graphDriver: JSONValue {
        JSONValue([
            "Name": .string("overlay"),
            "Data": JSONValue([
                "LowerDir": .string(container.record.layers.reversed().joined(separator: ":")),
                "UpperDir": .string("\(directory)/upper"), "WorkDir": .string("\(directory)/work"),
            ]),
        ])
    }

    private func mount(_ mount: MountRecord) -> JSONValue {
        JSONValue([
            "Type": .string(mount.volume == nil ? "bind" : "volume"), "Name": mount.volume.map { .string($0) },
            "Source": .string(mount.source), "Destination": .string(mount.destination),
            "Mode": .string(mount.isReadOnly ? "ro" : ""), "RW": .bool(!mount.isReadOnly),
            "Propagation": .string("rprivate"),
        ])
    }

    private var config: JSONValue {
        let record = container.record
        let labels = record.labels.sorted { $0.key < $1.key }.map { JSONValue.Member($0.key, .string($0.value)) }
        return JSONValue([
            "Hostname": .string(record.hostname), "User": .string(record.user), "Tty": .bool(record.hasTerminal),
            "OpenStdin": .bool(record.isInteractive), "Env": .strings(record.environment),
            "Cmd": .strings(record.arguments), "Image": .string(record.image),
            "WorkingDir": .string(record.workingDirectory), "Labels": .object(labels),
            "StopSignal": .string(record.stopSignal),
        ])
    }

    private var networkSettings: JSONValue {
        let networks = endpoints.map { JSONValue.Member($0.network, network($0)) }
        let first = endpoints.first
        return JSONValue([
            "SandboxKey": .string(container.status.process.map { "/proc/\($0)/ns/net" } ?? ""),
            "Ports": container.isRunning ? portBindings : .object([]),
            "IPAddress": .string(first?.address(.v4)?.description ?? ""),
            "GlobalIPv6Address": .string(first?.address(.v6)?.description ?? ""),
            "MacAddress": .string(first?.macAddress?.description ?? ""), "Networks": .object(networks),
        ])
    }

    private func network(_ endpoint: Endpoint) -> JSONValue {
        let (v4, v6) = (
            endpoint.addresses.first { $0.family == .v4 }, endpoint.addresses.first { $0.family == .v6 }
        )
        return JSONValue([
            "IPAddress": .string(v4?.address.description ?? ""), "IPPrefixLen": .integer(v4?.length ?? 0),
            "Gateway": .string(endpoint.gateways.first { $0.family == .v4 }?.description ?? ""),
            "GlobalIPv6Address": .string(v6?.address.description ?? ""),
            "GlobalIPv6PrefixLen": .integer(v6?.length ?? 0),
            "IPv6Gateway": .string(endpoint.gateways.first { $0.family == .v6 }?.description ?? ""),
            "MacAddress": .string(endpoint.macAddress?.description ?? ""), "Interface": .string(endpoint.interface),
            "Aliases": .strings(endpoint.aliases), "HostInterface": endpoint.link.hostInterface.map { .string($0) },
            "Bridge": endpoint.link.bridge.map { .string($0) },
        ])
    }

    /// `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}`, one member for each port of a range.
    private var portBindings: JSONValue {
        var names: [String] = []
        var bindings: [String: [JSONValue]] = [:]
        for port in ports {
            let hosts = port.hostAddress.map { ["\($0)"] } ?? ["0.0.0.0", "::"]
            for (inner, outer) in zip(port.sandboxPorts.ports, port.hostPorts.ports) {
                let name = "\(inner)/\(port.transport.rawValue)"
                if bindings[name] == nil { names.append(name) }
                bindings[name, default: []] += hosts.map {
                    JSONValue(["HostIp": .string($0), "HostPort": .string("\(outer)")])
                }
            }
        }
        return .object(names.map { .init($0, .array(bindings[$0] ?? [])) })
    }
}

extension Engine {
    /// Everything about a container.
    public func inspect(_ container: Container) -> Inspection {
        let sandbox = sandbox(of: container)
        return Inspection(
            container: container, directory: containers.directory(of: container.record.id),
            endpoints: sandbox?.endpoints ?? [],
            ports: sandbox?.ports ?? container.record.ports.compactMap(\.mapping))
    }
}
