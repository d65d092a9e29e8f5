import Foundation

/// Everything of a host that a container could leave behind, as text, so that two moments can be compared.
public struct Leftovers: Sendable {
    var items: Set<String> = []

    /// What is there now, as the kernel says.
    static func of(_ host: TestHost) async throws -> Leftovers {
        let result = try await host.run(["bash", "-c", script])
        guard result.status == 0 else { throw CommandError("\(result)") }
        return Leftovers(items: Set(result.lines.filter { !$0.isEmpty }))
    }

    /// One line for each object; what belongs to the engine as such, and not to a container, is left out:
    /// images and layers, network definitions, the empty table, locks and caches.
    private static let script = #"""
        ip -o link show | awk -F': ' '{sub(/@.*/, "", $2); print "interface " $2}'
        ls /run/netns 2>/dev/null | sed 's/^/network namespace /'
        awk '{print "mount " $5}' /proc/self/mountinfo | grep -v ' /proc/'
        # The pid namespace is the host's: what runs here was started by the test or by what it started.
        for p in /proc/[0-9]*; do
            id=${p#/proc/}
            [ "$id" != $$ ] && [ "$(awk '{print $4}' $p/stat 2>/dev/null)" != $$ ] || continue
            state=$(sed 's/.*) //' $p/stat 2>/dev/null | cut -c1) || continue
            [ "$state" = Z ] && continue
            [ "$id" != 1 ] && echo "process $(tr '\0\n' '  ' < $p/cmdline 2>/dev/null)"
        done
        find /sys/fs/cgroup -mindepth 2 -type d 2>/dev/null | grep -E '[0-9a-f]{12}|swnet-test' | sed 's/^/cgroup /'
        find /run/swbox/containers /run/swbox/names /var/lib/swbox/containers /var/lib/swbox/names \
            /run/swnet/sandboxes /run/swnet/pending /run/swnet/networks/*/leases -mindepth 1 2>/dev/null | sed 's/^/file /'
        nft -j list table inet swnet 2>/dev/null | jq -r '.nftables[] | (.map // empty)
            | select(.name | startswith("published")) | .name as $n | (.elem // [])[] | "map element \($n) \(tojson)"'
        exit 0
        """#
}

extension TestHost {
    /// Fails the test for everything that is there now and was not there when the host was made.
    ///
    /// Networks stay until they are removed, by intention, so they are removed first; a container that still exists is
    /// a leftover.
    public func assertNothingLeft() async throws {
        try await removeNetworks()
        var left: [String] = []
        // The kernel takes an interface away some time after its namespace, and a process is a zombie until reaped.
        let clean = try await eventually(seconds: 60) {
            left = try await Leftovers.of(self).items.subtracting(baseline.items).sorted()
            return left.isEmpty
        }
        if !clean {
            throw CommandError("left behind:\n\(left.joined(separator: "\n"))")
        }
    }

    private func removeNetworks() async throws {
        let list = try await swnet("ls", "--format", "json")
        guard list.status == 0, let networks = try? JSONValue(list.standardOutput) else { return }
        for name in networks.items.compactMap({ $0["name"].text ?? $0["Name"].text }) { try await swnet("rm", name) }
    }
}
