import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The DHCP client of an endpoint: busybox's `udhcpc`, in the sandbox's network namespace.
///
/// Of the clients that distributions keep, it is the one that leaves the interface alone: it talks to the server, and has
/// a program of ours told what to do. dhcpcd sets addresses by itself and keeps one lock for each interface's name,
/// whatever the namespace; ISC's dhclient is no longer maintained. The program is `swnet` itself, started with `handler`
/// in the environment; it has the host's network namespace as an open descriptor.
struct DHCPClient {
    let endpoint: Endpoint
    /// The sandbox's name.
    let sandbox: String

    /// The environment variable that makes `swnet` the client's script; it says whose client it is.
    static let handler = "SWNET_DHCP"
    /// Above those that the client has for itself (3 and 4, networking/udhcp/signalpipe.c).
    static let hostNamespace: Int32 = 20

    private var name: String { "\(SandboxReference.key(forName: sandbox))@\(endpoint.interface)" }

    // Names of programs, and what comes before their flags.
    private static let programs = [
        ("/usr/sbin/udhcpc", [String]()), ("/sbin/udhcpc", []), ("/usr/bin/busybox", ["udhcpc"]),
        ("/bin/busybox", ["udhcpc"]),
    ]

    private static var program: (String, [String])? { programs.first { access($0.0, X_OK) == 0 } }

    /// Refuses a network whose addresses nobody could ask for.
    static func checkInstalled() throws {
        guard program == nil else { return }
        throw NetworkError(.failed, "DHCP needs the client udhcpc, which is not installed (Debian: apt install udhcpc)")
    }

    private func file(_ runRoot: String) -> String { "\(runRoot)/dhcp/\(name)" }

    /// Starts the client, unless it runs.
    func start(_ runRoot: String, _ stateRoot: String, identity: SandboxIdentity) throws {
        if running(runRoot) != nil { return }
        try Self.checkInstalled()
        guard let (path, words) = Self.program else { return }
        mkdir("\(runRoot)/dhcp", 0o700)
        let file = file(runRoot)
        unlink(file)
        var arguments = [path] + words
        arguments += ["-f", "-R", "-i", endpoint.interface, "-s", try Self.script(), "-p", file]
        arguments += ["-t", "5", "-T", "1", "-A", "5", "-O", "router"]
        // Who had an address would rather have it again.
        if let address = endpoint.address(.v4) { arguments += ["-r", "\(address)"] }
        if NameRecord.isName(sandbox) { arguments += ["-x", "hostname:\(sandbox)"] }
        let environment = [
            "\(Self.handler)=\(sandbox)", "SWNET_DHCP_NETWORK=\(endpoint.network)", "SWNET_DHCP_FILE=\(file)",
            "SWNET_DHCP_RUN=\(runRoot)", "SWNET_DHCP_STATE=\(stateRoot)",
        ]
        let home = try Namespace.current(.net)
        let process = try Namespace(path: identity.path, kind: .net).enter(.net) {
            try HelperProgram.start(
                path, arguments, environment, giving: home.descriptor.rawValue, as: Self.hostNamespace)
        }
        // It has a file when it is there.
        for _ in 0..<200 {
            if running(runRoot) == process { return }
            guard let facts = ProcessHandle.facts(of: process), !facts.hasEnded else { break }
            usleep(10_000)
        }
        throw NetworkError(.failed, "\(path) ended at once on \(endpoint.interface) of \(sandbox)")
    }

    /// The file of `swnet`, which lies beside the running program or is it.
    private static func script() throws(SystemError) -> String {
        let own = try Descriptor.openDirectory("/proc/self").readSymbolicLink("exe") ?? ""
        let path = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/swnet"
        guard access(String(path), X_OK) == 0 else {
            throw SystemError("find", String(path), errno: .noSuchFileOrDirectory, hint: "it handles leases")
        }
        return String(path)
    }

    /// Has the client give its lease back, and ends it. One that is not there is fine.
    func stop(_ runRoot: String) throws {
        guard let process = running(runRoot), let handle = try? ProcessHandle(processIdentifier: process) else {
            return
        }
        // Without its file nobody is asked any more to keep what is said: we have the engine's lock.
        unlink(file(runRoot))
        try? handle.send(signal: SIGTERM)
        var events = pollfd(fd: handle.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
        if retryingOnInterrupt({ poll(&events, 1, 3_000) }) != 1 { try? handle.send(signal: SIGKILL) }
    }

    /// The client's process; nil when there is none.
    func running(_ runRoot: String) -> pid_t? {
        let file = file(runRoot)
        return HelperProgram.process(recordedIn: file, withArgument: file)
    }
}
