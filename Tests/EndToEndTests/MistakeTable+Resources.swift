extension MistakeTable {
    static let limits = MistakeTable(
        "limits",
        change: #"""
            .linux.resources += {memory: {limit: 100000000}, cpu: {shares: 512, quota: 50000, period: 100000},
                pids: {limit: 100}}
            """#,
        #"""
        linux.cgroupsPath  "/a/../../b"  '/a/../../b'
        linux.cgroupsPath  "/"  '/'
        linux.cgroupsPath  "."  '.'
        linux.cgroupsPath  "a\nb"  'a\x0ab'
        linux.cgroupsPath  "a\u0000b"  NUL
        linux.cgroupsPath  "/a/LONGNAME"  no path of a cgroup
        linux.resources.memory.limit  -2  -2 is less than -1
        linux.resources.memory.limit  1  1 bytes too low
        linux.resources.memory.reservation  -2  -2 is less than -1
        linux.resources.memory.swap  -2  -2 is less than -1
        linux.resources.memory.swap  5  5 is memory and swap together, and less than the memory limit 100000000
        linux.resources.memory  {"swap":1000000}  linux.resources.memory.swap
        linux.resources.memory.kernel  -2  -2 is less than -1
        linux.resources.memory.kernelTCP  -2  -2 is less than -1
        linux.resources.memory.useHierarchy  false  false
        linux.resources.memory.swappiness  101  101 is not 0 to 100
        linux.resources.cpu.shares  1  1: the minimum allowed cpu-shares is 2
        linux.resources.cpu.shares  262145  262145: the maximum allowed cpu-shares is 262144
        linux.resources.cpu.quota  1  '1
        linux.resources.cpu.quota  -2  -2 is less than -1
        linux.resources.cpu.period  1  1
        linux.resources.cpu.period  10000000  10000000
        linux.resources.cpu.burst  50001  50001 is more than the quota 50000
        linux.resources.cpu  {"burst":18446744073709551615}  linux.resources.cpu.burst  18446744073709551615
        linux.resources.cpu.realtimeRuntime  -2  -2 is less than -1
        linux.resources.cpu.cpus  "x"  'x'
        linux.resources.cpu.cpus  "999"  '999'
        linux.resources.cpu.cpus  "0\u0000"  control character
        linux.resources.cpu.cpus  "0\n1"  '0\x0a1' contains a control character
        linux.resources.cpu.mems  "x"  'x'
        linux.resources.cpu.mems  "999"  '999'
        linux.resources.cpu.mems  "0\u0000"  control character
        linux.resources.cpu.idle  2  2 is neither 0 nor 1
        linux.resources.cpu.idle  -1  -1 is neither 0 nor 1
        linux.resources.pids.limit  -2  -2 is less than -1
        linux.resources.pids.limit  9223372036854775807  '9223372036854775807'
        linux.resources.blockIO.weight  9  9 is no weight
        linux.resources.blockIO.weight  1001  1001 is no weight
        linux.resources.blockIO.leafWeight  9  9 is no weight
        linux.resources.blockIO.leafWeight  500  500
        linux.resources.blockIO.weightDevice  [{"major":8,"minor":0,"leafWeight":500}]  500
        linux.resources.blockIO.weightDevice[0]  {"major":8,"minor":0}  has neither weight nor leafWeight
        linux.resources.blockIO.weightDevice[0]  {"major":8,"minor":0,"weight":1001}  weight: 1001 is no weight
        linux.resources.blockIO.weightDevice[0]  {"major":8,"minor":0,"leafWeight":9}  leafWeight: 9 is no weight
        linux.resources.blockIO.weightDevice[0]  {"major":-1,"minor":0,"weight":100}  -1:0 is no device number
        linux.resources.blockIO.weightDevice  [{"major":999,"minor":999,"weight":100}]  999:999
        linux.resources.blockIO.throttleReadBpsDevice  [{"major":999,"minor":999,"rate":5}]  999:999
        linux.resources.blockIO.throttleWriteBpsDevice  [{"major":999,"minor":999,"rate":5}]  999:999
        linux.resources.blockIO.throttleReadIOPSDevice  [{"major":999,"minor":999,"rate":5}]  999:999
        linux.resources.blockIO.throttleWriteIOPSDevice  [{"major":999,"minor":999,"rate":5}]  999:999
        linux.resources.blockIO.throttleReadBpsDevice[0]  {"major":-1,"minor":1,"rate":5}  -1:1 is no device number
        linux.resources.blockIO.throttleWriteIOPSDevice[0]  {"major":1,"minor":4294967296,"rate":5}  1:4294967296
        linux.resources.hugepageLimits[0]  {"pageSize":"","limit":5}  pageSize: ''
        linux.resources.hugepageLimits[0]  {"pageSize":"2XB","limit":5}  pageSize: '2XB'
        linux.resources.hugepageLimits[0]  {"pageSize":"MB","limit":5}  pageSize: 'MB'
        linux.resources.hugepageLimits[0]  {"pageSize":"../2MB","limit":5}  pageSize: '../2MB'
        linux.resources.hugepageLimits  [{"pageSize":"3MB","limit":5}]  3MB
        linux.resources.network.classID  1  net_cls
        linux.resources.network.priorities  [{"name":"lo","priority":1}]  net_prio
        linux.resources.network.priorities[0]  {"name":"","priority":1}  name: ''
        linux.resources.network.priorities[0]  {"name":"a b","priority":1}  name: 'a b'
        linux.resources.rdma  {"mlx5_1":{}}  linux.resources.rdma.mlx5_1: has neither
        linux.resources.rdma  {"mlx5_1":{"hcaHandles":1}}  rdma
        linux.resources.rdma  {"":{"hcaHandles":1}}  linux.resources.rdma.: ''
        linux.resources.rdma  {"a\nb":{"hcaHandles":1}}  'a\x0ab'
        linux.resources.unified  {"../x.y":"1"}  '../x.y'
        linux.resources.unified  {"":"1"}  linux.resources.unified.: ''
        linux.resources.unified  {"memory":"1"}  'memory' is not the name of a file
        linux.resources.unified  {"nosuch.file":"1"}  linux.resources.unified.nosuch.file
        linux.resources.unified  {"memory.nosuch":"1"}  linux.resources.unified.memory.nosuch
        linux.resources.unified  {"memory.hi\u0000gh":"1"}  control character
        linux.resources.unified  {"memory.high":"1\u0000"}  linux.resources.unified.memory.high  NUL
        """#.replacing("LONGNAME", with: String(repeating: "a", count: 256)))

    static let seccomp = MistakeTable(
        "seccomp",
        change: #"""
            .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"],
                flags: ["SECCOMP_FILTER_FLAG_LOG"], syscalls: [{names: ["acct"], action: "SCMP_ACT_ERRNO", errnoRet: 1,
                    args: [{index: 0, value: 5, valueTwo: 6, op: "SCMP_CMP_MASKED_EQ"}]}]}
            """#,
        #"""
        linux.seccomp.defaultAction  "SCMP_ACT_NOSUCH"  unknown action 'SCMP_ACT_NOSUCH', one of
        linux.seccomp.defaultAction  ""  unknown action ''
        linux.seccomp.defaultAction  "SCMP_ACT_NOTIFY"  SCMP_ACT_NOTIFY cannot be used as default action: nothing could run
        linux.seccomp.defaultErrnoRet  1  SCMP_ACT_ALLOW returns no errno
        linux.seccomp  {"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":4096}  4096 is no errno
        linux.seccomp.architectures[0]  "SCMP_ARCH_NOSUCH"  unknown architecture 'SCMP_ARCH_NOSUCH'
        linux.seccomp.architectures[0]  "X86_64"  unknown architecture 'X86_64'
        linux.seccomp.flags[0]  "SECCOMP_FILTER_FLAG_NOSUCH"  unknown flag 'SECCOMP_FILTER_FLAG_NOSUCH'
        linux.seccomp.listenerMetadata  "x"  needs linux.seccomp.listenerPath
        linux.seccomp.listenerPath  "/a\u0000"  NUL
        linux.seccomp.syscalls[0].names  []  is empty
        linux.seccomp.syscalls[0].names[0]  "re\u0000ad"  NUL
        linux.seccomp.syscalls[0].action  "SCMP_ACT_NOSUCH"  unknown action 'SCMP_ACT_NOSUCH'
        linux.seccomp.syscalls[0].action  "SCMP_ACT_KILL"  !linux.seccomp.syscalls[0].errnoRet  SCMP_ACT_KILL
        linux.seccomp.syscalls[0].action  "SCMP_ACT_NOTIFY"  !linux.seccomp.syscalls[0].errnoRet  SCMP_ACT_NOTIFY
        linux.seccomp.syscalls[0].errnoRet  70000  70000 is no errno
        linux.seccomp.syscalls[0].args[0].index  6  6 is no argument
        linux.seccomp.syscalls[0].args[0].op  "SCMP_CMP_NOSUCH"  unknown operator 'SCMP_CMP_NOSUCH'
        linux.seccomp.syscalls[0].args[0].op  ""  unknown operator ''
        linux.seccomp.syscalls[0]  {"names":["acct"],"action":"SCMP_ACT_NOTIFY"}  !linux.seccomp.listenerPath
        """#)
}
