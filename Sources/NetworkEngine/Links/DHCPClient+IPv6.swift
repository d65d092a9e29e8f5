import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage

/// The client for IPv6, dhcpcd, told to configure nothing (`noconfigure`).
///
/// It keeps its files under the interface's name, whatever the network namespace is, so it gets folders of its own in a
/// mount namespace. It splits itself into several processes, which live on when their first is killed; but all are of
/// one session, and are ended by that.
extension DHCPClient {
    /// The environment variable that makes `swnet` prepare a mount namespace and become the client; it says on which
    /// interface.
    static let launch = "SWNET_DHCP_LAUNCH"
    /// Where the client keeps what it knows, and its sockets. They are compiled in.
    private static let folders = ["/run/dhcpcd", "/var/lib/dhcpcd"]
    static let boundNamespace = "/run/dhcpcd/host"
    private static let program = "/usr/sbin/dhcpcd"

    func commandIPv6(_ variables: [String]) throws -> (String, [String], [String]) {
        guard access(Self.program, X_OK) == 0 else {
            throw NetworkError(
                .failed,
                "DHCP for IPv6 needs the client dhcpcd, which is not installed (Debian: apt install dhcpcd-base)")
        }
        return (try Self.script(), [Self.program], variables + ["\(Self.launch)=\(endpoint.interface)"])
    }

    /// Becomes the client of an interface of this network namespace.
    ///
    /// - Throws: `SystemError`; else it does not return.
    static func becomeClient(_ interface: String, _ variable: (String) -> String?) throws {
        guard let file = variable("SWNET_DHCP_FILE"), let start = ProcessHandle.startTime(of: getpid()) else {
            throw NetworkError(.invalid, "\(launch) is for swnet itself")
        }
        try separateFolders()
        let configuration = "/run/dhcpcd/configuration"
        // The Ethernet address is the client's name, so that whoever is started again gets the same address again. Routers
        // are the kernel's business, and a lease is given back at the end.
        try Descriptor.open(configuration, O_WRONLY | O_CREAT, mode: 0o644)
            .write(text: "duid ll\nia_na\nnoipv6rs\nrelease\nquiet\n")
        var arguments = [program, "-6", "-B", "--noconfigure", "-f", configuration, "-c", try script()]
        for name in [handler, "SWNET_DHCP_NETWORK", "SWNET_DHCP_FILE", "SWNET_DHCP_RUN", "SWNET_DHCP_STATE"] {
            arguments += ["-e", "\(name)=\(variable(name) ?? "")"]
        }
        arguments.append(interface)
        // Whoever started us waits for this file. Before there was one, nobody could have ended us.
        let slash = file.lastIndex(of: "/") ?? file.startIndex
        try Descriptor.openDirectory(String(file[..<slash])).replaceFile(
            String(file[slash...].dropFirst()), with: "\(getpid()) \(start)\n".utf8, mode: 0o600)
        var words = arguments.map { strdup($0) } + [nil]
        execv(program, &words)
        throw SystemError("execute", program, errno: .last)
    }

    /// Gives this process folders of its own where the client keeps its files, with the host's network namespace in them.
    private static func separateFolders() throws(SystemError) {
        guard unshare(CLONE_NEWNS) == 0 else { throw SystemError("unshare the mount namespace", errno: .last) }
        // What the host unmounts goes here too.
        guard swn_mount("none", "/", nil, UInt(MS_REC | MS_SLAVE), nil) == 0 else {
            throw SystemError("make / a slave mount", errno: .last)
        }
        for folder in folders {
            mkdir(folder, 0o755)
            guard swn_mount("tmpfs", folder, "tmpfs", UInt(MS_NOSUID | MS_NODEV | MS_NOEXEC), "mode=755") == 0 else {
                throw SystemError("mount tmpfs on", folder, errno: .last)
            }
        }
        _ = try Descriptor.open(boundNamespace, O_WRONLY | O_CREAT, mode: 0o600)
        guard swn_mount("/proc/self/fd/\(hostNamespace)", boundNamespace, nil, UInt(MS_BIND), nil) == 0 else {
            throw SystemError("bind the network namespace at", boundNamespace, errno: .last)
        }
        close(hostNamespace)
    }

    /// Which process was started, and when; nil when none is recorded.
    func recordedIPv6(_ runRoot: String) -> (process: pid_t, startTime: UInt64)? {
        guard let text = try? Descriptor.openRegular(file(runRoot)).readAll(limit: 64) else {
            return nil
        }
        let words = String(decoding: text, as: UTF8.self).split { $0 == " " || $0 == "\n" }
        guard words.count == 2, let process = pid_t(words[0]), process > 1, let start = UInt64(words[1]) else {
            return nil
        }
        return (process, start)
    }

    /// Kills what is left of a client's session. Its number is nobody else's while there is somebody in it.
    static func endSession(of recorded: (process: pid_t, startTime: UInt64)) {
        if let facts = ProcessHandle.facts(of: recorded.process), facts.startTime != recorded.startTime { return }
        guard let names = try? Descriptor.openDirectory("/proc", forListing: true).entries() else { return }
        for process in names.compactMap({ pid_t($0) }) where getsid(process) == recorded.process {
            kill(process, SIGKILL)
        }
    }
}
