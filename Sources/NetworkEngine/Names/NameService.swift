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

    /// The directory as the server is told it.
    let path: String
    let isInternal: Bool

    init(runRoot: String, isInternal: Bool) {
        path = "\(runRoot)/names" + (isInternal ? "-internal" : "")
        self.isInternal = isInternal
    }

    /// Where programs find out which resolvers the host has (resolv.conf(5)).
    static let resolvers = "/etc/resolv.conf"

    /// Says what a network's sandbox is called; nil for one that has left it.
    ///
    /// - Returns: What a person should know; nil when all is well.
    func update(_ network: Network, _ sandbox: Sandbox?, key: String) throws -> String? {
        let before = try file(of: network)
        var record = NameRecord(before ?? "", gateways: network.subnets.compactMap(\.gateway))
        record.set(key, sandbox?.endpoint(in: network.name), name: sandbox?.name ?? "")
        if record.isEmpty {
            guard before != nil else { return nil }
        } else {
            guard record.text != before else { return nil }
        }
        try replaceFile(of: network, with: record.isEmpty ? nil : record.text)
        return try reload()
    }

    /// What the server is told of a network; nil when that is nothing.
    func file(of network: Network) throws -> String? { try read("\(path)/\(network.name)") }

    func replaceFile(of network: Network, with text: String?) throws {
        let file = "\(path)/\(network.name)"
        guard let text else {
            unlink(file)
            return
        }
        // Where it is new, what is known of an earlier server may be gone.
        if mkdir(path, 0o700) == 0 { endForgotten() }
        try write(text, to: file)
    }

    /// Forgets a network.
    func remove(_ network: Network) throws {
        guard unlink("\(path)/\(network.name)") == 0 else { return }
        _ = try reload()
    }

    private func read(_ file: String) throws -> String? {
        do {
            return String(
                decoding: try Descriptor.open(file, O_RDONLY | O_NOFOLLOW).readAll(limit: 64 << 20), as: UTF8.self)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return nil
        }
    }

    private func write(_ text: String, to file: String) throws {
        // Not in the directory itself, all files of which the server takes for networks.
        let new = path + ".new"
        do throws(SystemError) {
            try Descriptor.open(new, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, mode: 0o600).writeAll(text.utf8)
            guard rename(new, file) == 0 else { throw SystemError("rename", file, errno: .last) }
        } catch {
            unlink(new)
            throw SystemError("write", file, errno: error.errno, hint: "when there is room: swnet repair")
        }
    }

    // MARK: The server

    /// Whether a server serves this directory.
    var isRunning: Bool { running != nil }

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
        endStrays()
        guard !networks.isEmpty else { return nil }
        guard let program = Self.program else {
            return "sandboxes do not find each other by name: aardvark-dns is not installed"
        }
        _ = try Descriptor.open(mark, O_WRONLY | O_CREAT | O_NOFOLLOW, mode: 0o600)
        // It goes into the background when it listens.
        noteResolvers()
        let words = [program, "--config", path, "-p", "\(Network.nameServerPort)", "run"]
        let status = try HelperProgram.run(program, words, hiding: isInternal ? Self.resolvers : nil)
        unlink(mark)
        return status == 0 ? nil : "sandboxes do not find each other by name: \(program) ended with status \(status)"
    }

    /// Is there while a server is being started.
    private var mark: String { "\(path).starting" }

    /// Ends servers that were being started when one of us was killed: they go on, and no file says so yet, or ever.
    private func endStrays() {
        guard access(mark, F_OK) == 0 else { return }
        endUnrecorded()
        unlink(pidFile)
        unlink(resolversCopy)
        unlink(mark)
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
            for stray in strays { kill(stray, SIGKILL) }
            usleep(1_000)
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

    /// Ends the server, which keeps nothing, and waits until its ports are free.
    private func end(_ process: pid_t) throws {
        let handle = try ProcessHandle(processIdentifier: process)
        // Between the look at its command line and the handle it may have become another.
        guard running == process else { return }
        try handle.send(signal: SIGKILL)
        var events = pollfd(fd: handle.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        _ = retryingOnInterrupt { poll(&events, 1, 10_000) }
        unlink(pidFile)
        unlink(resolversCopy)
    }

    /// The server that serves this directory; nil when none does.
    private var running: pid_t? { HelperProgram.process(recordedIn: pidFile, withArgument: path) }
}
