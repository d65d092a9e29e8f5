import JSONCoding
import RuntimeSpec
import Testing

/// Every field of the specification's Linux part, in the order in which it is written.
private let everything = """
    {"ociVersion":"1.3.0","root":{"path":"rootfs","readonly":true},\
    "mounts":[{"destination":"/a","type":"bind","source":"/b","options":["rbind"],\
    "uidMappings":[{"containerID":0,"hostID":1,"size":2}],"gidMappings":[{"containerID":3,"hostID":4,"size":5}]}],\
    "process":{"terminal":true,"consoleSize":{"height":25,"width":80},"cwd":"/","env":["A=1"],"args":["sh","-c"],\
    "user":{"uid":1,"gid":2,"umask":18,"additionalGids":[3,4294967295]},\
    "rlimits":[{"type":"RLIMIT_NOFILE","soft":1024,"hard":18446744073709551615}],\
    "capabilities":{"bounding":["CAP_KILL"],"effective":["CAP_CHOWN"],"inheritable":["CAP_FOWNER"],\
    "permitted":["CAP_SETUID"],"ambient":["CAP_SETGID"]},\
    "noNewPrivileges":false,"oomScoreAdj":-100,"apparmorProfile":"p","selinuxLabel":"l",\
    "scheduler":{"policy":"SCHED_FIFO","nice":-5,"priority":7,"flags":["SCHED_FLAG_RESET_ON_FORK"],"runtime":1,\
    "deadline":2,"period":3},"ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4},\
    "execCPUAffinity":{"initial":"0","final":"1-2"}},"hostname":"h","domainname":"d",\
    "hooks":{"prestart":[{"path":"/p","args":["p"],"env":["B=2"],"timeout":3}],"createRuntime":[{"path":"/r"}],\
    "createContainer":[{"path":"/c"}],"startContainer":[{"path":"/s"}],"poststart":[{"path":"/t"}],\
    "poststop":[{"path":"/q"}]},"annotations":{"a":"1","b":""},\
    "linux":{"namespaces":[{"type":"mount"},{"type":"network","path":"/n"}],\
    "uidMappings":[{"containerID":0,"hostID":100000,"size":65536}],\
    "gidMappings":[{"containerID":0,"hostID":200000,"size":65536}],\
    "timeOffsets":{"boottime":{"secs":-1,"nanosecs":2}},\
    "devices":[{"type":"c","path":"/dev/x","major":1,"minor":3,"fileMode":438,"uid":5,"gid":6}],\
    "cgroupsPath":"/g","resources":{"devices":[{"allow":false,"type":"a","major":-1,"minor":9,"access":"rwm"}],\
    "memory":{"limit":-1,"reservation":2,"swap":3,"kernel":4,"kernelTCP":5,"swappiness":6,"disableOOMKiller":true,\
    "useHierarchy":false,"checkBeforeUpdate":true},\
    "cpu":{"shares":1,"quota":-2,"burst":3,"period":4,"realtimeRuntime":5,"realtimePeriod":6,"cpus":"0","mems":"1",\
    "idle":1},"pids":{"limit":32},\
    "blockIO":{"weight":10,"leafWeight":11,"weightDevice":[{"major":8,"minor":0,"weight":12,"leafWeight":13}],\
    "throttleReadBpsDevice":[{"major":8,"minor":1,"rate":14}],"throttleWriteBpsDevice":[{"major":8,"minor":2,"rate":15}],\
    "throttleReadIOPSDevice":[{"major":8,"minor":3,"rate":16}],\
    "throttleWriteIOPSDevice":[{"major":8,"minor":4,"rate":17}]},\
    "hugepageLimits":[{"pageSize":"2MB","limit":18}],\
    "network":{"classID":19,"priorities":[{"name":"eth0","priority":20}]},\
    "rdma":{"mlx5_1":{"hcaHandles":21,"hcaObjects":22}},"unified":{"memory.high":"max"}},\
    "rootfsPropagation":"slave",\
    "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86_64"],\
    "flags":["SECCOMP_FILTER_FLAG_LOG"],"listenerPath":"/l","listenerMetadata":"m",\
    "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW","errnoRet":1,\
    "args":[{"index":1,"value":18446744073709551615,"valueTwo":2,"op":"SCMP_CMP_MASKED_EQ"}]}]},\
    "sysctl":{"net.ipv4.ip_forward":"1"},"maskedPaths":["/proc/kcore"],"readonlyPaths":["/proc/sys"],"mountLabel":"x",\
    "personality":{"domain":"LINUX32","flags":[]},\
    "memoryPolicy":{"mode":"MPOL_BIND","nodes":"0","flags":["MPOL_F_STATIC_NODES"]},\
    "intelRdt":{"closID":"c","schemata":["L3:0=f"],"l3CacheSchema":"L3:0=1","memBwSchema":"MB:0=20",\
    "enableMonitoring":true},"netDevices":{"eth1":{"name":"up0"},"eth2":{}}}}
    """

@Suite("the fields of config.json")
struct SpecFieldsTests {
    @Test func `each is read and written under its name`() throws {
        let spec = try Spec(json: Array(everything.utf8))
        #expect(spec.json.text == everything)
        #expect(String(decoding: spec.document, as: UTF8.self).contains("\n        \"path\": \"/n\"\n"))
        #expect(try Spec(json: spec.document) == spec)
    }

    @Test func `of a name that comes twice the last counts`() throws {
        #expect(try Spec(json: Array(#"{"ociVersion":"1","ociVersion":"2"}"#.utf8)).ociVersion == "2")
    }

    @Test(arguments: [
        (#"{"ociVersion":null}"#, "ociVersion: is null and has to be a string"),
        (#"{"ociVersion":"1","root":[]}"#, "root: is a list and has to be an object"),
        (
            #"{"ociVersion":"1","process":{"cwd":"/","rlimits":[{"type":"A","soft":-1,"hard":1}]}}"#,
            "process.rlimits[0].soft: is -1 and has to be a whole number from 0 to 18446744073709551615"
        ),
        (
            #"{"ociVersion":"1","linux":{"resources":{"rdma":{"mlx":{"hcaHandles":1.5}}}}}"#,
            "linux.resources.rdma.mlx.hcaHandles: is 1.5 and has to be a whole number from 0 to 4294967295"
        ),
        (
            #"{"ociVersion":"1","linux":{"namespaces":[{"type":"nets"}]}}"#,
            "linux.namespaces[0].type: is 'nets' and has to be one of pid, network, mount, ipc, uts, user, cgroup, time"
        ),
    ])
    func `an error says where, what is there and what could be`(text: String, wanted: String) {
        let error = #expect(throws: SpecError.self) { try Spec(json: Array(text.utf8)) }
        #expect(error?.description == wanted)
    }
}
