import CLinux
import Foundation
import TestSupport

/// A host for one test of networks alone: namespaces with nothing in them but `eth0` and a neighbour behind it.
///
/// The host is 192.0.2.1 and 2001:db8::1; the neighbour, .2 and ::2, routes everything through the host, as an attacker
/// on the same wire would. `/run` and `/var/lib/swnet` are in memory. Everything dies with the fixture.
final class NetworkHost: Sendable {
    private let holder: Command
    private let namespaces: [Int32]

    enum Place: Sendable {
        case host
        case neighbour
        /// A named network namespace.
        case inside(String)
    }

    private init(holder: Command, namespaces: [Int32]) {
        self.holder = holder
        self.namespaces = namespaces
    }

    static func with(_ body: (NetworkHost) async throws -> Void) async throws {
        let holder = try Command(
            ["unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script],
            input: .silence, timeout: 1800)
        try await holder.waitForOutput("ready")
        let children = "/proc/\(holder.processIdentifier)/task/\(holder.processIdentifier)/children"
        let text = (try? String(contentsOfFile: children, encoding: .utf8)) ?? ""
        guard let inside = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines)) else {
            throw CommandError("no first process in \(children)")
        }
        let namespaces = ["net", "mnt", "pid"].map { kind in
            swn_openat(AT_FDCWD, "/proc/\(inside)/ns/\(kind)", O_RDONLY | O_CLOEXEC, 0)
        }
        let host = NetworkHost(holder: holder, namespaces: namespaces)
        defer { namespaces.forEach { close($0) } }
        do {
            try await body(host)
        } catch {
            await holder.stop()
            throw error
        }
        await holder.stop()
    }

    private static let script = #"""
        set -eu
        mount --make-rprivate /
        mkdir -p /var/lib/swnet
        for folder in /run /var/lib/swnet; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
        mkdir -p /run/netns
        ip -b - <<'EOF'
        netns add neighbour
        link set lo up
        link add eth0 type veth peer name eth0 netns neighbour
        address add 192.0.2.1/24 dev eth0
        address add 2001:db8::1/64 dev eth0 nodad
        link set eth0 up
        EOF
        ip -n neighbour -b - <<'EOF'
        address add 192.0.2.2/24 dev eth0
        address add 2001:db8::2/64 dev eth0 nodad
        link set lo up
        link set eth0 up
        route add default via 192.0.2.1
        route add default via 2001:db8::1
        EOF
        echo ready
        exec cat
        """#

    // MARK: - Running

    func start(_ words: [String], at place: Place = .host, timeout: Double = patience) throws -> Command {
        let own = "/proc/\(getpid())/fd"
        var prefix = [
            "nsenter", "--net=\(own)/\(namespaces[0])", "--mount=\(own)/\(namespaces[1])",
            "--pid=\(own)/\(namespaces[2])", "--",
        ]
        switch place {
        case .host: break
        case .neighbour: prefix += ["ip", "netns", "exec", "neighbour"]
        case .inside(let name): prefix += ["ip", "netns", "exec", name]
        }
        return try Command(prefix + words, timeout: timeout)
    }

    @discardableResult
    func run(_ words: [String], at place: Place = .host) async throws -> CommandResult {
        try await start(words, at: place).result
    }

    @discardableResult
    func must(_ words: [String], at place: Place = .host) async throws -> String {
        let result = try await run(words, at: place)
        guard result.status == 0 else { throw CommandError("\(result)") }
        return result.output
    }

    @discardableResult
    func shell(_ line: String, at place: Place = .host) async throws -> CommandResult {
        try await run(["bash", "-c", line], at: place)
    }

    static let swnet = Products.path("swnet")

    @discardableResult
    func swnet(_ words: String...) async throws -> CommandResult { try await run([Self.swnet] + words) }

    @discardableResult
    func swnet(_ words: [String]) async throws -> CommandResult { try await run([Self.swnet] + words) }

    /// Runs `swnet`, which must succeed.
    @discardableResult
    func net(_ words: String...) async throws -> String { try await must([Self.swnet] + words) }

    @discardableResult
    func net(_ words: [String]) async throws -> String { try await must([Self.swnet] + words) }

    func json(_ words: [String], at place: Place = .host) async throws -> JSONValue {
        try JSONValue(await must(words, at: place))
    }

    // MARK: - Asking and answering

    /// Makes a named namespace, connects it, and has a server in it that answers with the caller's address and a name.
    func serve(_ name: String, on network: String, _ transports: [String] = ["tcp"], port: Int = 80) async throws
        -> [Command]
    {
        try await must(["ip", "netns", "add", name])
        try await net("connect", network, name)
        return try await listen(name, transports, port: port)
    }

    /// Starts servers of both families in a namespace, or on the host or neighbour.
    func listen(_ name: String, _ transports: [String], port: Int, at place: Place? = nil) async throws -> [Command] {
        var servers: [Command] = []
        for transport in transports {
            let listen = transport == "tcp" ? "TCP6-LISTEN:\(port),fork,reuseaddr" : "UDP6-RECVFROM:\(port),fork"
            servers.append(
                try start(
                    ["socat", "\(listen),ipv6only=0", "SYSTEM:echo $SOCAT_PEERADDR \(name)"], at: place ?? .inside(name)
                ))
            let option = transport == "tcp" ? "-Hltn" : "-Hlun"
            let isUp = try await eventually {
                try await !run(["ss", option, "sport = :\(port)"], at: place ?? .inside(name)).output.isEmpty
            }
            guard isUp else { throw CommandError("\(name) does not listen") }
        }
        return servers
    }

    /// What a server at `target` (`TCP:127.0.0.1:80`, `UDP:[…]:53`) answers; nil when nobody does.
    func ask(_ target: String, at place: Place = .host, wait seconds: Double = 1) async throws -> String? {
        let options = target.hasPrefix("TCP") ? ",connect-timeout=\(seconds)" : ""
        let line = "echo hello | socat -t \(seconds) -T \(seconds) - '\(target)\(options)' 2>/dev/null"
        let output = try await shell(line, at: place).output
        return output.isEmpty ? nil : Self.shorten(output)
    }

    /// The answer of a server that must answer, however busy this machine is.
    func answer(_ target: String, at place: Place = .host) async throws -> String? {
        var answer: String?
        _ = try await eventually {
            answer = try await ask(target, at: place, wait: 2)
            return answer != nil
        }
        return answer
    }

    /// socat writes IPv6 addresses with every digit; the tests write them as people do.
    private static func shorten(_ answer: String) -> String {
        let words = answer.split(separator: " ").map(String.init)
        guard let first = words.first, first.hasPrefix("[") else { return answer }
        var bytes = in6_addr()
        inet_pton(AF_INET6, String(first.dropFirst().dropLast()), &bytes)
        var text = [CChar](repeating: 0, count: 64)
        inet_ntop(AF_INET6, &bytes, &text, 64)
        let short = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let plain = short.hasPrefix("::ffff:") ? String(short.dropFirst(7)) : short
        return ([plain] + words.dropFirst()).joined(separator: " ")
    }

    // MARK: - What is there

    /// The global addresses of a namespace's interface.
    func addresses(of name: String, _ interface: String = "eth0") async throws -> (v4: String, v6: String) {
        let infos = try await json(["ip", "-j", "address", "show", "dev", interface], at: .inside(name))[0]["addr_info"]
            .items.filter { $0["scope"].text == "global" }
        let local = { (family: String) in infos.first { $0["family"].text == family }?["local"].text ?? "" }
        return (local("inet"), local("inet6"))
    }

    /// The elements of a map or set, one text for each.
    func elements(_ name: String) async throws -> [String] {
        let kind = name.hasPrefix("published") ? "map" : "set"
        let result = try await run(["nft", "-j", "list", kind, "inet", "swnet", name])
        guard result.status == 0 else { return [] }
        return try JSONValue(result.standardOutput)["nftables"].items.flatMap { $0[kind]["elem"].items }.map { "\($0)" }
    }

    /// Every interface of the host, every lease, record and intent, and whether our table is there.
    func leftovers() async throws -> [String] {
        try await shell(
            """
            ip -o link show | awk -F': ' '{sub(/@.*/, "", $2); print $2}' | grep -vE '^(lo|eth0)$'
            find /run/swnet/sandboxes /run/swnet/namespaces /run/swnet/networks /run/swnet/pending \
                /run/swnet/forwarding -mindepth 1 2>/dev/null
            [ -s /run/swnet/ports ] && cat /run/swnet/ports
            nft list tables; true
            """
        ).lines
    }
}

extension NetworkHost {
    /// Waits until nothing is left, which the kernel may take a moment for.
    func nothingLeft() async throws -> [String] {
        var left: [String] = []
        _ = try await eventually {
            left = try await leftovers()
            return left.isEmpty
        }
        return left
    }
}
