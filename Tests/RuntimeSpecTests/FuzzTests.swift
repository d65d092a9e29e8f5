import JSONCoding
import RuntimeSpec
import TestSupport
import Testing

/// Whatever is in `config.json`, an answer comes out: a document that can be used, or an error with a field.
@Suite("config.json at random")
struct SpecFuzzTests {
    /// Something of everything that the specification has.
    private static let seed = #"""
        {"ociVersion": "1.3.0", "hostname": "box", "domainname": "lan", "annotations": {"a/b": "c"},
        "root": {"path": "rootfs", "readonly": true},
        "process": {"terminal": true, "consoleSize": {"height": 24, "width": 80}, "cwd": "/", "args": ["sh", "-c", "id"],
            "env": ["PATH=/bin", "A="], "user": {"uid": 1, "gid": 2, "umask": 18, "additionalGids": [5, 6]},
            "capabilities": {"bounding": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"],
                "inheritable": [], "ambient": []},
            "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 1024}], "noNewPrivileges": true,
            "oomScoreAdj": 100, "apparmorProfile": "p", "selinuxLabel": "l",
            "scheduler": {"policy": "SCHED_OTHER", "nice": 5, "flags": ["SCHED_FLAG_RESET_ON_FORK"]},
            "ioPriority": {"class": "IOPRIO_CLASS_BE", "priority": 4}, "execCPUAffinity": {"initial": "0", "final": "0-1"}},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"]},
            {"destination": "/data", "type": "bind", "source": "/srv", "options": ["rbind", "rro", "ridmap"],
                "uidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}],
                "gidMappings": [{"containerID": 0, "hostID": 1000, "size": 10}]}],
        "hooks": {"createRuntime": [{"path": "/bin/true", "args": ["true"], "env": ["A=b"], "timeout": 5}],
            "prestart": [], "createContainer": [], "startContainer": [], "poststart": [], "poststop": []},
        "linux": {"namespaces": [{"type": "pid"}, {"type": "network", "path": "/run/netns/a"}, {"type": "mount"},
                {"type": "user"}, {"type": "time"},
                {"type": "cgroup"}, {"type": "uts"}, {"type": "ipc"}],
            "uidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "gidMappings": [{"containerID": 0, "hostID": 100000, "size": 65536}],
            "timeOffsets": {"monotonic": {"secs": 5, "nanosecs": 7}},
            "devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 3, "fileMode": 438, "uid": 0, "gid": 0}],
            "cgroupsPath": "/a/b", "rootfsPropagation": "rslave", "sysctl": {"net.core.somaxconn": "5"},
            "maskedPaths": ["/proc/kcore"], "readonlyPaths": ["/proc/sys"], "mountLabel": "m",
            "personality": {"domain": "LINUX32"}, "netDevices": {"eth9": {"name": "eth0"}},
            "memoryPolicy": {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]},
            "resources": {"devices": [{"allow": false, "type": "c", "major": 1, "minor": 5, "access": "rwm"}],
                "memory": {"limit": 1048576, "reservation": 5, "swap": -1, "swappiness": 0, "disableOOMKiller": false},
                "cpu": {"shares": 2, "quota": 5000, "burst": 1, "period": 10000, "cpus": "0", "mems": "0", "idle": 1},
                "pids": {"limit": 9}, "hugepageLimits": [{"pageSize": "2MB", "limit": 5}],
                "blockIO": {"weight": 10, "throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 600}]},
                "network": {"classID": 5, "priorities": [{"name": "eth0", "priority": 5}]},
                "rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 4}}, "unified": {"memory.high": "5"}},
            "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": 1, "architectures": ["SCMP_ARCH_X86_64"],
                "flags": ["SECCOMP_FILTER_FLAG_LOG"], "listenerPath": "/run/l", "listenerMetadata": "m",
                "syscalls": [{"names": ["clone"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1,
                    "args": [{"index": 0, "value": 5, "valueTwo": 6, "op": "SCMP_CMP_MASKED_EQ"}]}]}}}
        """#

    private func answer(_ bytes: [UInt8]) {
        do throws(SpecError) {
            let spec = try Spec(json: bytes)
            try spec.validate()
            // What is taken is kept: it says the same when it is written down.
            #expect(try Spec(json: spec.document) == spec)
        } catch {
            #expect(!error.reason.isEmpty && !error.description.contains("\n"), "\(error)")
        }
    }

    @Test func `the document itself is fine`() throws {
        try Spec(json: Array(Self.seed.utf8)).validate()
    }

    @Test(arguments: SplitMix.seeds(2, for: "changed documents"))
    func `bytes that are changed, taken out and put in`(seed: UInt64) {
        var generator = SplitMix(state: seed)
        for _ in 0..<1_000 { answer(Mutations.bytes(of: Self.seed, using: &generator)) }
    }

    @Test(arguments: Mutations.values)
    func `values that stand where others should`(value: JSONCoding.JSONValue) throws {
        let document = try JSONCoding.JSONValue(parsing: Array(Self.seed.utf8))
        for changed in Mutations.replacements(of: document, by: value) { answer(changed.bytes) }
    }
}
