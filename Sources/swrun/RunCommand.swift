import Cgroups
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

/// `swrun run`: makes a container, waits for it, and ends with its exit status.
struct RunCommand {
    private let bundle: String
    private let identifier: String

    init(_ arguments: [String]) throws {
        let parsed = try Arguments(arguments, flags: ["bundle": "bundle", "b": "bundle"])
        guard parsed.words.count == 1 else { throw CommandFailure("run: one container ID is needed", status: .usage) }
        identifier = parsed.words[0]
        let isValid = identifier.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
            case UInt8(ascii: "0")...UInt8(ascii: "9"): true
            default: "_+-.".utf8.contains(byte)
            }
        }
        guard isValid, !identifier.isEmpty, identifier != ".", identifier != ".." else {
            throw CommandFailure(
                "container ID '\(identifier)' has characters other than a-z A-Z 0-9 _ + - .", status: .usage)
        }
        bundle = parsed.flags["bundle"] ?? "."
    }

    func run() throws -> ExitStatus {
        let spec = try readSpec()
        if spec.sharesWritableFiles { try ProtectedExecutable.ensure() }
        let filter = try spec.linux?.seccomp.map { try SeccompFilter($0).compile() }
        guard let cgroup = try makeCgroup(spec) else { return try run(spec, CgroupJoin(), filter) }
        defer { try? cgroup.delete() }
        let entrance = try cgroup.entrance()
        return try run(spec, CgroupJoin(entrance), filter)
    }

    private func run(_ spec: Spec, _ cgroup: CgroupJoin, _ filter: SeccompProgram?) throws -> ExitStatus {
        let plan = try InitPlan(spec: spec, options: LaunchOptions(bundle: bundle, cgroup: cgroup, seccomp: filter))
        // Before the launch, so that no signal is lost.
        let supervision = try Supervision()
        let container: StartedContainer
        do throws(LaunchError) {
            container = try Launcher.create(plan).start()
        } catch {
            throw CommandFailure(error.description, status: ExitStatus(rawValue: error.exitCode))
        }
        return ExitStatus(rawValue: try supervision.run(container))
    }

    private func readSpec() throws -> Spec {
        let path = "\(bundle)/config.json"
        let bytes = try Descriptor.open(path).readAll(limit: 16 << 20)
        do {
            let spec = try Spec(json: bytes)
            try spec.validate()
            return spec
        } catch {
            throw CommandFailure("\(path): \(error)", status: .engineFailure)
        }
    }

    /// The cgroup the document asks for, or a default one when it only sets limits; none when it says nothing.
    private func makeCgroup(_ spec: Spec) throws -> Cgroup? {
        let path = spec.linux?.cgroupsPath ?? ""
        let resources = spec.linux?.resources
        if path.isEmpty && resources == nil { return nil }
        let limits = try resources.map { try CgroupLimits($0) } ?? CgroupLimits()
        return try Cgroup.create(
            try CgroupPath(path.isEmpty ? "swrun/\(identifier)" : path), limits: limits, root: try CgroupRoot.find())
    }
}

extension Spec {
    /// Whether somebody outside of the container may change files that it executes, or sees its processes.
    fileprivate var sharesWritableFiles: Bool {
        let isBound = (mounts ?? []).contains { mount in
            mount.type == "bind" || (mount.options ?? []).contains { $0 == "bind" || $0 == "rbind" }
        }
        let pid = linux?.namespace(.pid)
        return isBound || pid == nil || !(pid?.path ?? "").isEmpty
    }
}
