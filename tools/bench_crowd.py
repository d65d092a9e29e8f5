"""32 processes at once, next to the kernel's own time for the same requests."""
import ctypes
import os
import socket
import statistics
import struct
import time

from bench_support import NOTHING, SWNET, sh

NLMSG = struct.Struct("=IHHII")


def attribute(kind, value):
    length = 4 + len(value)
    return struct.pack("=HH", length, kind) + value + bytes(-length % 4)


class Requests:
    """What a sandbox on a bridge costs the kernel: the same netlink requests and files, from one process in a row."""

    def __init__(self, bridge):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.socket = self.open()
        self.bridge = socket.if_nametoindex(bridge)

    @staticmethod
    def open():
        own = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        own.bind((0, 0))
        return own

    def ask(self, own, kind, flags, body):
        """Sends one request and waits for its end; an error is an exception."""
        own.send(NLMSG.pack(16 + len(body), kind, flags | 5, 1, 0) + body)
        while True:
            answer = own.recv(65536)
            length, kind, _, _, _ = NLMSG.unpack_from(answer)
            if kind == 2:
                error = struct.unpack_from("=i", answer, 16)[0]
                if error:
                    raise OSError(-error, os.strerror(-error))
                return

    @staticmethod
    def link(index=0, flags=0, change=0):
        return struct.pack("=BxHiII", 0, 0, index, flags, change)

    def connect(self, number, namespace):
        name = f"ref{number}".encode()
        target = os.open(f"/run/netns/{namespace}", os.O_RDONLY)
        peer = self.link() + attribute(3, b"eth0\0") + attribute(28, struct.pack("=i", target))
        kind = attribute(1, b"veth\0") + attribute(2, attribute(1, peer))
        self.ask(self.socket, 18, 0, self.link() + attribute(3, b"sw-bridge\0"))
        self.ask(self.socket, 16, 0x600, self.link(0, 1, 1) + attribute(3, name + b"\0") + attribute(18, kind)
                 + attribute(10, struct.pack("=i", self.bridge)))
        index = socket.if_nametoindex(name.decode())
        port = attribute(4, b"bridge\0") + attribute(5, attribute(4, b"\1"))
        self.ask(self.socket, 16, 0, self.link(index) + attribute(20, b"reference") + attribute(18, port))
        self.libc.setns(target, 0)
        with self.open() as own:
            for parameter in ["disable_ipv6", "accept_ra"]:
                with open(f"/proc/sys/net/ipv6/conf/eth0/{parameter}", "w") as file:
                    file.write("1" if parameter == "disable_ipv6" else "0")
            inside = socket.if_nametoindex("eth0")
            self.ask(own, 16, 0, self.link(1, 1, 1))
            address = socket.inet_aton(f"10.96.9.{number + 2}")
            self.ask(own, 20, 0x600, struct.pack("=BBBBI", 2, 20, 0, 0, inside)
                     + attribute(2, address) + attribute(1, address))
            self.ask(own, 16, 0, self.link(inside, 1, 1))
            self.ask(own, 24, 0x600, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0)
                     + attribute(5, socket.inet_aton("10.96.0.1")) + attribute(4, struct.pack("=i", inside)))
            # In here: outside a link that is deleted by its name would be another.
        self.libc.setns(self.home, 0)
        os.close(target)


def crowd(table, options):
    """32 processes at once, against the kernel's own time for the same requests one after the other."""
    count = 32
    sh(SWNET, "rm", "bridge", check=False)
    sh(SWNET, "create", "bridge", "--subnet", "10.96.0.0/20")
    sh("ip", "netns", "add", "holder")
    sh(SWNET, "connect", "bridge", "holder")
    ours, kernel = [], []
    for _ in range(3 if options.quick else 7):
        names = [f"crowd{number}" for number in range(count)]
        for spent, work in [(ours, crowd_of_processes), (kernel, crowd_of_requests)]:
            sh("ip", "-batch", "-", text="".join(f"netns add {name}\n" for name in names))
            time.sleep(0.5)
            spent.append(work(names))
            for name in names:
                sh("ip", "netns", "del", name)
            sh(SWNET, "gc")
            time.sleep(0.5)
    first, second = statistics.median(ours), statistics.median(kernel)
    table.line("32 processes connect at once, the kernel's own time", f"{first:.0f} ms", f"{second:.0f} ms",
               first / second, "≤ 2 ×", first / second <= 2)
    sh(SWNET, "disconnect", "bridge", "holder")
    sh(SWNET, "rm", "bridge")


def crowd_of_processes(names):
    actions = [(os.POSIX_SPAWN_DUP2, NOTHING, 0), (os.POSIX_SPAWN_DUP2, NOTHING, 1)]
    start = time.perf_counter()
    children = [os.posix_spawn(SWNET, [SWNET, "connect", "bridge", name], os.environ, file_actions=actions)
                for name in names]
    failures = [child for child in children if os.waitpid(child, 0)[1]]
    spent = (time.perf_counter() - start) * 1000
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(names)} failed")
    return spent


def crowd_of_requests(names):
    requests = Requests("sw-bridge")
    start = time.perf_counter()
    for number, name in enumerate(names):
        requests.connect(number, name)
    spent = (time.perf_counter() - start) * 1000
    os.close(requests.home)
    return spent
