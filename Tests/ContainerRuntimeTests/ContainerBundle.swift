import Foundation
import RuntimeSpec
import TestSupport

/// A bundle with a busybox root in a folder of its own, and `swrun` to run it.
final class ContainerBundle: Sendable {
    let folder: String
    var rootfs: String { folder + "/rootfs" }
    var identifier: String { URL(fileURLWithPath: folder).lastPathComponent }

    init() throws {
        folder = NSTemporaryDirectory() + "swrun-test-" + UUID().uuidString.prefix(8)
        let manager = FileManager.default
        for directory in ["bin", "etc", "tmp", "root"] {
            try manager.createDirectory(atPath: "\(rootfs)/\(directory)", withIntermediateDirectories: true)
        }
        try copy("/bin/busybox", to: "bin/busybox")
        for name in ["sh", "true", "cat", "ls", "id", "mount", "sleep", "echo", "stat", "pwd", "grep", "touch", "tty"] {
            try manager.createSymbolicLink(atPath: "\(rootfs)/bin/\(name)", withDestinationPath: "busybox")
        }
        try write("root:x:0:0:root:/root:/bin/sh\n", to: "etc/passwd")
    }

    deinit {
        try? FileManager.default.removeItem(atPath: folder)
        // What a runtime that was killed could not remove any more.
        for hierarchy in (try? FileManager.default.contentsOfDirectory(atPath: "/sys/fs/cgroup")) ?? [] {
            rmdir("/sys/fs/cgroup/\(hierarchy)/swrun/\(identifier)")
        }
        rmdir("/sys/fs/cgroup/swrun/\(identifier)")
    }

    /// Writes a file of the container's root.
    func write(_ text: String, to path: String, mode: Int = 0o644) throws {
        try text.write(toFile: "\(rootfs)/\(path)", atomically: false, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(rootfs)/\(path)")
    }

    /// Copies a program into the container's root.
    ///
    /// Another process does it: what this one has open for writing goes on to the children that other tests start just
    /// then, and a program that somebody may write to is not executed (ETXTBSY).
    func copy(_ program: String, to path: String) throws {
        let copying = try Process.run(
            URL(fileURLWithPath: "/bin/cp"), arguments: ["--remove-destination", program, "\(rootfs)/\(path)"])
        copying.waitUntilExit()
        guard copying.terminationStatus == 0 else { throw CocoaError(.fileWriteUnknown) }
    }

    func link(_ path: String, to target: String) throws {
        try? FileManager.default.removeItem(atPath: "\(rootfs)/\(path)")
        try FileManager.default.createSymbolicLink(atPath: "\(rootfs)/\(path)", withDestinationPath: target)
    }

    /// The usual document for a command, in a root that can be written to.
    static func spec(_ args: String...) -> Spec {
        var spec = Spec.standard(args: args)
        spec.root = Spec.Root(path: "rootfs")
        return spec
    }

    func words(_ spec: Spec) throws -> [String] {
        try Data(spec.document).write(to: URL(fileURLWithPath: "\(folder)/config.json"))
        // What a runtime that is killed remembers goes with the folder.
        return [
            "unshare", "-n", Products.path("swrun"), "--root", "\(folder)/state", "run", "--bundle", folder, identifier,
        ]
    }

    func run(_ spec: Spec) async throws -> CommandResult { try await Command.run(try words(spec)) }

    /// Runs a line of shell as the container's command.
    func shell(_ line: String, _ change: (inout Spec) -> Void = { _ in }) async throws -> CommandResult {
        var spec = Self.spec("sh", "-c", line)
        change(&spec)
        return try await run(spec)
    }

    /// Starts a container and waits until its command prints `ready`.
    func start(_ line: String, _ change: (inout Spec) -> Void = { _ in }) async throws -> RunningContainer {
        var spec = Self.spec("sh", "-c", "echo ready; \(line)")
        change(&spec)
        let command = try Command(try words(spec))
        try await command.waitForOutput("ready")
        return RunningContainer(command: command)
    }
}

struct RunningContainer {
    let command: Command

    /// The container's first process as the host sees it: the runtime's only child.
    var processIdentifier: Int32 {
        get throws {
            // `unshare` executes the runtime, so the number is the same.
            let runtime = command.processIdentifier
            let text = try String(contentsOfFile: "/proc/\(runtime)/task/\(runtime)/children", encoding: .utf8)
            guard let child = text.split(separator: " ").first.flatMap({ Int32($0) }) else {
                throw CommandError("the runtime has no child: '\(text)'")
            }
            return child
        }
    }

    /// A line of the process's /proc/PID/status.
    func status(_ name: String) throws -> String {
        let text = try String(contentsOfFile: "/proc/\(try processIdentifier)/status", encoding: .utf8)
        let line = text.split(separator: "\n").first { $0.hasPrefix("\(name):") }
        return line.map { $0.dropFirst(name.count + 1).trimmingCharacters(in: .whitespaces) } ?? "no \(name)"
    }

    /// What the kernel says the container has mounted: options by place.
    func mounts() throws -> [String: MountLine] {
        let text = try String(contentsOfFile: "/proc/\(try processIdentifier)/mountinfo", encoding: .utf8)
        return text.split(separator: "\n").reduce(into: [:]) { mounts, line in
            let fields = line.split(separator: " ").map(String.init)
            guard let dash = fields.firstIndex(of: "-"), dash > 5, fields.count > dash + 1 else { return }
            mounts[fields[4]] = MountLine(
                type: fields[dash + 1], options: Set(fields[5].split(separator: ",").map(String.init)))
        }
    }
}

struct MountLine {
    var type: String
    var options: Set<String>
}
