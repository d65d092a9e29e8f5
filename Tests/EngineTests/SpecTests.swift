import Addressing
import ContainerRuntime
import ImageStore
import NetworkModel
import RuntimeSpec
import Testing

@testable import Engine

@Suite struct SpecTests {
    private func description(_ change: (inout ContainerRecord) -> Void = { _ in }) throws -> ContainerSpec {
        var record = try sampleRecord()
        record.mounts = [
            MountRecord(source: "/host/b", destination: "/a/b", isReadOnly: true),
            MountRecord(source: "/host/a", destination: "/a"),
        ]
        change(&record)
        return ContainerSpec(
            record: record, identity: ContainerUser(uid: 0, gid: 0, additionalGroups: [7], home: "/root"),
            directory: "/c", hostFiles: "/c", network: .own)
    }

    @Test func hasDockersDefaults() throws {
        let spec = try description().spec()
        try spec.validate()
        #expect(spec.root?.readonly == true && spec.hostname == "web")
        let mounts = spec.mounts ?? []
        #expect(
            mounts.map(\.destination) == [
                "/proc", "/dev", "/dev/pts", "/sys", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm", "/a", "/a/b",
                "/etc/hosts", "/etc/hostname", "/etc/resolv.conf",
            ])
        #expect(mounts.first { $0.destination == "/sys" }?.options?.contains("ro") == true)
        #expect(mounts.first { $0.destination == "/a/b" }?.options?.contains("ro") == true)
        #expect(mounts.first { $0.destination == "/a" }?.options?.contains("ro") == false)
        let kinds = Set((spec.linux?.namespaces ?? []).map(\.type))
        #expect(kinds == [.pid, .mount, .ipc, .uts, .cgroup, .network])
        #expect(spec.linux?.maskedPaths?.contains("/proc/kcore") == true)
        #expect(spec.linux?.readonlyPaths?.contains("/proc/sys") == true)
        let process = try #require(spec.process)
        #expect(process.args == ["redis-server", "--port", "6379"] && process.cwd == "/data")
        #expect(process.env?.contains("HOME=/root") == true)
        #expect(process.user?.additionalGids == [7])
        #expect(process.capabilities?.effective == ["CAP_KILL"] && process.capabilities?.inheritable == nil)
    }

    @Test func anotherUserHasNothingInEffect() throws {
        var description = try description()
        description = ContainerSpec(
            record: description.record, identity: ContainerUser(uid: 1000, gid: 1000), directory: "/c",
            hostFiles: "/c", network: .host)
        let process = try description.spec().process
        #expect(process?.capabilities?.effective == [] && process?.capabilities?.bounding == ["CAP_KILL"])
        #expect(try description.spec().linux?.namespaces?.contains { $0.type == .network } == false)
    }

    @Test func aPrivilegedOneHasNothingMasked() throws {
        let spec = try description { $0.isPrivileged = true }.spec()
        #expect(spec.linux?.maskedPaths == [] && spec.linux?.readonlyPaths == [])
        #expect(spec.mounts?.first { $0.destination == "/sys" }?.options?.contains("rw") == true)
    }

    @Test func anotherContainersNetworkBringsItsHostFiles() throws {
        var description = try description()
        description = ContainerSpec(
            record: description.record, identity: description.identity, directory: "/own", hostFiles: "/other",
            network: .path("/proc/7/ns/net"))
        let spec = try description.spec()
        #expect(spec.linux?.namespaces?.first { $0.type == .network }?.path == "/proc/7/ns/net")
        #expect(spec.mounts?.first { $0.destination == "/etc/hosts" }?.source == "/other/hosts")
        #expect(spec.mounts?.first { $0.destination == "/etc/hostname" }?.source == "/own/hostname")
    }

    @Test func aVolumeMayReplaceAHostFile() throws {
        let spec = try description { $0.mounts = [MountRecord(source: "/h", destination: "/etc/hosts")] }.spec()
        #expect(spec.mounts?.filter { $0.destination == "/etc/hosts" }.map(\.source) == ["/h"])
    }
}

@Suite struct RecordBuilderTests {
    private func builder(_ change: (inout RunOptions, inout ImageConfig) -> Void = { _, _ in }) throws -> RecordBuilder
    {
        var options = RunOptions(image: "x")
        var config = ImageConfig()
        config.entrypoint = ["entry"]
        config.command = ["default"]
        config.environment = ["PATH=/bin", "B=image"]
        config.volumes = ["/data"]
        change(&options, &config)
        let id = try #require(Digest(hex: String(repeating: "0", count: 64)))
        let document = #"{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}"#
        var image = Image(id: id, document: try ImageDocument(parsing: Array(document.utf8), of: "test"), size: 0)
        image.config = config
        return RecordBuilder(options: options, image: image, imageName: "x")
    }

    @Test func entryPointAndCommand() throws {
        #expect(try builder().arguments() == ["entry", "default"])
        #expect(try builder { options, _ in options.command = ["-x"] }.arguments() == ["entry", "-x"])
        #expect(try builder { options, _ in options.entrypoint = "other" }.arguments() == ["other"])
        #expect(
            try builder { options, _ in
                options.entrypoint = ""
                options.command = ["a", "b"]
            }.arguments() == ["a", "b"])
        #expect(throws: EngineError.self) {
            try builder { _, config in (config.entrypoint, config.command) = ([], []) }.arguments()
        }
    }

    @Test func environment() throws {
        let variables = try builder { options, _ in
            options.hasTerminal = true
            options.environment = ["B=mine", "C=3", "TERM"]
        }.environment(hostname: "h")
        #expect(variables == ["PATH=/bin", "HOSTNAME=h", "B=mine", "C=3"])
    }

    @Test func volumesOfTheImage() throws {
        #expect(try builder().volumes() == [VolumeOption(source: .anonymous, destination: "/data")])
        let own = VolumeOption(source: .path("/x"), destination: "/data")
        #expect(try builder { options, _ in options.volumes = [own] }.volumes() == [own])
    }
}

@Suite struct HostFileTests {
    @Test func hostsHaveTheContainersAddresses() {
        let text = HostFiles.hosts(hostname: "web", addresses: [.v4(IPv4Address(rawValue: 0x0a58_0002))])
        #expect(text.hasPrefix("127.0.0.1\tlocalhost\n") && text.hasSuffix("\n10.88.0.2\tweb\n"))
    }

    @Test func loopbackResolversAreFiltered() {
        let host = "search lan\nnameserver 127.0.0.53\nnameserver 10.0.0.1\nnameserver ::1\noptions edns0\n"
        #expect(
            HostFiles.resolvers(host: host, upstream: nil) == "search lan\nnameserver 10.0.0.1\noptions edns0\n")
        #expect(
            HostFiles.resolvers(host: "nameserver 127.0.0.53\n", upstream: "nameserver 9.9.9.9\n")
                == "nameserver 9.9.9.9\n")
        #expect(HostFiles.resolvers(host: "", upstream: nil).hasPrefix("#"))
        #expect(!HostFiles.resolvers(host: "nameserver fe80::1%eth0\n", upstream: nil).contains("fe80"))
    }
}
