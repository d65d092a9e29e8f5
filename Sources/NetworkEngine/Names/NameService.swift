import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The name server of people's networks: aardvark-dns, which listens on their gateways.
///
/// It reads a file for each network, in a directory of ours, and reads them again when it gets SIGHUP; it ends when no
/// file is left. It is started when the first sandbox joins such a network, and nothing else of ours waits for it.
///
/// It asks the host's resolvers for names that it does not know. Internal networks have no way out, so they have a server
/// of their own, which finds no resolvers: a name that is asked for outside carries data there (CVE-2024-29018).
struct NameService {
    /// Where packages put the program, which is none that people call.
    private static let programs = ["/usr/lib/podman/aardvark-dns", "/usr/libexec/podman/aardvark-dns"]

    private static var program: String? { programs.first { access($0, X_OK) == 0 } }

    /// Whether there is a program that can serve names.
    static var isInstalled: Bool { program != nil }

    private let runRoot: String
    let isInternal: Bool
    /// The directory's name in the run root.
    let name: String
    /// The directory as the server is told it.
    let path: String

    init(runRoot: String, isInternal: Bool) {
        name = isInternal ? "names-internal" : "names"
        path = "\(runRoot)/\(name)"
        self.runRoot = runRoot
        self.isInternal = isInternal
    }

    /// Where the files are, each of which may be damaged like any other of the run root.
    func open() throws(SystemError) -> StateDirectory { try StateDirectory(runRoot) }

    /// Where programs find out which resolvers the host has (resolv.conf(5)).
    static let resolvers = "/etc/resolv.conf"

    /// Says what a network's sandbox is called; nil for one that has left it.
    ///
    /// - Returns: What a person should know; nil when all is well.
    func update(_ network: Network, _ sandbox: Sandbox?, key: String) throws -> String? {
        let before = try file(of: network)
        var record = NameRecord(before ?? [], gateways: network.subnets.compactMap(\.gateway))
        record.set(key, sandbox?.endpoint(in: network.name), name: sandbox?.name ?? "")
        if record.isEmpty {
            guard before != nil else { return nil }
        } else {
            guard record.bytes != before else { return nil }
        }
        try replaceFile(of: network, with: record)
        return try reload()
    }

    /// What the server is told of a network; nil when that is nothing.
    func file(of network: Network) throws -> [UInt8]? { try open().readFile("\(name)/\(network.name)") }

    func replaceFile(of network: Network, with record: NameRecord) throws {
        let run = try open()
        let file = "\(name)/\(network.name)"
        if record.isEmpty { return try run.remove(file) }
        if !run.contains(name) {
            try run.makeDirectory(name)
            // Where it is new, what is known of an earlier server may be gone.
            endForgotten()
        }
        do throws(SystemError) {
            // Its temporary name is not in the directory itself, all files of which the server takes for networks.
            try run.replace(file, with: record.bytes)
        } catch {
            guard error.isNoRoom else { throw error }
            throw SystemError(
                error.operation, error.object, errno: error.errno, hint: "when there is room: swnet repair")
        }
    }

    /// Forgets a network.
    func remove(_ network: Network) throws {
        guard unlink("\(path)/\(network.name)") == 0 else { return }
        _ = try reload()
    }

    // MARK: The server

    /// Starts the server anew, when there is something to serve.
    func restart() throws -> String? {
        endForgotten()
        if let process = running { try end(process) }
        return try reload()
    }

    /// Has the server read its files again, starts one when there is something to serve, or ends it when there is not.
    private func reload() throws -> String? {
        guard access(path, F_OK) == 0 else { return nil }
        let networks = try Descriptor.openDirectory(path).entries().filter { $0 != Self.pidFileName }
        if let process = running {
            if networks.isEmpty {
                try end(process)
            } else {
                tell(process)
                return nil
            }
        }
        try endStrays()
        guard !networks.isEmpty else { return nil }
        guard let program = Self.program else {
            return "sandboxes do not find each other by name: aardvark-dns is not installed"
        }
        let run = try open()
        try run.replace(mark, with: [])
        // It would write to whatever lies there.
        try run.remove("\(name)/\(Self.pidFileName)")
        // It goes into the background when it listens.
        noteResolvers()
        let words = [program, "--config", path, "-p", "\(Network.nameServerPort)", "run"]
        let status = try HelperProgram.run(program, words, hiding: isInternal ? Self.resolvers : nil)
        try run.remove(mark)
        return status == 0 ? nil : "sandboxes do not find each other by name: \(program) ended with status \(status)"
    }

    /// Is there while a server is being started; in the run root.
    private var mark: String { "\(name).starting" }

    /// Ends servers that were being started when one of us was killed: they go on, and no file says so yet, or ever.
    private func endStrays() throws {
        let run = try open()
        guard run.contains(mark) else { return }
        endUnrecorded()
        unlink(pidFile)
        unlink(resolversCopy)
        try run.remove(mark)
    }

    /// Ends servers of this directory of which nothing is known, when none is.
    func endForgotten() {
        if running == nil { endUnrecorded() }
    }

    /// Ends the servers of this directory, whatever is recorded of them.
    private func endUnrecorded() {
        // One that is just going into the background is another process in a moment. Whoever holds our lock until it is
        // executed is seen as what it is, so there are no others.
        for _ in 0..<1_000 {
            let strays = HelperProgram.processes(withArgument: path)
            if strays.isEmpty { break }
            for stray in strays {
                guard let handle = try? ProcessHandle(processIdentifier: stray) else { continue }
                try? handle.end()
            }
        }
    }

    /// Has a server read its files again.
    ///
    /// It listens to the signal before it reads anything, and from then on all its life. One that does not listen yet
    /// has read nothing yet, and would be ended by the signal.
    private func tell(_ process: pid_t) {
        noteResolvers()
        if Self.catches(SIGHUP, process) { kill(process, SIGHUP) }
        utimes(pidFile, nil)
    }

    /// Whether a process handles a signal (`SigCgt`, proc_pid_status(5)).
    private static func catches(_ signal: Int32, _ process: pid_t) -> Bool {
        guard let status = try? Descriptor.open("/proc/\(process)/status").readAll(limit: 65536),
            let line = status.split(separator: UInt8(ascii: "\n")).first(where: { $0.starts(with: "SigCgt:".utf8) }),
            let set = UInt64(String(decoding: line.dropFirst(7).filter { $0 > 0x20 }, as: UTF8.self), radix: 16)
        else { return false }
        return set & 1 << UInt64(signal - 1) != 0
    }

    static let pidFileName = "aardvark.pid"
    private var pidFile: String { "\(path)/\(Self.pidFileName)" }

    /// Whether it was started, or told to read its files again, in this second or the last.
    var wasToldJustNow: Bool {
        var status = stat()
        var now = timespec()
        guard stat(pidFile, &status) == 0, clock_gettime(CLOCK_REALTIME, &now) == 0 else { return false }
        return (0...1).contains(now.tv_sec - status.st_mtim.tv_sec)
    }

    /// Ends the server, which keeps nothing, and waits until its ports are free: its command line is gone before its
    /// sockets are, and only when it has ended, another can listen in its stead.
    private func end(_ process: pid_t) throws {
        let handle = try ProcessHandle(processIdentifier: process)
        // Between the look at its command line and the handle it may have become another.
        guard running == process else { return }
        try handle.end()
        unlink(pidFile)
        unlink(resolversCopy)
    }

    /// The server that serves this directory; nil when none does.
    var running: pid_t? { HelperProgram.process(recordedIn: pidFile, withArgument: path) }
}
