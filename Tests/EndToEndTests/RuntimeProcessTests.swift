import Foundation
import TestSupport
import Testing

@Suite("swrun: how processes are scheduled, and interfaces of the host's")
struct RuntimeProcessTests {
    @Test func `scheduler, priority of input and output, and memory policy are the kernel's`() async throws {
        try await TestHost.with { host in
            let change = """
                .process.scheduler = {policy: "SCHED_BATCH", nice: 7, flags: ["SCHED_FLAG_RESET_ON_FORK"]}
                | .process.ioPriority = {class: "IOPRIO_CLASS_IDLE", priority: 3}
                | .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0", flags: ["MPOL_F_STATIC_NODES"]}
                """
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", change)
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            // Fields 19 and 41 of proc_pid_stat(5): the nice value and the policy.
            let status = try await host.must(["awk", "{ print $19, $41 }", "/proc/\(pid)/stat"])
            #expect(status == "7 3")
            #expect(try await host.must(["chrt", "-p", "\(pid)"]).contains("SCHED_BATCH|SCHED_RESET_ON_FORK"))
            #expect(try await host.must(["ionice", "-p", "\(pid)"]) == "idle")
            #expect(try await host.must(["head", "-n1", "/proc/\(pid)/numa_maps"]).contains("bind=static:0"))
            // The memory policy is the container's, and so that of every process of it.
            let further = try await bundle.swrun("exec", "box", "head", "-n1", "/proc/self/numa_maps")
            #expect(further.output.contains("bind=static:0"), "\(further)")
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a further process has the processors that it is given`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000")
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            try await host.must([
                "bash", "-ec",
                """
                jq '.process | .terminal = false | .args = ["grep", "Cpus_allowed_list", "/proc/self/status"]
                    | .execCPUAffinity = {initial: "0", final: " 0, 0,"}' /run/bundle/config.json >/run/process.json
                """,
            ])
            let result = try await bundle.swrun("exec", "--process", "/run/process.json", "box")
            #expect(result.output == "Cpus_allowed_list:\t0", "\(result)")
            for (change, name) in [
                (#"{initial: "0-"}"#, "process.execCPUAffinity.initial"),
                (#"{final: "3-1"}"#, "process.execCPUAffinity.final"),
                (#"{final: "8000"}"#, "process.execCPUAffinity"),
            ] {
                try await host.must([
                    "bash", "-ec", "jq '.execCPUAffinity = \(change)' /run/process.json >/run/wrong.json",
                ])
                expectRefusal(
                    try await bundle.swrun("exec", "--process", "/run/wrong.json", "box"), status: 255, names: name)
            }
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test(
        arguments: [
            (#".linux.memoryPolicy = {mode: "INTERLEAVE", nodes: "0"}"#, "invalid memory policy mode 'INTERLEAVE'"),
            (#".linux.memoryPolicy = {mode: "MPOL_PREFERRED", flags: ["x"]}"#, "invalid memory policy flag 'x'"),
            (#".linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0-9876543210"}"#, "invalid memory policy nodes"),
            (#".linux.memoryPolicy = {mode: "MPOL_DEFAULT", nodes: "0-7"}"#, "mode requires 0 nodes but got 8"),
            (
                #".process.scheduler = {policy: "SCHED_DEADLINE", runtime: 42000, deadline: 1000000, period: 1000000} | .linux.resources.cpu.cpus = "0""#,
                "process scheduler can't be used together with AllowedCPUs"
            ),
            (#".process.args = ["/no-interpreter"]"#, "exec /no-interpreter: no such file or directory"),
        ])
    func `what cannot be is said in runc's words`(change: String, words: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "true", change)
            try await host.must([
                "bash", "-ec",
                "cd /run/bundle/rootfs; echo '#!/none' >no-interpreter; chmod +x no-interpreter; nproc >/run/processors",
            ])
            if change.contains("DEADLINE"), try await host.must(["cat", "/run/processors"]) == "1" {
                print("skipped: this machine has one processor")
                return
            }
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status != 0 && result.errors.contains(words), "\(result)")
            // With runc it is the container's process that says so.
            if words.hasPrefix("exec ") { #expect(result.errors == words && result.status == 127, "\(result)") }
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a runtime that is pinned to a processor does not pin its container`() async throws {
        try await TestHost.with { host in
            let online = try await host.must(["cat", "/sys/devices/system/cpu/online"])
            guard online != "0" else {
                print("skipped: this machine has one processor")
                return
            }
            let allowed = "grep Cpus_allowed_list /proc/self/status"
            let every = try await host.must(["bash", "-c", "taskset -c 0-1023 \(allowed) | cut -f2"])
            let bundle = try await RuntimeBundle(host, "\(allowed) >/allowed; exec sleep 1000")
            let swrun = Products.path("swrun")
            let pinned = "exec taskset -c 0 \(swrun)"
            try await host.must([
                "bash", "-ec", "\(pinned) run --detach --bundle /run/bundle box </dev/null >/run/out 2>&1",
            ])
            try await host.must([
                "bash", "-ec", "until [ -s /run/bundle/rootfs/allowed ]; do sleep 0.02; done",
            ])
            let first = try await host.must(["cat", "/run/bundle/rootfs/allowed"])
            #expect(first == "Cpus_allowed_list:\t\(every)")
            let further = try await host.must(["bash", "-ec", "\(pinned) exec box \(allowed)"])
            #expect(further == "Cpus_allowed_list:\t\(every)")
            // Who asks for some of them gets those.
            try await host.must([
                "bash", "-ec",
                """
                jq '.process | .terminal = false | .args = ["sh", "-c", "\(allowed)"]
                    | .execCPUAffinity = {initial: "0"}' /run/bundle/config.json >/run/process.json
                """,
            ])
            let asked = try await bundle.swrun("exec", "--process", "/run/process.json", "box")
            #expect(asked.output == "Cpus_allowed_list:\t0", "\(asked)")
            try await bundle.must("delete", "--force", "box")
        }
    }

    @Test(
        arguments: [
            (#".process.scheduler = {policy: "SCHED_FAST"}"#, "process.scheduler.policy"),
            (#".process.scheduler = {policy: "SCHED_OTHER", nice: 20}"#, "process.scheduler.nice"),
            (#".process.scheduler = {policy: "SCHED_OTHER", priority: 1}"#, "process.scheduler.priority"),
            (#".process.scheduler = {policy: "SCHED_BATCH", runtime: 1}"#, "process.scheduler.runtime"),
            (#".process.scheduler = {policy: "SCHED_BATCH", flags: ["x"]}"#, "process.scheduler.flags[0]"),
            (#".process.ioPriority = {class: "IOPRIO_CLASS_XX"}"#, "process.ioPriority.class"),
            (#".process.ioPriority = {class: "IOPRIO_CLASS_BE", priority: 8}"#, "process.ioPriority.priority"),
            (#".linux.memoryPolicy = {mode: "MPOL_ALL"}"#, "linux.memoryPolicy.mode"),
            (#".linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "x"}"#, "linux.memoryPolicy.nodes"),
            (#".linux.memoryPolicy = {mode: "MPOL_BIND"}"#, "linux.memoryPolicy"),
            (#".linux.intelRdt = {closID: "x"}"#, "linux.intelRdt"), (#".linux.intelRdt = {}"#, "linux.intelRdt"),
            (#".linux.intelRdt = {schemata: "x"}"#, "linux.intelRdt.schemata"),
            // More than anybody would read.
            (".process.user.additionalGids = [range(1; 65538)]", "(process.user.additionalGids) to 65537 groups: "),
            (
                #"""
                .linux.namespaces += [{type: "user"}] | .linux.gidMappings = [{containerID: 0, hostID: 0, size: 9}]
                | .linux.uidMappings = [range(400) | {containerID: ., hostID: (100000 + 2 * .), size: 1}]
                """#,
                "(linux.uidMappings) to 400 ranges: "
            ),
            (#".linux.netDevices = {"none0": {}}"#, "linux.netDevices.none0"),
            (#".linux.netDevices = {"a/b": {}}"#, "linux.netDevices.a/b"),
            (#".linux.netDevices = {"lo": {name: "sixteen-letters-"}}"#, "linux.netDevices.lo.name"),
            (
                #".linux.resources.hugepageLimits = [{pageSize: "../x", limit: 1}]"#,
                "linux.resources.hugepageLimits[0].pageSize"
            ),
        ])
    func `what cannot be is refused by name`(change: String, name: String) async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "sleep 1000", change)
            expectRefusal(try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a parameter may be longer than a page`() async throws {
        try await TestHost.with { host in
            let ports = stride(from: 1025, to: 9000, by: 2).map(String.init).joined(separator: ",")
            let file = "net.ipv4.ip_local_reserved_ports"
            let change = #".linux.sysctl = {"\#(file)": "\#(ports)"}"#
            let bundle = try await RuntimeBundle(host, "cat /proc/sys/\(file.replacing(".", with: "/"))", change)
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.output == ports, "\(result)")
        }
    }

    @Test func `interfaces are numbered by the kernel where the document leaves it that`() async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"])
            try await host.must(["ip", "address", "add", "10.70.0.2/24", "dev", "wire1"])
            let devices = #".linux.netDevices = {"wire0": {name: "new%d"}, "wire1": {name: "new%d"}}"#
            let missing = try await RuntimeBundle(host, "true", devices + #" | .process.args = ["/no/such"]"#)
            expectRefusal(
                try await missing.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: "/no/such")
            let home = try await host.json(["ip", "-j", "link"]).items.compactMap { $0["ifname"].text }
            #expect(Set(home).isSuperset(of: ["wire0", "wire1"]), "\(home)")
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", devices)
            try await bundle.create()
            let pid = try #require(try await bundle.state()["pid"].integer)
            let inside = try await host.json(["nsenter", "-t", "\(pid)", "-n", "ip", "-j", "address"]).items
            let names = inside.compactMap { $0["ifname"].text }
            #expect(Set(names) == ["lo", "new0", "new1"], "\(names)")
            let addressed = inside.first { $0["ifname"].text == "new1" }?["addr_info"].items ?? []
            #expect(addressed.contains { $0["local"].text == "10.70.0.2" }, "\(inside)")
            for name in ["new%", "%d%d", "n%dx", "sixteen-letter%d"] {
                let bad = try await RuntimeBundle(host, "true", #".linux.netDevices = {"eth0": {name: "\#(name)"}}"#)
                expectRefusal(
                    try await bad.swrun("create", "--bundle", "/run/bundle", "bad"), status: 1,
                    names: "linux.netDevices.eth0.name", name)
            }
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    /// The kernel would move it all the same, and only then find that it cannot be called so.
    @Test(arguments: [
        (#"{"wire0": {name: "lo"}}"#, "linux.netDevices.wire0", "'lo'"),
        (#"{"wire0": {name: "same"}, "wire1": {name: "same"}}"#, "linux.netDevices.wire1", "'same'"),
    ])
    func `an interface whose name is taken stays at home`(devices: String, field: String, name: String) async throws {
        try await TestHost.with { host in
            try await host.must(["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"])
            try await host.must(["ip", "address", "add", "10.70.0.2/24", "dev", "wire0"])
            let bundle = try await RuntimeBundle(host, "exec sleep 1000", ".linux.netDevices = \(devices)")
            let result = try await bundle.swrun("create", "--bundle", "/run/bundle", "box")
            expectRefusal(result, status: 1, names: field, "cannot be moved as \(name)")
            let home = try await host.must(["ip", "-br", "address", "show", "dev", "wire0"])
            #expect(home.contains("wire0@wire1") && home.contains("10.70.0.2/24"), "\(home)")
            try await host.must(["ip", "link", "del", "wire0"])
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `an interface moves in with its addresses, and home when the container cannot be made`() async throws {
        try await TestHost.with { host in
            try await host.must([
                "bash", "-ec",
                """
                ip link add wire0 address 02:00:00:00:00:07 mtu 1400 type veth peer name wire1
                ip link set wire0 up; ip link set wire1 up
                ip address add 10.70.0.2/24 brd + dev wire0; ip address add fd00:70::2/64 dev wire0 nodad
                ip address add 10.70.0.1/24 dev wire1
                """,
            ])
            let devices = #".linux.netDevices = {"wire0": {name: "up0"}}"#
            let missing = try await RuntimeBundle(host, "true", devices + #" | .process.args = ["/no/such"]"#)
            expectRefusal(
                try await missing.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: "/no/such")
            // Home again, as it was.
            let home = try await host.json(["ip", "-j", "address", "show", "dev", "wire0"])[0]
            #expect(home["flags"].items.contains { $0.text == "UP" })
            let returned = home["addr_info"].items.compactMap { $0["local"].text }
            #expect(returned.contains("10.70.0.2") && returned.contains("fd00:70::2"), "\(returned)")

            let bundle = try await RuntimeBundle(host, "sleep 1000", devices)
            try await bundle.must("run", "--detach", "--bundle", "/run/bundle", "box")
            #expect(try await host.shell("ip link show dev wire0").status != 0)
            let pid = try #require(try await bundle.state()["pid"].integer)
            let inside = try await host.json([
                "nsenter", "--net=/proc/\(pid)/ns/net", "ip", "-j", "address", "show", "dev", "up0",
            ])[0]
            #expect(inside["mtu"].integer == 1400 && inside["address"].text == "02:00:00:00:00:07")
            let addresses = inside["addr_info"].items
            let v4 = try #require(addresses.first { $0["local"].text == "10.70.0.2" })
            #expect(v4["prefixlen"].integer == 24 && v4["broadcast"].text == "10.70.0.255", "\(addresses)")
            #expect(addresses.contains { $0["local"].text == "fd00:70::2" && $0["prefixlen"].integer == 64 })
            #expect(try await host.shell("ping -c1 -W30 10.70.0.2").status == 0)
            try await bundle.must("delete", "--force", "box")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a program may begin where only the superuser may enter, and finds nothing by it`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "pwd; ls; true",
                """
                .process.cwd = "/closed" | .process.user = {uid: 1000, gid: 1000}
                | .process.capabilities |= map_values([])
                """)
            try await host.must(["mkdir", "-m", "700", "/run/bundle/rootfs/closed"])
            let result = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status == 0 && result.output == "/closed", "\(result)")
            #expect(result.errors.contains("denied"), "\(result)")
        }
    }
}
