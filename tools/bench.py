"""The measurements of tools/bench, which starts this in namespaces of its own."""
import argparse
import json
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

from bench_crowd import crowd
from bench_runtime import runtime
from bench_support import NOTHING, SWBOX, SWNET, Table, in_turn, sh, timed, until

DOCKER = ["docker", "-H", "unix:///run/bench/docker.sock"]
# A machine without CAP_SYS_RESOURCE cannot give a container the limits that podman asks for by default.
PODMAN = ["podman", "run", "--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000"]


def host():
    """Makes the namespaces that we are in a machine: a tmpfs wherever anybody keeps state, one address, one route."""
    sh("mount", "--make-rprivate", "/")
    # crun 1.8 refuses a v2 hierarchy without controllers next to v1.
    if os.path.exists("/sys/fs/cgroup/memory"):
        sh("umount", "/sys/fs/cgroup/unified", check=False)
    for folder in ["/run", "/var/lib/swbox", "/var/lib/swnet", "/var/lib/containers", "/var/lib/cni", "/var/lib/docker"]:
        os.makedirs(folder, exist_ok=True)
        sh("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", folder)
    for folder in ["/run/lock", "/run/netns", "/run/bench"]:
        os.makedirs(folder)
    os.environ["TMPDIR"] = "/run"
    sh("ip", "link", "set", "lo", "up")
    sh("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
    sh("ip", "addr", "add", "192.0.2.1/24", "dev", "eth0")
    for link in ["eth0", "eth1"]:
        sh("ip", "link", "set", link, "up")
    sh("ip", "route", "add", "default", "via", "192.0.2.2")


def start_docker(images):
    if not (shutil.which("docker") and shutil.which("dockerd")):
        return False
    log = open("/run/bench/dockerd.log", "w")
    words = ["dockerd", "--default-ulimit", "nofile=1024:1024", "--data-root", "/var/lib/docker", "--exec-root",
             "/run/bench/docker", "-H", "unix:///run/bench/docker.sock", "-p", "/run/bench/docker.pid"]
    subprocess.Popen(words, stdin=NOTHING, stdout=log, stderr=log)
    try:
        until(lambda: subprocess.run([*DOCKER, "version"], capture_output=True).returncode == 0)
        for name in ["tools", "redis"]:
            sh(*DOCKER, "import", f"{images}/{name}.tar", name)
        timed([*DOCKER, "run", "--rm", "tools", "true"])
        return True
    except RuntimeError as error:
        print(f"docker is left out: {error}", file=sys.stderr)
        return False


def start_podman(images):
    if not shutil.which("podman"):
        return False
    try:
        for name in ["tools", "redis"]:
            sh("podman", "import", f"{images}/{name}.tar", f"localhost/{name}")
        timed([*PODMAN, "--rm", "localhost/tools", "true"])
        return True
    except RuntimeError as error:
        print(f"podman is left out: {error}", file=sys.stderr)
        return False


def run(table, options):
    subjects = {"swbox": lambda: timed([SWBOX, "run", "--rm", "--net=bridge", "-p", "8080:8080", "tools", "true"])}
    if options.podman:
        subjects["podman"] = lambda: timed(
            [*PODMAN, "--rm", "--net=bridge", "-p", "8081:8081", "localhost/tools", "true"])
    if options.docker:
        subjects["docker"] = lambda: timed(
            [*DOCKER, "run", "--rm", "--net=bridge", "-p", "8082:8082", "tools", "true"])
    result = in_turn(5 if options.quick else 20, **subjects)
    table.at_most("run --rm --net=bridge -p IMAGE true", result["swbox"], 20)
    for peer in ["podman", "docker"]:
        if peer in result:
            table.faster(f"the same against {peer}", result["swbox"], result[peer], 15)


def cni(command, plugin, config):
    env = {**os.environ, "CNI_COMMAND": command, "CNI_CONTAINERID": "bench", "CNI_NETNS": "/run/netns/cni",
           "CNI_IFNAME": "eth0", "CNI_PATH": "/usr/lib/cni"}
    start = time.perf_counter()
    output = sh(f"/usr/lib/cni/{plugin}", text=json.dumps(config), env=env)
    return (time.perf_counter() - start) * 1000, output


def cni_bridge():
    config = {"cniVersion": "0.4.0", "name": "bench", "type": "bridge", "bridge": "cni0", "isGateway": True,
              "ipMasq": True, "ipam": {"type": "host-local", "subnet": "10.98.0.0/24", "dataDir": "/run/bench/cni"}}
    return cni("ADD", "bridge", config)[0] + cni("DEL", "bridge", config)[0]


def netavark():
    config = {
        "container_id": "b" * 64, "container_name": "bench",
        "port_mappings": [{"container_port": 80, "host_ip": "", "host_port": 8090, "protocol": "tcp", "range": 1}],
        "networks": {"bench": {"interface_name": "eth0", "static_ips": ["10.99.0.2"]}},
        "network_info": {"bench": {
            "name": "bench", "id": "a" * 64, "driver": "bridge", "network_interface": "nv0", "ipv6_enabled": False,
            "subnets": [{"subnet": "10.99.0.0/24", "gateway": "10.99.0.1"}], "internal": False, "dns_enabled": False,
            "ipam_options": {"driver": "host-local"}}}}
    spent = 0
    for command in ["setup", "teardown"]:
        start = time.perf_counter()
        sh("/usr/lib/podman/netavark", "--config", "/run/bench", command, "/run/netns/netavark", text=json.dumps(config))
        spent += (time.perf_counter() - start) * 1000
    return spent


def endpoint(table, options):
    for name in ["swnet", "cni", "netavark"]:
        sh("ip", "netns", "add", name)

    def ours():
        return (timed([SWNET, "connect", "bridge", "swnet"]) + timed([SWNET, "publish", "swnet", "8080:80"])
                + timed([SWNET, "disconnect", "bridge", "swnet"]))

    subjects = {"swnet": ours}
    if os.path.exists("/usr/lib/cni/bridge"):
        subjects["CNI bridge plugin, ADD and DEL"] = cni_bridge
    if os.path.exists("/usr/lib/podman/netavark"):
        subjects["netavark, setup and teardown"] = netavark
    result = in_turn(5 if options.quick else 20, **subjects)
    for peer, times in [("CNI bridge plugin, ADD and DEL", 5), ("netavark, setup and teardown", 15)]:
        if peer in result:
            table.faster(f"connect+publish+disconnect: {peer}", result["swnet"], result[peer], times)
    if len(subjects) == 1:
        table.line("swnet connect+publish+disconnect", f"{result['swnet']:.1f} ms")


def connections(address, port, count):
    """The median of `count` new connections to a server that closes them, in microseconds."""
    times = []
    for _ in range(count):
        with socket.socket() as client:
            start = time.perf_counter()
            client.connect((address, port))
            times.append((time.perf_counter() - start) * 1e6)
            # Reset instead of TIME-WAIT, so that the ports do not run out.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    return statistics.median(times)


SERVER = """
import socket
server = socket.create_server(("", 80), backlog=1024)
while True:
    server.accept()[0].close()
"""


def scale(table, options):
    """One network from its first to its thousandth sandbox: IPv4 alone, then both families with names."""
    count = 200 if options.quick else 1000
    few = count // 10
    for network, subnets in [("bridge", ["10.96.0.0/20"]), ("lab", ["10.97.0.0/20", "fd00:97::/64"])]:
        names = [f"{network}{number}" for number in range(count)]
        sh("ip", "-batch", "-", text="".join(f"netns add {name}\n" for name in names))
        sh(SWNET, "rm", network, check=False)
        sh(SWNET, "create", network, *[word for subnet in subnets for word in ["--subnet", subnet]])
        times = [timed([SWNET, "connect", network, name, "-p", f"{20000 + number}:80"])
                 for number, name in enumerate(names)]
        first, last = statistics.median(times[:few]), statistics.median(times[-few:])
        kind = "" if network == "bridge" else ", with IPv6 and names"
        table.at_most(f"connect and publish, the first sandboxes{kind or ' of a network'}", first, 8)
        table.at_most(f"connect and publish, the {count:,}th{kind or ' sandbox'}", last, 8)
        # What the kernel still does for the links that have come is not the check's.
        time.sleep(3)
        table.at_most(f"check of {count:,} sandboxes",
                      statistics.median(timed([SWNET, "check"]) for _ in range(5)), 200)
        for name in names:
            sh("ip", "netns", "del", name)
        sh(SWNET, "gc")
        sh(SWNET, "rm", network)


def ports(table, options):
    for name in ["many", "first"]:
        sh("ip", "netns", "add", name)
        sh(SWNET, "connect", "bridge", name)
    rounds = 3 if options.quick else 10
    singles = [f"{port}:{port}" for port in range(20000, 30000)]

    def publish(what, ports, limit):
        added, removed = [], []
        for _ in range(rounds):
            added.append(timed([SWNET, "publish", "many", *ports]))
            removed.append(timed([SWNET, "unpublish", "many", *ports]))
        table.at_most(f"publish {what}", statistics.median(added), limit)
        table.at_most("  take them back", statistics.median(removed), limit)

    for count, limit in [(1000, 20), (10000, 150)]:
        publish(f"{count:,} ports of one container", [f"20000-{19999 + count}:20000-{19999 + count}"], limit)
        publish(f"{count:,} ports one by one", singles[:count], limit)
    others = [f"{port}:{port}" for port in range(10000, 20000)]
    sh(SWNET, "publish", "first", *others)
    for count, limit in [(1000, 20), (10000, 150)]:
        publish(f"{count:,} ports one by one beside another's 10,000", singles[:count], limit)
    sh(SWNET, "unpublish", "first", *others)
    crowd = [f"port{number}" for number in range(200 if options.quick else 1000)]
    sh("ip", "-batch", "-", text="".join(f"netns add {name}\n" for name in crowd))
    for number, name in enumerate(crowd):
        sh(SWNET, "connect", "bridge", name, "-p", f"{10000 + number}:80")
    time.sleep(3)
    for count, limit in [(1000, 20), (10000, 150)]:
        publish(f"{count:,} ports one by one beside {len(crowd):,} sandboxes", singles[:count], limit)
    for name in ["first", *crowd]:
        sh("ip", "netns", "del", name)
    sh(SWNET, "gc")

    sh(SWNET, "publish", "many", "8088:80")
    server = subprocess.Popen(["ip", "netns", "exec", "many", sys.executable, "-c", SERVER])

    def listening():
        try:
            return connections("192.0.2.1", 8088, 1) > 0
        except OSError:
            return False

    until(listening)
    one, many = [], []
    for _ in range(rounds):
        one.append(connections("192.0.2.1", 8088, 1000))
        sh(SWNET, "publish", "many", "10000-14998:10000-14998")
        many.append(connections("192.0.2.1", 8088, 1000))
        sh(SWNET, "unpublish", "many", "10000-14998:10000-14998")
    server.kill()
    server.wait()
    sh(SWNET, "disconnect", "bridge", "many")
    first, second = statistics.median(one), statistics.median(many)
    table.line("a new connection: 5,000 published ports against 1", f"{second:.0f} µs", f"{first:.0f} µs",
               second / first, "≤ 1.25 ×", second / first <= 1.25)


def requests(address, port, count):
    output = sh("redis-benchmark", "-h", address, "-p", str(port), "-n", str(count), "-c", "50", "-t", "get", "-q")
    return float(re.findall(r"GET: ([0-9.]+) requests", output)[-1])


def redis(table, options):
    command = ["redis", "redis-server", "--protected-mode", "no", "--save", ""]
    name = sh(SWBOX, "run", "-d", "-p", "127.0.0.1:6379:6379", *command)
    address = json.loads(sh(SWBOX, "inspect", name))[0]["NetworkSettings"]["Networks"]["bridge"]["IPAddress"]
    count = 20_000 if options.quick else 100_000
    subjects = {"published": lambda: requests("127.0.0.1", 6379, count), "direct": lambda: requests(address, 6379, count)}
    ready = [6379]
    if options.docker:
        sh(*DOCKER, "run", "-d", "--name", "bench", "-p", "127.0.0.1:6380:6379", *command)
        subjects["docker"] = lambda: requests("127.0.0.1", 6380, count)
        ready.append(6380)
    for port in ready:
        until(lambda: sh("redis-cli", "-p", str(port), "ping", check=False) == "PONG")
    result = in_turn(3 if options.quick else 7, **subjects)
    ours, direct = result["published"], result["direct"]
    table.line("redis on 127.0.0.1 against the container's address", f"{ours:,.0f}/s", f"{direct:,.0f}/s",
               ours / direct, "≥ 0.9 ×", ours / direct >= 0.9)
    if options.docker:
        peer = result["docker"]
        table.line("redis on 127.0.0.1 against docker's", f"{ours:,.0f}/s", f"{peer:,.0f}/s", ours / peer, "≥ 1.5 ×",
                   ours / peer >= 1.5)
        sh(*DOCKER, "rm", "-f", "bench")
    sh(SWBOX, "rm", "-f", name)


def private(process):
    """The private memory of a process in kB, as the kernel counts it."""
    with open(f"/proc/{process}/smaps_rollup") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))


def parent(process):
    with open(f"/proc/{process}/status") as file:
        return int(re.search(r"^PPid:\s+(\d+)", file.read(), re.M)[1])


def monitor(table, options):
    name = sh(SWBOX, "run", "-d", "tools", "sleep", "1000")
    process = json.loads(sh(SWBOX, "inspect", name))[0]["State"]["Pid"]
    table.at_most("private memory of a detached container's monitor", private(parent(process)), 1536, "kB")
    sh(SWBOX, "rm", "-f", name)
    if options.podman:
        sh(*PODMAN, "-d", "--name", "monitor", "localhost/tools", "sleep", "1000")
        process = int(sh("podman", "inspect", "--format", "{{.State.Pid}}", "monitor"))
        table.line("  podman's (conmon)", "", f"{private(parent(process))} kB")
        sh("podman", "rm", "-f", "-t", "0", "monitor")
    if options.docker:
        sh(*DOCKER, "run", "-d", "--name", "monitor", "tools", "sleep", "1000")
        process = int(sh(*DOCKER, "inspect", "--format", "{{.State.Pid}}", "monitor"))
        table.line("  docker's (containerd-shim alone)", "", f"{private(parent(process))} kB")
        sh(*DOCKER, "rm", "-f", "monitor")


BENCHES = {"run": run, "endpoint": endpoint, "ports": ports, "scale": scale, "crowd": crowd, "redis": redis, "monitor": monitor,
           "runtime": runtime}


def main():
    parser = argparse.ArgumentParser(prog="tools/bench")
    parser.add_argument("images", help=argparse.SUPPRESS)
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--only", action="append", choices=BENCHES, help="only this measurement")
    parser.add_argument("--no-peers", action="store_true", help="measure ourselves alone")
    options = parser.parse_args()
    host()
    for name in ["tools", "redis"]:
        sh(SWBOX, "import", f"{options.images}/{name}.tar", name)
    chosen = options.only or list(BENCHES)
    peers = not options.no_peers and any(name in chosen for name in ["run", "redis", "monitor"])
    options.podman = peers and start_podman(options.images)
    options.docker = peers and start_docker(options.images)
    table = Table()
    failures = 0
    for name in chosen:
        try:
            BENCHES[name](table, options)
        except (RuntimeError, OSError, LookupError, subprocess.SubprocessError) as error:
            failures += 1
            table.line(f"{name}: {error}", "", passed=False)
    print(f"{table.met} of {table.judged} targets met")
    sys.exit(1 if failures else 0)


main()
