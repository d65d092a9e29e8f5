#!/usr/bin/env python3
"""Reads `swift package dump-package` and fails when an arrow between modules does not point down."""
import json
import sys

# A module may depend on modules of lower rows only; modules of one row do not know each other, but for the arrows
# listed below, which lead from one half of a row to the other.
RANKS = [
    ["CLinux", "CMnl", "CNftnl", "CSeccomp", "CArchive", "CPcap", "CStaticStart", "CSystemd", "JSONCoding"],
    ["Addressing", "RuntimeSpec", "LinuxSystem"],
    ["NetworkModel", "CNI", "PacketCapture", "Netlink", "Cgroups"],
    ["Rtnetlink", "Nftables", "SystemdUnits"],
    ["NetworkEngine", "ContainerRuntime", "ImageStore"],
    ["ImageArchive", "ContainerLog"],
    ["Engine"],
    ["CommandSupport"],
    ["ArgumentSupport"],
    ["swnet", "swnet-capture", "swrun", "swrun-systemd", "swbox", "swbox-image", "swbox-monitor"],
]
# Peers that must not meet below Engine, whatever their ranks.
NETWORK = {"Netlink", "Rtnetlink", "Nftables", "NetworkModel", "CNI", "NetworkEngine"}
RUNTIME = {"RuntimeSpec", "Cgroups", "SystemdUnits", "ContainerRuntime"}
IMAGES = {"ImageStore", "ImageArchive"}
SIDES = [("networking", NETWORK), ("the container runtime", RUNTIME), ("images", IMAGES)]
# Pure values: neither the kernel nor a file.
PURE = {"Addressing", "JSONCoding", "NetworkModel", "CNI", "PacketCapture", "RuntimeSpec"}
KERNEL = {"CLinux", "LinuxSystem", "Netlink", "Rtnetlink", "Nftables", "Cgroups"}


def main():
    rank = {name: number for number, row in enumerate(RANKS) for name in row}
    targets = [t for t in json.load(sys.stdin)["targets"] if t["type"] != "test" and t["name"] != "TestSupport"]
    own = {t["name"] for t in targets}
    problems = [f"{name} has no rank in tools/check-ranks.py" for name in sorted(own - rank.keys())]
    for target in targets:
        name = target["name"]
        dependencies = {(d.get("byName") or d.get("target") or [None])[0] for d in target["dependencies"]} & own
        side = next((label for label, modules in SIDES if name in modules), None)
        for dependency in sorted(dependencies & rank.keys()):
            other = next((label for label, modules in SIDES if dependency in modules), None)
            if rank.get(name, 99) <= rank[dependency]:
                problems.append(f"{name} must not depend on {dependency}, which is not below it")
            if side and other and side != other:
                problems.append(f"{name} ({side}) must not know {dependency} ({other}): they meet in Engine")
            if name in PURE and dependency in KERNEL:
                problems.append(f"{name} is pure and must not depend on {dependency}")
    for problem in problems:
        print(f"error: {problem}")
    print(f"{len(targets)} modules, {len(problems)} arrows that do not point down")
    sys.exit(1 if problems else 0)


main()
