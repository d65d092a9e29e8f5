"""swrun next to crun, on the same bundles."""
import json
import os
import shutil

from bench_support import PRODUCTS, SWRUN, in_rows, in_turn, sh, timed

BUNDLE = "/run/bench/bundle"
NAMESPACES = ["pid", "network", "ipc", "uts", "mount"]
# What docker gives. `spec` gives three: each that is missing costs a system call.
CAPABILITIES = [f"CAP_{name}" for name in [
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP",
    "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"]]


def bundle(folder, arguments):
    """A bundle with a static busybox and nothing else, in five namespaces."""
    os.makedirs(f"{folder}/rootfs/bin")
    shutil.copy(shutil.which("busybox"), f"{folder}/rootfs/bin/busybox")
    for name in ["true", "sleep"]:
        os.symlink("busybox", f"{folder}/rootfs/bin/{name}")
    sh(SWRUN, "spec", "--bundle", folder)
    with open(f"{folder}/config.json") as file:
        document = json.load(file)
    # crun 1.8 knows no later one.
    document["ociVersion"] = "1.0.2"
    document["process"].update(terminal=False, args=arguments)
    document["process"]["capabilities"] = {kind: CAPABILITIES for kind in ["bounding", "effective", "permitted"]}
    document["linux"]["namespaces"] = [{"type": kind} for kind in NAMESPACES]
    with open(f"{folder}/config.json", "w") as file:
        json.dump(document, file)


def cycle(runtime):
    spent = timed([runtime, "create", "--bundle", f"{BUNDLE}/true", "cycle"])
    spent += timed([runtime, "start", "cycle"])
    return spent + timed([runtime, "delete", "--force", "cycle"])


def from_disk(program):
    """A copy that has to be read from the disk, as after a boot: how much of a program the kernel maps for a page that is
    executed depends on how the program came into memory."""
    copy = f"{PRODUCTS}/{os.path.basename(program)}-from-disk"
    shutil.copy(program, copy)
    file = os.open(copy, os.O_RDONLY)
    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(file)
    return copy


def most_memory(runtime):
    """The most that the program or its child has had of memory, kB (ru_maxrss, getrusage(2)): the middle of five runs."""
    words = ["time", "-f", "%M", "-o", "/run/bench/memory", runtime, "run", "--bundle", f"{BUNDLE}/true", "memory"]
    spent = []
    for _ in range(6):
        sh(*words)
        with open("/run/bench/memory") as file:
            spent.append(int(file.read()))
    # Without the first, which waits for the disk.
    return sorted(spent[1:])[2]


def calls(runtime):
    words = ["strace", "-f", "-c", "-o", "/run/bench/calls", runtime, "run", "--bundle", f"{BUNDLE}/true", "calls"]
    sh(*words)
    with open("/run/bench/calls") as file:
        return int(file.read().split("\n")[-2].split()[3])


def runtime(table, options):
    """`run`, `create` with `start` and `delete`, and `exec`, each in turn with crun: after a pause of 0.1 s, when crun
    waits for the kernel (an RCU grace period for each process that it moves into a cgroup), and without one."""
    crun = shutil.which("crun")
    if not crun:
        return table.line("swrun: crun, its peer, is not installed", "")
    bundle(f"{BUNDLE}/true", ["true"])
    bundle(f"{BUNDLE}/sleep", ["sleep", "1000"])
    rounds = 10 if options.quick else 40
    both = {"ours": SWRUN, "theirs": crun}

    def compare(what, limit, subject):
        subjects = {name: lambda path=path: subject(path) for name, path in both.items()}
        for how, measure in [("", in_turn), (", no pause", in_rows)]:
            spent = measure(rounds, **subjects)
            table.share(what + how, spent["ours"], spent["theirs"], limit)

    compare("swrun run of a static true", 0.6,
            lambda path: timed([path, "run", "--bundle", f"{BUNDLE}/true", "one"]))
    compare("swrun create, start and delete", 0.5, cycle)
    for path in both.values():
        timed([path, "create", "--bundle", f"{BUNDLE}/sleep", f"lasting-{os.path.basename(path)}"])
        timed([path, "start", f"lasting-{os.path.basename(path)}"])
    compare("swrun exec of true", 0.6,
            lambda path: timed([path, "exec", f"lasting-{os.path.basename(path)}", "true"]))
    for path in both.values():
        timed([path, "delete", "--force", f"lasting-{os.path.basename(path)}"])
    if shutil.which("time"):
        ours, theirs = most_memory(from_disk(SWRUN)), most_memory(from_disk(crun))
        table.line("most memory of a run", f"{ours} kB", f"{theirs} kB", ours / theirs, "≤ 1 ×", ours <= theirs)
        ours, theirs = most_memory(SWRUN), most_memory(crun)
        table.line("the same of programs that were just copied", f"{ours} kB", f"{theirs} kB", ours / theirs)
    if shutil.which("strace"):
        ours, theirs = calls(SWRUN), calls(crun)
        table.line("system calls of a run", f"{ours}", f"{theirs}", ours / theirs, "≤ 300", ours <= 300)
