import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// A DHCP client of an endpoint, in the sandbox's network namespace: one for each family.
///
/// For IPv4 it is busybox's `udhcpc`. Of the clients that distributions keep, it is the one that leaves the interface alone:
/// it talks to the server, and has a program of ours told what to do. For IPv6 it is `dhcpcd` (`DHCPClient+IPv6`): Debian
/// builds busybox without `udhcpc6`, and ISC's dhclient is no longer maintained. The program that they tell is `swnet`
/// itself, started with `handler` in the environment.
struct DHCPClient {
    let endpoint: Endpoint
    /// The sandbox's name.
    let sandbox: String
    let family: IPFamily

    /// The environment variable that makes `swnet` the client's script; it says whose client it is.
    static let handler = "SWNET_DHCP"
    /// The descriptor of the host's network namespace. Above those that the client has for itself (3 and 4,
    /// networking/udhcp/signalpipe.c).
    static let hostNamespace: Int32 = 20

    private var name: String { "\(SandboxReference.key(forName: sandbox))@\(endpoint.interface)" }

    // Names of programs, and what comes before their flags.
    private static let programs = [
        ("/usr/sbin/udhcpc", [String]()), ("/sbin/udhcpc", []), ("/usr/bin/busybox", ["udhcpc"]),
        ("/bin/busybox", ["udhcpc"]),
    ]

    /// Those that an endpoint needs.
    static func all(of endpoint: Endpoint, sandbox: String) -> [DHCPClient] {
        IPFamily.allCases.filter { endpoint.leases[$0] != nil }.map {
            DHCPClient(endpoint: endpoint, sandbox: sandbox, family: $0)
        }
    }

    /// Where the running client is recorded.
    func file(_ runRoot: String) -> String { "\(runRoot)/\(family == .v4 ? "dhcp" : "dhcp6")/\(name)" }

    /// Starts the client, unless it runs.
    func start(_ runRoot: String, _ stateRoot: String, identity: SandboxIdentity) throws {
        if running(runRoot) != nil { return }
        let file = file(runRoot)
        mkdir(String(file.dropLast(name.utf8.count + 1)), 0o700)
        unlink(file)
        let variables = [
            "\(Self.handler)=\(sandbox)", "SWNET_DHCP_NETWORK=\(endpoint.network)", "SWNET_DHCP_FILE=\(file)",
            "SWNET_DHCP_RUN=\(runRoot)", "SWNET_DHCP_STATE=\(stateRoot)",
        ]
        let (path, arguments, environment) =
            family == .v4 ? try command(file, variables) : try commandIPv6(variables)
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
        throw NetworkError(.failed, "\(arguments[0]) ended at once on \(endpoint.interface) of \(sandbox)")
    }

    private func command(_ file: String, _ variables: [String]) throws -> (String, [String], [String]) {
        guard let (path, words) = Self.programs.first(where: { access($0.0, X_OK) == 0 }) else {
            throw NetworkError(
                .failed, "DHCP needs the client udhcpc, which is not installed (Debian: apt install udhcpc)")
        }
        var arguments = [path] + words
        arguments += ["-f", "-R", "-i", endpoint.interface, "-s", try Self.script(), "-p", file]
        arguments += ["-t", "5", "-T", "1", "-A", "5", "-O", "router"]
        // Who had an address would rather have it again.
        if let address = endpoint.address(.v4) { arguments += ["-r", "\(address)"] }
        if NameRecord.isName(sandbox) { arguments += ["-x", "hostname:\(sandbox)"] }
        return (path, arguments, variables)
    }

    /// The file of `swnet`, which lies beside the running program or is it.
    static func script() throws(SystemError) -> String {
        let own = try Descriptor.openDirectory("/proc/self").readSymbolicLink("exe") ?? ""
        let path = own[..<(own.lastIndex(of: "/") ?? own.endIndex)] + "/swnet"
        guard access(String(path), X_OK) == 0 else {
            throw SystemError("find", String(path), errno: .noSuchFileOrDirectory, hint: "it handles leases")
        }
        return String(path)
    }

    /// Has the client give its lease back, and ends it. One that is not there is fine.
    func stop(_ runRoot: String) throws {
        let recorded = family == .v6 ? recordedIPv6(runRoot) : nil
        let process = running(runRoot)
        // Without its file nobody is asked any more to keep what is said: we have the engine's lock.
        unlink(file(runRoot))
        if let process, let handle = try? ProcessHandle(processIdentifier: process) {
            try? handle.send(signal: SIGTERM)
            var events = pollfd(fd: handle.pidfd.rawValue, events: Int16(POLLIN), revents: 0)
            if retryingOnInterrupt({ poll(&events, 1, 3_000) }) != 1 { try? handle.send(signal: SIGKILL) }
        }
        if let recorded { Self.endSession(of: recorded) }
    }

    /// The client's process; nil when there is none.
    func running(_ runRoot: String) -> pid_t? {
        let file = file(runRoot)
        guard family == .v6 else { return HelperProgram.process(recordedIn: file, withArgument: file) }
        guard let recorded = recordedIPv6(runRoot), let facts = ProcessHandle.facts(of: recorded.process),
            facts.startTime == recorded.startTime, !facts.hasEnded
        else { return nil }
        return recorded.process
    }

    /// Whether it has asked for so long that a server should have answered.
    func isOverdue(_ runRoot: String) -> Bool {
        guard let process = running(runRoot), let facts = ProcessHandle.facts(of: process) else { return false }
        var now = timespec()
        clock_gettime(CLOCK_BOOTTIME, &now)
        // In hundredths of a second since the boot (proc(5), `starttime`).
        return Int(now.tv_sec) - Int(facts.startTime / 100) > Self.patience
    }

    /// Seconds that a server may take to answer a new endpoint.
    static let patience = 12
}
