import TestSupport

extension NetworkHost {
    /// Everything that an operation could leave on the host and in its sandboxes, as text: two moments can be compared.
    ///
    /// Left out is what changes by itself (timers, carriers, addresses of the link alone, routes that follow from
    /// addresses) and what is no state: how far the handing out of addresses has come, whose the lock was, and empty
    /// folders.
    func state() async throws -> [String] {
        let result = try await shell(
            #"""
            for space in "" $(ls /run/netns | grep -v neighbour); do
                at() { if [ -n "$space" ]; then ip netns exec "$space" "$@"; else "$@"; fi; }
                at ip -j -d link show | jq -r '.[] | select(.ifname) | [.ifname, .link_type, .address, .mtu, .master,
                    .ifalias, .linkinfo.info_kind, (.flags | contains(["UP"]))] | @tsv' | sed "s/^/$space link /"
                at ip -j address show | jq -r '.[] | select(.ifname) | .ifname as $i | .addr_info[]
                    | select(.scope == "global") | [$i, .local, .prefixlen] | @tsv' | sed "s/^/$space address /"
                { at ip route show table all; at ip -6 route show table all; } | grep -vE 'fe80|ff00|table local' \
                    | sed -E "s/ (linkdown|dead)//g; s/ +$//; s/^/$space route /"
            done | sort
            tc qdisc show | grep -E 'tbf|ingress|clsact' | sed -E 's/ [0-9a-f]+: / /' | sort
            bridge fdb show | grep -E ' dst ' | sort
            sysctl net.ipv4.ip_forward net.ipv6.conf.all.forwarding net.ipv6.conf.eth0.accept_ra
            nft list ruleset
            cd /
            for path in $(find run/swnet var/lib/swnet -mindepth 1 | sort); do
                case $path in */lock|*/boot|*/repaired|*/unique-local|*/cursor*|*.new|*/aardvark.pid|*/names|*/relays|*/dhcp) continue ;; esac
                [ -L $path ] && echo "$path -> $(readlink $path)"
                [ -d $path ] && [ ! -L $path ] && echo "$path/"
                [ -f $path ] && [ ! -L $path ] && [ -s $path ] && echo "$path $(cat $path)"
            done
            # Nobody reaps the dead here.
            ps -eo stat,comm | grep -v '^Z' | grep -oE 'aardvark-dns|swnet|busybox|udhcpc' | sort
            true
            """#)
        guard result.status == 0, result.errors.isEmpty else { throw CommandError("\(result)") }
        return result.lines
    }

    /// Waits until the state is as it was; what is different when it never is. The kernel deletes links in its own time.
    ///
    /// - Parameter plain: What takes away from a line what need not be the same.
    func difference(from before: [String], _ plain: (String) -> String = { $0 }) async throws -> [String] {
        var now: [String] = []
        let same = try await eventually(seconds: 60) {
            now = try await state().map(plain)
            return now == before
        }
        return same
            ? []
            : now.filter { !before.contains($0) }.map { "+ \($0)" }
                + before.filter { !now.contains($0) }.map { "- \($0)" }
    }
}
