#!/usr/bin/env python3
"""Notes which functions of our programs usual commands call, in the order of their first calls.

A breakpoint is put at the beginning of every function of a program before it starts, and taken away when it is hit; a
child that is cloned has those that are left. What the child executes at the end is not looked at.
"""
import ctypes
import json
import os
import shutil
import signal
import struct
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
# sys/ptrace.h and sys/reg.h.
TRACEME, PEEKUSER, POKEUSER, CONT, DETACH, SETOPTIONS = 0, 3, 6, 7, 17, 0x4200
TRACEFORK, TRACEVFORK, TRACECLONE, TRACEEXEC, EXITKILL = 2, 4, 8, 16, 1 << 20
EVENT_EXEC = 4
WALL = 0x40000000
RIP = 16 * 8
BREAKPOINT = 0xCC


class Program:
    """An ELF program (elf(5)): its functions, and its code with a breakpoint at the beginning of each."""

    def __init__(self, path):
        self.path = path
        self.names = {}
        self.called = {}
        symbols = subprocess.run(["readelf", "-sW", path], capture_output=True, text=True, check=True).stdout
        for line in symbols.split("\n"):
            words = line.split()
            if len(words) > 7 and words[3] in ("FUNC", "IFUNC") and words[6] != "UND":
                self.names.setdefault(int(words[1], 16), []).append(words[7])
        with open(path, "rb") as file:
            data = file.read()
        (headers,), (count,) = struct.unpack_from("<Q", data, 32), struct.unpack_from("<H", data, 56)
        segments = [struct.unpack_from("<IIQQQQ", data, headers + 56 * number) for number in range(count)]
        _, _, offset, self.base, _, size = next(s for s in segments if s[0] == 1 and s[1] & 1)
        self.code = data[offset:offset + size]
        armed = bytearray(self.code)
        for address in self.names:
            if self.base <= address < self.base + size:
                armed[address - self.base] = BREAKPOINT
        self.armed = bytes(armed)

    def run(self, arguments):
        """Runs the program and notes functions, also those of children that earlier runs have left behind."""
        first = os.fork()
        if first == 0:
            null = os.open("/dev/null", os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            libc.ptrace(TRACEME, 0, None, None)
            os.execv(self.path, [self.path, *arguments])
        os.waitpid(first, 0)
        libc.ptrace(SETOPTIONS, first, None, TRACEFORK | TRACEVFORK | TRACECLONE | TRACEEXEC | EXITKILL)
        self.write(first, self.base, self.armed)
        libc.ptrace(CONT, first, None, None)
        while True:
            process, status = os.waitpid(-1, WALL)
            if not os.WIFSTOPPED(status):
                if process != first:
                    continue
                if status:
                    raise RuntimeError(f"{self.path} {' '.join(arguments)}: {os.waitstatus_to_exitcode(status)}")
                return
            number, event = os.WSTOPSIG(status), status >> 16
            if event == EVENT_EXEC and process != first:
                # The container's program.
                libc.ptrace(DETACH, process, None, None)
                continue
            if event == EVENT_EXEC:
                self.write(process, self.base, self.armed)
            if event == 0 and number == signal.SIGTRAP:
                self.note(process)
            passed_on = number if event == 0 and number not in (signal.SIGTRAP, signal.SIGSTOP) else 0
            libc.ptrace(CONT, process, None, passed_on)

    def note(self, process):
        address = libc.ptrace(PEEKUSER, process, RIP, None) - 1
        if address not in self.names:
            return
        start = address - self.base
        self.write(process, address, self.code[start:start + 1])
        libc.ptrace(POKEUSER, process, RIP, address)
        self.called[address] = None

    @staticmethod
    def write(process, address, data):
        memory = os.open(f"/proc/{process}/mem", os.O_RDWR)
        os.pwrite(memory, data, address)
        os.close(memory)


def bundle(swrun, folder, arguments):
    """As that of tools/bench."""
    os.makedirs(f"{folder}/rootfs/bin")
    shutil.copy(shutil.which("busybox"), f"{folder}/rootfs/bin/busybox")
    for name in ["true", "sleep"]:
        os.symlink("busybox", f"{folder}/rootfs/bin/{name}")
    subprocess.run([swrun, "spec", "--bundle", folder], check=True)
    with open(f"{folder}/config.json") as file:
        document = json.load(file)
    document["process"].update(terminal=False, args=arguments)
    document["linux"]["namespaces"] = [{"type": kind} for kind in ["pid", "network", "ipc", "uts", "mount"]]
    with open(f"{folder}/config.json", "w") as file:
        json.dump(document, file)


def swrun_commands(swrun, folder):
    """With records of its own."""
    os.makedirs("/run/swrun", exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run/swrun"], check=True)
    bundle(swrun, f"{folder}/true", ["true"])
    bundle(swrun, f"{folder}/sleep", ["sleep", "1000"])
    yield ["run", "--bundle", f"{folder}/true", "order-run"]
    # Also where there is no cgroup v2 beside the others, which is remembered with the records.
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], stderr=subprocess.DEVNULL, check=False)
    yield ["--root", f"{folder}/swrun", "run", "--bundle", f"{folder}/true", "order-run"]
    yield ["create", "--bundle", f"{folder}/sleep", "--pid-file", f"{folder}/pid", "order-create"]
    yield ["start", "order-create"]
    yield ["state", "order-create"]
    yield ["exec", "order-create", "true"]
    yield ["kill", "order-create", "KILL"]
    yield ["delete", "--force", "order-create"]


def swnet_commands(swnet, folder):
    """In a network namespace of this process's own, with records of its own."""
    for place in ["/run/swnet", "/var/lib/swnet", "/run/netns"]:
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    subprocess.run(["ip", "netns", "add", "orderbox"], check=True)
    yield ["create", "ordernet", "--subnet", "10.83.0.0/24"]
    yield ["connect", "ordernet", "orderbox"]
    yield ["publish", "orderbox", "18080:80"]
    yield ["unpublish", "orderbox", "18080:80"]
    yield ["disconnect", "ordernet", "orderbox"]
    yield ["rm", "ordernet"]


def swbox_commands(swbox, folder):
    """With the bundle of swrun's as an image."""
    for place in ["/run/swbox", "/var/lib/swbox"]:
        os.makedirs(place, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", place], check=True)
    subprocess.run(["tar", "-C", f"{folder}/true/rootfs", "-cf", f"{folder}/box.tar", "."], check=True)
    subprocess.run([swbox, "import", f"{folder}/box.tar", "box"], check=True, capture_output=True)
    yield ["run", "--rm", "--net=bridge", "-p", "18081:80", "box", "true"]
    yield ["run", "-d", "--name", "orderbox", "box", "sleep", "1000"]
    yield ["exec", "orderbox", "true"]
    yield ["ps"]
    yield ["rm", "-f", "orderbox"]


COMMANDS = {"swrun": swrun_commands, "swnet": swnet_commands, "swbox": swbox_commands}


def pieces(program):
    """How many pieces of 64 kB the functions lie in, and in how many they would if the code began elsewhere."""
    start = program.base & 0xffff
    counts = {place: len({(address + place - start) >> 16 for address in program.called})
              for place in range(0, 0x10000, 0x400)}
    least = min(counts.values())
    # The middle of the longest row of such places, where a later change of the program matters least.
    rows = [[]]
    for place, count in counts.items():
        if count == least:
            rows[-1].append(place)
        elif rows[-1]:
            rows.append([])
    row = max(rows, key=len)
    now = len({address >> 16 for address in program.called})
    return f"in {now} pieces of 64 kB ({least} if the code began at 0x…{row[len(row) // 2]:04x})"


def main():
    products, folder, orders = sys.argv[1:]
    for name, commands in COMMANDS.items():
        program = Program(f"{products}/{name}")
        for arguments in commands(program.path, folder):
            program.run(arguments)
        with open(f"{orders}/{name}", "w") as file:
            file.writelines(f"{symbol}\n" for address in program.called for symbol in program.names[address])
        print(f"{name}: {len(program.called)} of {len(program.names)} functions, {pieces(program)}")


main()
