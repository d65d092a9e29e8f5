"""What the measurements of tools/bench have in common: how something is timed, and how it is told."""
import os
import statistics
import subprocess
import time

PRODUCTS = os.environ["SWNET_PRODUCTS"]
SWBOX, SWNET, SWRUN = (f"{PRODUCTS}/{name}" for name in ["swbox", "swnet", "swrun"])
NOTHING = os.open("/dev/null", os.O_RDWR)


class Table:
    """The lines of the result; a line without a target is information."""

    def __init__(self):
        self.met = self.judged = 0
        print(f"{'what':<58} {'ours':>10} {'peer':>10} {'ratio':>7}  {'target':<12} verdict")

    def line(self, what, ours, peer="", ratio=None, target="", passed=None):
        verdict = "" if passed is None else "PASS" if passed else "MISS"
        self.judged += passed is not None
        self.met += passed is True
        ratio = "" if ratio is None else f"{ratio:.2f}"
        print(f"{what:<58} {ours:>10} {peer:>10} {ratio:>7}  {target:<12} {verdict}", flush=True)

    def at_most(self, what, value, limit, unit="ms"):
        self.line(what, f"{value:.2f} {unit}", target=f"≤ {limit} {unit}", passed=value <= limit)

    def share(self, what, ours, peer, limit):
        """Ours as a part of the peer's."""
        self.line(what, f"{ours:.1f} ms", f"{peer:.1f} ms", ours / peer, f"≤ {limit} ×", ours / peer <= limit)

    def faster(self, what, ours, peer, times):
        self.line(what, f"{ours:.1f} ms", f"{peer:.1f} ms", peer / ours, f"≥ {times} ×", peer / ours >= times)


def sh(*words, text=None, env=None, check=True):
    result = subprocess.run(words, input=text, text=True, capture_output=True, env=env, timeout=120)
    if check and result.returncode:
        raise RuntimeError(f"{' '.join(words)}: {result.stderr.strip() or result.stdout.strip()}")
    return result.stdout.strip()


def timed(words, env=None):
    """Runs a program without a shell or pipes in between; milliseconds."""
    actions = [(os.POSIX_SPAWN_DUP2, NOTHING, 0), (os.POSIX_SPAWN_DUP2, NOTHING, 1)]
    start = time.perf_counter()
    child = os.posix_spawnp(words[0], words, env or os.environ, file_actions=actions)
    status = os.waitpid(child, 0)[1]
    spent = (time.perf_counter() - start) * 1000
    if status:
        raise RuntimeError(f"{' '.join(words)} ended with {os.waitstatus_to_exitcode(status)}")
    return spent


def in_turn(rounds, **subjects):
    """Runs every subject once a round, one after the other, and returns each one's median."""
    for subject in subjects.values():
        subject()
    times = {name: [] for name in subjects}
    order = list(subjects.items())
    for _ in range(rounds):
        # Another one begins each round, so that nobody always comes after the same.
        order.append(order.pop(0))
        for name, subject in order:
            # What one leaves for the kernel to finish is not charged to the next.
            time.sleep(0.1)
            times[name].append(subject())
    return {name: statistics.median(values) for name, values in times.items()}


def in_rows(rounds, **subjects):
    """Runs every subject ten times without a pause, in turn with the others, and returns each one's median.

    Twenty such rows, because one and the next differ by a tenth."""
    times = {name: [] for name in subjects}
    for number in range(max(2, rounds // 2)):
        for name, subject in list(subjects.items())[::1 if number % 2 else -1]:
            time.sleep(0.1)
            # The first comes after a pause.
            subject()
            times[name] += [subject() for _ in range(10)]
    return {name: statistics.median(values) for name, values in times.items()}


def until(condition, seconds=30):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError("waited in vain")
        time.sleep(0.05)
