import Foundation
import TestSupport
import Testing

/// Many processes at once, of every verb, on one host; some are killed in the middle, and somebody deletes bridges, the
/// table and namespaces meanwhile. Nothing is ever had by two, nobody waits for ever, and what is left is mended. `SWNET_CROWD` says how many commands (600).
@Suite("a crowd of processes")
struct CrowdTests {
    /// Prints what should not have happened, a line each; its last line is how often each status was seen.
    private static let crowd = """
        import collections, os, random, signal, subprocess, sys, threading, time
        swnet, seed, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        choose = random.Random(seed)
        networks = [f"n{i}" for i in range(3)]
        sandboxes = [f"s{i}" for i in range(12)]
        def words():
            network, sandbox = choose.choice(networks), choose.choice(sandboxes)
            port, transport = choose.randrange(8000, 8012), choose.choice(["tcp", "udp"])
            mapping = f"{port}:{choose.randrange(1, 100)}/{transport}"
            subnet = ["--subnet", f"10.9{network[1]}.0.0/28"]
            create = ["create", network] + choose.choice([
                subnet, subnet + ["--isolation", "strict"], subnet + ["--isolate-ports", "--antispoof"],
                subnet + ["--internal"], subnet + ["--subnet", f"fd00:{network[1]}::/64"], subnet + ["--driver", "ptp"]])
            if choose.random() < 0.03:
                return choose.choice([
                    ["nft", "delete", "table", "inet", "swnet"], ["ip", "link", "del", f"sw-{network}"],
                    ["sh", "-c", f"ip netns del {sandbox}; ip netns add {sandbox}"]])
            return [swnet] + choose.choice([
                ["connect", network, sandbox], ["connect", network, sandbox, "-p", mapping],
                ["connect", network, sandbox, "--egress", "10mbit"], ["limit", network, sandbox, "--egress", "1mbit"],
                ["publish", sandbox, f"[::1]:{mapping}"], ["publish", sandbox, "80"],
                ["connect", network, sandbox], ["disconnect", network, sandbox], ["disconnect", network, sandbox],
                ["publish", sandbox, mapping], ["publish", sandbox, f"{port}-{port + 3}:{port}-{port + 3}"],
                ["unpublish", sandbox, mapping], ["rm", network], create, create, ["ls"], ["ports"], ["check"], ["repair"], ["gc"],
                ["inspect", network]])
        plans = [(words(), choose.random() * 0.06 if choose.random() < 0.15 else None) for _ in range(count)]
        seen, lock = collections.Counter(), threading.Lock()
        def work():
            while True:
                with lock:
                    if not plans: return
                    line, deadline = plans.pop()
                child = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                try:
                    if deadline is not None and line[0] == swnet:
                        time.sleep(deadline)
                        child.kill()
                    output, errors = child.communicate(timeout=120)
                except subprocess.TimeoutExpired:
                    child.kill()
                    print("waits for ever:", line, flush=True)
                    continue
                with lock: seen[child.returncode] += 1
                if child.returncode not in (0, 1, -9): print("status", child.returncode, line, errors, flush=True)
                if child.returncode == 1 and line[1] not in ("check", "repair") and len(errors.strip().split("\\n")) > 3:
                    print("a long story", line, errors, flush=True)
        threads = [threading.Thread(target=work) for _ in range(32)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(dict(seen))
        """

    @Test func `thirty-two at a time`() async throws {
        let seed = UInt32.random(in: 0...999_999)
        let count = ProcessInfo.processInfo.environment["SWNET_CROWD"] ?? "600"
        try await NetworkHost.with { host in
            try await host.shell("for i in $(seq 0 11); do ip netns add s$i; ip -n s$i link set lo up; done")
            let started = try host.start(
                ["python3", "-c", Self.crowd, NetworkHost.swnet, "\(seed)", count], timeout: 590)
            let result = await started.result
            let lines = result.lines
            #expect(result.status == 0 && lines.count == 1 && !result.timedOut, "seed \(seed): \(result)")
            print("crowd with seed \(seed): \(lines.last ?? "")")
            let repair = try await host.swnet("repair")
            #expect(repair.status == 0, "seed \(seed): \(repair)")
            #expect(try await host.net("check") == "", "seed \(seed)")
            // Nobody has what another has, as the kernel tells it.
            let addresses = try await host.shell(
                "for i in $(seq 0 11); do ip -n s$i -j -4 address; done | jq -r '.[].addr_info[]?.local' | grep -v ^127"
            ).lines
            #expect(Set(addresses).count == addresses.count, "seed \(seed): \(addresses)")
            let ports = try await host.elements("published4")
            let keys = ports.compactMap { $0.split(separator: ":").first.map(String.init) }
            #expect(!keys.isEmpty || ports.isEmpty, "seed \(seed)")
            try await host.shell(
                """
                for i in $(seq 0 11); do for n in n0 n1 n2; do "$0" disconnect $n s$i; done; done
                for n in n0 n1 n2; do "$0" rm $n; done; true
                """.replacing("\"$0\"", with: NetworkHost.swnet))
            #expect(try await host.nothingLeft() == [], "seed \(seed)")
        }
    }
}
