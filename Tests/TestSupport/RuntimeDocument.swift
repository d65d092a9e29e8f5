public import JSONCoding

/// A `config.json` with every member for Linux that the runtime specification has in version 1.3, each with a value.
///
/// It is not for running: no machine has all of it.
public enum RuntimeDocument {
    public static let text = #"""
        {"ociVersion": "1.3.0", "hostname": "box", "domainname": "lan", "annotations": {"a/b": "c"},
        "root": {"path": "rootfs", "readonly": true},
        "process": {"terminal": true, "consoleSize": {"height": 24, "width": 80}, "cwd": "/", "args": ["sh", "-c", "id"],
            "env": ["PATH=/bin", "A="], "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [5, 6]},
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
                "inheritable": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}], "noNewPrivileges": true,
            "oomScoreAdj": 100, "apparmorProfile": "p", "selinuxLabel": "l",
            "scheduler": {"policy": "SCHED_DEADLINE", "nice": 5, "priority": 0, "flags": ["SCHED_FLAG_RESET_ON_FORK"],
                "runtime": 5000, "deadline": 6000, "period": 7000},
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}, "execCPUAffinity": {"initial": "0", "final": "0-1"}},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "rro", "ridmap"],
                "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
                "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]}],
        "hooks": {"prestart": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "createRuntime": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "createContainer": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "startContainer": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "poststart": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "poststop": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}]},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}, {"type": "mount"},
                {"type": "user"}, {"type": "time"}, {"type": "cgroup"}, {"type": "uts"}, {"type": "ipc"}],
            "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "timeOffsets": {"monotonic": {"secs": 5, "nanosecs": 7}, "boottime": {"secs": -5, "nanosecs": 7}},
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}],
            "cgroupsPath": "/a/b", "rootfsPropagation": "rslave", "sysctl": {"net.core.somaxconn": "5"},
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "mountLabel": "m",
            "personality": {"domain": "LINUX32", "flags": []}, "netDevices": {"eth9": {"name": "eth0"}},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "intelRdt": {"closID": "a", "schemata": ["L3:0=f"], "l3CacheSchema": "L3:0=f", "memBwSchema": "MB:0=20",
                "enableMonitoring": true},
            "resources": {"devices": [{"allow": false, "type": "c", "major": 1, "minor": 5, "access": "rwm"}],
                "memory": {"limit": 1048576, "reservation": 5, "swap": -1, "kernel": -1, "kernelTCP": -1, "swappiness": 0,
                    "disableOOMKiller": false, "useHierarchy": true, "checkBeforeUpdate": true},
                "cpu": {"shares": 2, "quota": 5000, "burst": 1, "period": 10000, "realtimeRuntime": 1,
                    "realtimePeriod": 1000, "cpus": "0", "mems": "0", "idle": 1},
                "pids": {"limit": 9}, "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
                "blockIO": {"weight": 10, "leafWeight": 10,
                    "weightDevice": [{"major": 8, "minor": 0, "weight": 10, "leafWeight": 10}],
                    "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                    "throttleWriteBpsDevice": [{"major": 8, "minor": 0, "rate": 600}],
                    "throttleReadIOPSDevice": [{"major": 8, "minor": 0, "rate": 600}],
                    "throttleWriteIOPSDevice": [{"major": 8, "minor": 0, "rate": 600}]},
                "network": {"classID": 5, "priorities": [{"name": "eth0", "priority": 5}]},
                "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 4}}, "unified": {"memory.high": "5"}},
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/l", "listenerMetadata": "m",
                "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                    "args": [{"index": 0, "value": 5, "valueTwo": 6, "op": "SCMP_CMP_MASKED_EQ"}]}]}}}
        """#

    public static var value: JSONCoding.JSONValue {
        get throws { try JSONCoding.JSONValue(parsing: Array(text.utf8)) }
    }

    /// Places that cannot be left out: what they are in has to have them.
    public static let required: Set<String> = {
        var places: Set<String> = [
            "ociVersion", "root.path", "process.cwd", "process.rlimits[0].type", "process.rlimits[0].soft",
            "process.rlimits[0].hard", "process.consoleSize.height", "process.consoleSize.width",
            "process.scheduler.policy", "process.ioPriority.class", "mounts[0].destination", "mounts[1].destination",
            "linux.devices[0].type", "linux.devices[0].path", "linux.personality.domain", "linux.memoryPolicy.mode",
            "linux.resources.devices[0].allow",
            "linux.resources.hugepageLimits[0].pageSize", "linux.resources.hugepageLimits[0].limit",
            "linux.resources.network.priorities[0].name", "linux.resources.network.priorities[0].priority",
            "linux.resources.blockIO.weightDevice[0].major", "linux.resources.blockIO.weightDevice[0].minor",
            "linux.seccomp.defaultAction", "linux.seccomp.syscalls[0].names", "linux.seccomp.syscalls[0].action",
            "linux.seccomp.syscalls[0].args[0].index", "linux.seccomp.syscalls[0].args[0].value",
            "linux.seccomp.syscalls[0].args[0].op",
        ]
        for index in 0..<8 { places.insert("linux.namespaces[\(index)].type") }
        for maps in ["linux.uidMappings", "linux.gidMappings", "mounts[1].uidMappings", "mounts[1].gidMappings"] {
            for name in ["containerID", "hostID", "size"] { places.insert("\(maps)[0].\(name)") }
        }
        for kind in ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] {
            places.insert("hooks.\(kind)[0].path")
        }
        for kind in ["ReadBps", "WriteBps", "ReadIOPS", "WriteIOPS"] {
            for name in ["major", "minor", "rate"] {
                places.insert("linux.resources.blockIO.throttle\(kind)Device[0].\(name)")
            }
        }
        return places
    }()

    /// What cannot stand where a value stands: everything that is of another type, and numbers that no type holds.
    public static func wrongTypes(for value: JSONCoding.JSONValue) -> [JSONCoding.JSONValue] {
        let text = JSONCoding.JSONValue.string("x")
        switch value {
        case .string: return [.integer(1), .bool(true), .array([]), .object([])]
        case .bool: return [text, .integer(1), .array([]), .object([])]
        case .array: return [text, .integer(1), .bool(true), .object([])]
        case .object: return [text, .integer(1), .bool(true), .array([])]
        default:
            return [
                text, .string("1"), .bool(true), .array([]), .object([]), .number("1.5"),
                .number("18446744073709551616"), .number("-9223372036854775809"), .number("1e400"),
            ]
        }
    }
}
