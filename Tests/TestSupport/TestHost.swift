import CLinux
import Foundation

/// A machine for one test: namespaces that play the host, and a neighbour on the same wire.
///
/// The host has its own network, mounts, processes and cgroups; `/run`, `/var/lib/swbox` and `/var/lib/swnet` are empty
/// and in memory. Its `eth0` is 192.0.2.1/24 and 2001:db8::1/64. The neighbour, 192.0.2.2 and 2001:db8::2, routes
/// everything through the host, as an attacker on the same network would. Everything dies with the fixture.
public final class TestHost: Sendable {
    public static let address = "192.0.2.1"
    public static let address6 = "2001:db8::1"
    public static let neighbour = "192.0.2.2"
    public static let neighbour6 = "2001:db8::2"

    /// The folder of the test images, the same path inside and outside.
    public let images: String
    /// The name of this host's cgroups on the real machine.
    let cgroup: String
    private let holder: Command
    /// Descriptors of the namespaces: network, neighbour's network, mount and process.
    private let namespaces: [Int32]
    let baseline: Leftovers

    private init(
        images: String, cgroup: String, holder: Command, namespaces: [Int32], baseline: Leftovers
    ) {
        self.images = images
        self.cgroup = cgroup
        self.holder = holder
        self.namespaces = namespaces
        self.baseline = baseline
    }

    /// Where a program runs.
    public enum Place: Sendable {
        case host, neighbour
    }

    /// Runs a program; a status other than 0 is a result like any other.
    @discardableResult
    public func run(
        _ words: [String], at place: Place = .host, input: CommandInput = .nothing, timeout: Double = patience
    ) async throws -> CommandResult {
        try await start(words, at: place, input: input, timeout: timeout).result
    }

    /// Runs a line of shell.
    @discardableResult
    public func shell(_ line: String, at place: Place = .host, timeout: Double = patience) async throws -> CommandResult
    {
        try await run(["bash", "-c", line], at: place, timeout: timeout)
    }

    /// Starts a program and does not wait for it. It is killed with the host at the latest.
    public func start(
        _ words: [String], at place: Place = .host, input: CommandInput = .nothing, timeout: Double = patience
    ) throws -> Command {
        let network = namespaces[place == .host ? 0 : 1]
        // nsenter opens every file before it enters the first namespace, so our own /proc is still there.
        let prefix = [
            "nsenter", "--net=/proc/\(getpid())/fd/\(network)", "--mount=/proc/\(getpid())/fd/\(namespaces[2])",
            "--pid=/proc/\(getpid())/fd/\(namespaces[3])", "--",
        ]
        return try Command(prefix + words, input: input, timeout: timeout)
    }

    /// Runs a program of ours.
    @discardableResult
    public func swbox(
        _ words: String..., input: CommandInput = .nothing, timeout: Double = patience
    ) async throws -> CommandResult {
        try await run([Products.path("swbox")] + words, input: input, timeout: timeout)
    }

    @discardableResult
    public func swnet(_ words: String..., timeout: Double = patience) async throws -> CommandResult {
        try await run([Products.path("swnet")] + words, timeout: timeout)
    }

    /// Runs a program that must succeed and returns its trimmed output.
    @discardableResult
    public func must(_ words: [String], at place: Place = .host, timeout: Double = patience) async throws -> String {
        let result = try await run(words, at: place, timeout: timeout)
        guard result.status == 0, !result.heldOpen else { throw CommandError("\(result)") }
        return result.output
    }

    /// Runs `swbox`, which must succeed.
    @discardableResult
    public func box(_ words: String..., timeout: Double = patience) async throws -> String {
        try await must([Products.path("swbox")] + words, timeout: timeout)
    }

    /// Runs `swnet`, which must succeed.
    @discardableResult
    public func net(_ words: String..., timeout: Double = patience) async throws -> String {
        try await must([Products.path("swnet")] + words, timeout: timeout)
    }

    /// What a field tool says in JSON.
    public func json(_ words: [String], at place: Place = .host) async throws -> JSONValue {
        try JSONValue(await must(words, at: place))
    }

    /// Makes the image `tools` (busybox, socat), which most tests run.
    public func importTools() async throws { try await box("import", "\(images)/tools.tar", "tools") }

    /// Makes the image `redis`.
    public func importRedis() async throws { try await box("import", "\(images)/redis.tar", "redis") }
}

extension TestHost {
    /// Builds a host, runs a test on it, and finds out what the test's programs left behind.
    public static func with(
        _ body: (TestHost) async throws -> Void
    ) async throws {
        await HostGate.shared.enter()
        do {
            let host = try await TestHost.make()
            do {
                try await body(host)
                try await host.assertNothingLeft()
            } catch {
                await host.destroy()
                throw error
            }
            await host.destroy()
        } catch {
            await HostGate.shared.leave()
            throw error
        }
        await HostGate.shared.leave()
    }

    private static func make() async throws -> TestHost {
        let images = try await TestImages.shared.folder
        let cgroup = "swhost-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        // The holder reads from a pipe that only this process has the other end of: it dies with us, however we die.
        let holder = try Command(
            [
                "unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script,
                cgroup,
            ],
            input: .silence, timeout: 1800)
        try await holder.waitForOutput("ready")
        let children = "/proc/\(holder.processIdentifier)/task/\(holder.processIdentifier)/children"
        guard let text = try? String(contentsOfFile: children, encoding: .utf8),
            let inside = Int32(text.trimmingCharacters(in: .whitespacesAndNewlines))
        else { throw CommandError("the host's first process was not found in \(children)") }
        let paths = ["ns/net", "root/run/netns/neighbour", "ns/mnt", "ns/pid"]
        let namespaces = try paths.map { path in
            let number = swn_openat(AT_FDCWD, "/proc/\(inside)/\(path)", O_RDONLY | O_CLOEXEC, 0)
            guard number >= 0 else { throw CommandError("open \(path): \(String(cString: strerror(errno)))") }
            return number
        }
        let first = TestHost(
            images: images, cgroup: cgroup, holder: holder, namespaces: namespaces, baseline: Leftovers())
        return TestHost(
            images: images, cgroup: cgroup, holder: holder, namespaces: namespaces,
            baseline: try await Leftovers.of(first))
    }

    private func destroy() async {
        await holder.stop()
        namespaces.forEach { close($0) }
        // The processes are gone, so the groups are empty; the kernel may take a moment to see it.
        let remove = """
            for try in 1 2 3 4 5 6 7 8 9 10; do
                find /sys/fs/cgroup -depth -type d -path '*/\(cgroup)*' -exec rmdir {} + 2>/dev/null
                [ -z "$(find /sys/fs/cgroup -maxdepth 2 -name '\(cgroup)')" ] && break
                sleep 0.05
            done
            """
        _ = try? await Command.run(["bash", "-c", remove])
    }

    /// The first process of a host. Bash reaps the orphans that become its children, as an init has to.
    private static let script = #"""
        set -eu
        name=$0
        mount --make-rprivate /
        mkdir -p /var/lib/swbox /var/lib/swnet
        for folder in /run /var/lib/swbox /var/lib/swnet; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
        mkdir -p /run/netns /run/lock

        # Cgroups of its own: the same layout as the machine's, each hierarchy from a new group down.
        groups=$(mktemp -d /run/groups.XXXX)
        if [ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ]; then
            mkdir "/sys/fs/cgroup/$name"
            sed 's/\(^\| \)/&+/g' /sys/fs/cgroup/cgroup.controllers > /sys/fs/cgroup/cgroup.subtree_control || true
            cat /sys/fs/cgroup/cgroup.subtree_control | sed 's/\(^\| \)/&+/g' \
                > "/sys/fs/cgroup/$name/cgroup.subtree_control" || true
            mount --bind "/sys/fs/cgroup/$name" "$groups"
            mount -t sysfs sysfs /sys
            mount --move "$groups" /sys/fs/cgroup
        else
            controllers=$(findmnt -rno TARGET | sed -n 's,^/sys/fs/cgroup/,,p')
            # What v1 leaves to v2 can be used below.
            if [ -d /sys/fs/cgroup/unified ]; then
                sed 's/\(^\| \)/&+/g' /sys/fs/cgroup/unified/cgroup.controllers \
                    > /sys/fs/cgroup/unified/cgroup.subtree_control || true
            fi
            for c in $controllers; do
                mkdir "/sys/fs/cgroup/$c/$name"
                for file in cpuset.mems cpuset.cpus; do
                    [ ! -f "/sys/fs/cgroup/$c/$file" ] || cat "/sys/fs/cgroup/$c/$file" > "/sys/fs/cgroup/$c/$name/$file"
                done
                mkdir "$groups/$c"
                mount --bind "/sys/fs/cgroup/$c/$name" "$groups/$c"
            done
            mount -t sysfs sysfs /sys
            mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
            for c in $controllers; do
                mkdir "/sys/fs/cgroup/$c"
                mount --move "$groups/$c" "/sys/fs/cgroup/$c"
            done
        fi
        rm -rf "$groups"

        ip link set lo up
        ip netns add neighbour
        ip link add eth0 type veth peer name eth0 netns neighbour
        at_neighbour() { ip netns exec neighbour "$@"; }
        at_neighbour ip link set lo up
        # A stock machine's settings; a new namespace may have inherited others.
        for n in '' at_neighbour; do
            $n sysctl -qw net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0 net.ipv6.conf.all.disable_ipv6=0 \
                net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.all.route_localnet=0
        done
        ip addr add 192.0.2.1/24 dev eth0
        ip addr add 2001:db8::1/64 dev eth0 nodad
        ip link set eth0 up
        at_neighbour ip addr add 192.0.2.2/24 dev eth0
        at_neighbour ip addr add 2001:db8::2/64 dev eth0 nodad
        at_neighbour ip link set eth0 up
        ip route add default via 192.0.2.2
        ip route add default via 2001:db8::2
        at_neighbour ip route add default via 192.0.2.1
        at_neighbour ip route add default via 2001:db8::1
        echo ready
        read -r || true
        """#
}

/// Lets only a few hosts live at a time: each runs several programs, and a test's time limits assume some processor.
actor HostGate {
    static let shared = HostGate(places: max(4, ProcessInfo.processInfo.activeProcessorCount * 2))
    private var places: Int
    private var waiting: [CheckedContinuation<Void, Never>] = []

    init(places: Int) { self.places = places }

    func enter() async {
        if places > 0 {
            places -= 1
        } else {
            await withCheckedContinuation { waiting.append($0) }
        }
    }

    func leave() {
        if waiting.isEmpty { places += 1 } else { waiting.removeFirst().resume() }
    }
}
