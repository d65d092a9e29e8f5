import JSONCoding
import TestSupport

/// Values that a type allows and that cannot be, by member.
struct MistakeTable: Sendable, CustomStringConvertible {
    let description: String
    /// What the document has that the mistakes are made in, as a jq program.
    let change: String
    let rows: [Row]

    /// A member, the value that it gets, and what the error names besides the member.
    struct Row: Sendable, CustomStringConvertible {
        let place: String
        let value: JSONCoding.JSONValue?
        let names: [String]

        var description: String { "\(place) = \(value?.text.prefix(100) ?? "nothing")" }

        func applied(to document: JSONCoding.JSONValue) -> JSONCoding.JSONValue {
            document.replacing(DocumentPlace(place), by: value)
        }
    }

    init(_ description: String, change: String = ".", _ text: String) {
        self.description = description
        self.change = change
        rows = Self.rows(text)
    }

    /// Reads lines of columns that two blanks or more stand between: the member, the value in JSON or `-` for none, and
    /// what is named. The member is named too, but where the third column begins with `!` instead.
    static func rows(_ text: String) -> [Row] {
        text.split(separator: "\n").map { line in
            let columns = line.split(separator: "  ").map { $0.trimmingPrefix(" ") }.filter { !$0.isEmpty }
            let value = try? JSONCoding.JSONValue(parsing: Array((columns.dropFirst().first ?? "").utf8))
            let words = columns.dropFirst(2).map(String.init)
            let place = String(columns.first ?? "")
            guard let first = words.first, first.hasPrefix("!") else {
                return Row(place: place, value: value, names: [place] + words)
            }
            return Row(place: place, value: value, names: [String(first.dropFirst())] + words.dropFirst())
        }
    }

    static let all = [general, process, hooks, mounts, namespaces, users, files, devices, limits, seccomp]

    private static let general = MistakeTable(
        "general",
        #"""
        ociVersion  "2.0.0"  '2.0.0'  only 1.x
        ociVersion  "0.9.0"  '0.9.0'  only 1.x
        ociVersion  ""  ''
        ociVersion  "1.0"  '1.0'
        ociVersion  "1.0.x"  '1.0.x'
        ociVersion  "1.01.0"  '1.01.0'
        ociVersion  "1.0.2-"  '1.0.2-'
        ociVersion  "1.0.2-rc..1"  '1.0.2-rc..1'
        ociVersion  "1.0.2-01"  '1.0.2-01'
        ociVersion  "1.0.2+"  '1.0.2+'
        ociVersion  "1.0.2 "  '1.0.2 '
        ociVersion  "1.0.2\u0000"  '1.0.2\x00'
        root  -  missing
        root.path  ""  is empty
        root.path  "a\u0000b"  NUL
        root.path  "nosuchdirectory"  /run/bundle/nosuchdirectory  no such file or directory
        root.path  "/nosuchdirectory"  /nosuchdirectory  no such file or directory
        root.path  "config.json"  /run/bundle/config.json  not a directory
        hostname  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"  longer than 64 bytes
        hostname  "a\u0000b"  NUL
        domainname  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"  longer than 64 bytes
        domainname  "a\u0000b"  NUL
        annotations  {"":"x"}  is empty
        linux.mountLabel  "a\u0000b"  NUL
        linux.personality  {"domain":"LINUX64"}  linux.personality.domain: unknown domain 'LINUX64'
        linux.personality  {"domain":""}  linux.personality.domain
        linux.personality  {"domain":"LINUX","flags":["ADDR_NO_RANDOMIZE"]}  flags[0]: unknown flag 'ADDR_NO_RANDOMIZE'
        linux.intelRdt  {"closID":"a/b"}  closID: 'a/b'
        linux.intelRdt  {"closID":".."}  closID: '..'
        linux.intelRdt  {"closID":""}  closID: ''
        linux.intelRdt  {"closID":"a\u0000b"}  closID
        linux.intelRdt  {"memBwSchema":"L3:0=1"}  memBwSchema: 'L3:0=1'  MB:
        linux.intelRdt  {"memBwSchema":"MB:0=1\n"}  memBwSchema
        linux.intelRdt  {"l3CacheSchema":"L3:0=1\n"}  l3CacheSchema
        linux.intelRdt  {"schemata":["L3:0=1\nMB:0=5"]}  schemata[0]
        """#)

    private static let process = MistakeTable(
        "process",
        change: #"""
            .process += {rlimits: [{type: "RLIMIT_NOFILE", soft: 64, hard: 64}], scheduler: {policy: "SCHED_OTHER"},
                ioPriority: {class: "IOPRIO_CLASS_BE", priority: 4}, execCPUAffinity: {initial: "0", final: "0"},
                oomScoreAdj: 100} | .linux.memoryPolicy = {mode: "MPOL_BIND", nodes: "0"}
            """#,
        #"""
        process.cwd  ""  '' is not an absolute path
        process.cwd  "tmp"  'tmp' is not an absolute path
        process.cwd  "/a\u0000b"  NUL
        process.args  []  is empty
        process.args  -  is empty
        process.args[0]  ""  !"": executable file not found in $PATH
        process.args[0]  "a\u0000b"  NUL
        process.args[1]  "a\u0000b"  NUL
        process.args  ["no-such-command"]  !"no-such-command": executable file not found in $PATH
        process.args  ["/no/such/command"]  !stat /no/such/command: no such file or directory
        process.args  ["/etc"]  !"/etc": is a directory
        process.env[0]  "novalue"  'novalue' is not NAME=VALUE
        process.env[0]  "=x"  '=x' is not NAME=VALUE
        process.env[0]  ""  '' is not NAME=VALUE
        process.env[0]  "A=\u0000"  NUL
        process.terminal  true  --console-socket
        process.user.uid  4294967295  4294967295 is nobody's
        process.user.gid  4294967295  4294967295 is nobody's
        process.user.additionalGids[0]  4294967295  4294967295 is nobody's
        process.user.umask  512  512
        process.rlimits[0].type  "RLIMIT_NOSUCH"  unknown resource limit 'RLIMIT_NOSUCH'
        process.rlimits[0].type  "nofile"  unknown resource limit 'nofile'
        process.rlimits[0].type  ""  unknown resource limit ''
        process.rlimits[0]  {"type":"RLIMIT_NOFILE","soft":2,"hard":1}  soft limit 2 is above the hard limit 1
        process.rlimits[1]  {"type":"RLIMIT_NOFILE","soft":1,"hard":1}  RLIMIT_NOFILE is given twice
        process.rlimits[0].hard  18446744073709551615  !process.rlimits[0]  RLIMIT_NOFILE  64:18446744073709551615
        process.oomScoreAdj  1001  1001
        process.oomScoreAdj  -1001  -1001
        process.apparmorProfile  "nosuchprofile"  nosuchprofile
        process.apparmorProfile  "a\u0000b"  NUL
        process.selinuxLabel  "nosuchlabel"  nosuchlabel
        process.selinuxLabel  "a\u0000b"  NUL
        process.scheduler.policy  "SCHED_NOSUCH"  'SCHED_NOSUCH', one of SCHED_BATCH
        process.scheduler.policy  ""  ''
        process.scheduler.policy  "SCHED_ISO"  !process.scheduler
        process.scheduler.nice  20  20
        process.scheduler.nice  -21  -21
        process.scheduler.priority  1  1 has a meaning for SCHED_FIFO
        process.scheduler.flags[0]  "SCHED_FLAG_NOSUCH"  SCHED_FLAG_NOSUCH
        process.scheduler.runtime  1  1 has a meaning for SCHED_DEADLINE only
        process.scheduler.deadline  1  1 has a meaning for SCHED_DEADLINE only
        process.scheduler.period  1  1 has a meaning for SCHED_DEADLINE only
        process.scheduler  {"policy":"SCHED_FIFO","priority":100}  process.scheduler.priority: 100
        process.scheduler  {"policy":"SCHED_RR","priority":-1}  process.scheduler.priority: -1
        process.scheduler  {"policy":"SCHED_FIFO"}  process.scheduler.priority: 0
        process.scheduler  {"policy":"SCHED_DEADLINE"}  process.scheduler.runtime: sched_setattr: `SCHED_DEADLINE` requires `runtime`
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":20,"deadline":10,"period":30}  runtime (20) must be <= deadline (10)
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":10,"deadline":40,"period":30}  deadline (40) must be <= period (30)
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":2000}  process.scheduler.deadline: sched_setattr: `SCHED_DEADLINE` requires `deadline`
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":0,"deadline":2000}  runtime must be greater than 0
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":500,"deadline":2000}  runtime (500) must be between 1024 and
        process.scheduler  {"policy":"SCHED_DEADLINE","runtime":9223372036854775808,"deadline":9223372036854775809}  between 1024
        process.ioPriority.class  "IOPRIO_CLASS_NOSUCH"  'IOPRIO_CLASS_NOSUCH', one of
        process.ioPriority.priority  8  8
        process.ioPriority.priority  -1  -1
        process.execCPUAffinity.initial  "nonsense"  'nonsense'
        process.execCPUAffinity.final  "3-1"  '3-1'
        process.execCPUAffinity.initial  "0-99999999999"  '0-99999999999'
        process.execCPUAffinity.final  "1 2"  '1 2'
        process.execCPUAffinity.final  ","  ','
        linux.memoryPolicy.mode  -  missing (invalid memory policy mode)
        linux.memoryPolicy.mode  "MPOL_NOSUCH"  'MPOL_NOSUCH', one of
        linux.memoryPolicy.nodes  "x"  'x'
        linux.memoryPolicy.nodes  "1-0"  '1-0'
        linux.memoryPolicy.nodes  "1023"  !linux.memoryPolicy
        linux.memoryPolicy.nodes  -  MPOL_BIND needs some
        linux.memoryPolicy.mode  "MPOL_DEFAULT"  !linux.memoryPolicy.nodes: MPOL_DEFAULT has none
        linux.memoryPolicy.mode  "MPOL_LOCAL"  !linux.memoryPolicy.nodes: MPOL_LOCAL has none
        linux.memoryPolicy.flags[0]  "MPOL_F_NOSUCH"  'MPOL_F_NOSUCH', one of
        linux.memoryPolicy.flags  ["MPOL_F_STATIC_NODES","MPOL_F_RELATIVE_NODES"]  exclude each other
        """#)

    private static let hooks = MistakeTable(
        "hooks",
        change: #"""
            .hooks = (reduce ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")
                as $kind ({}; .[$kind] = [{path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 5}]))
            """#,
        ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"].map { kind in
            #"""
            hooks.KIND[0].path  "bin/true"  'bin/true' is not an absolute path
            hooks.KIND[0].path  ""  '' is not an absolute path
            hooks.KIND[0].path  "/bin/\u0000true"  NUL
            hooks.KIND[0].args[0]  "a\u0000"  NUL
            hooks.KIND[0].env[0]  "a\u0000=1"  NUL
            hooks.KIND[0].env[0]  "novalue"  'novalue' is not NAME=VALUE
            hooks.KIND[0].env[0]  "=1"  '=1' is not NAME=VALUE
            hooks.KIND[0].timeout  0  0 is not
            hooks.KIND[0].timeout  -1  -1 is not
            hooks.KIND[0].timeout  9223372036854775807  9223372036854775807 is not

            """#.replacing("KIND", with: kind)
        }.joined() + #"""
            hooks.prestart[0].path  "/no/such/hook"  !prestart hook #0: /no/such/hook
            hooks.createRuntime[0].path  "/no/such/hook"  !createRuntime hook #0: /no/such/hook
            hooks.createContainer[0].path  "/no/such/hook"  !createContainer hook #0: /no/such/hook
            hooks.createRuntime[0].path  "/etc"  !createRuntime hook #0: /etc  permission denied
            """#)

    private static let mounts = MistakeTable(
        "mounts", change: #".mounts += [{destination: "/data", type: "none", source: "/tmp", options: ["bind"]}]"#,
        #"""
        mounts[0].destination  ""  is empty
        mounts[0].destination  "/"  '/' is the root itself
        mounts[0].destination  "/a/.."  '/a/..' is the root itself
        mounts[0].destination  "/a\u0000b"  NUL
        mounts[0].type  -  missing
        mounts[0].type  ""  missing
        mounts[0].type  "a\u0000b"  NUL
        mounts[3].source  "a\u0000b"  NUL
        mounts[0].options[0]  "a\u0000b"  NUL
        mounts[0]  {"destination":"/proc","type":"nosuchfs"}  nosuchfs  no such device
        mounts[0]  {"destination":"/proc","type":"proc","options":["nosuchoption=1"]}  nosuchoption
        mounts[1]  {"destination":"/dev","type":"tmpfs","options":["size=many"]}  'size'
        mounts[1]  {"destination":"/dev","type":"tmpfs","options":["nosuch"]}  'nosuch'
        mounts[1]  {"destination":"/dev","type":"tmpfs","options":["=x"]}  ''
        mounts[1]  {"destination":"/dev","type":"tmpfs","options":["idmap"]}  for bind mounts only
        mounts[1]  {"destination":"/dev","options":["remount","size=5"]}  mounts[1].options: 'size'
        mounts[1].uidMappings  [{"containerID":0,"hostID":0,"size":1}]  for bind mounts only
        mounts[7].source  -  missing for a bind mount
        mounts[7].source  ""  missing for a bind mount
        mounts[7].source  "/nosuchsource"  !mounts[7]  /nosuchsource
        mounts[7].destination  "/etc/passwd/x"  !mounts[7]  /etc/passwd/x
        mounts[7].options  ["bind","idmap"]  idmap needs uidMappings
        mounts[7].options  ["bind","idmap=uids=0-1000-10"]  mounts[7].options[1]: 'uids=0-1000-10' lacks
        mounts[7].options  ["bind","idmap="]  mounts[7].options[1]: '' lacks
        mounts[7].options  ["bind","idmap=uids=0-1000;gids=0-0-1"]  '0-1000' is no range
        mounts[7].options  ["bind","ridmap=uids=0-1000-0;gids=0-0-1"]  '0-1000-0' is no range
        mounts[7].options  ["bind","idmap=uids=0-4294967295-1;gids=0-0-1"]  '0-4294967295-1' is no range
        mounts[7].options  ["bind","idmap=uids=0-0-1#;gids=0-0-1"]  '' is no range
        mounts[7].options  ["bind","idmap=uids=@0-0-1;gids=0-0-1"]  '@0-0-1' is in no range
        mounts[7].options  ["bind","idmap=users=0-0-1"]  'users' is none of uids and gids
        mounts[1]  {"destination":"/dev","type":"tmpfs","options":["idmap=uids=0-0-1;gids=0-0-1"]}  for bind mounts only
        mounts[7].uidMappings  [{"containerID":0,"hostID":0,"size":1}]  !mounts[7].gidMappings: missing
        mounts[7].gidMappings  [{"containerID":0,"hostID":0,"size":1}]  !mounts[7].uidMappings: missing
        mounts[7].uidMappings  [{"containerID":0,"hostID":0,"size":0}]  mounts[7].uidMappings[0].size: 0
        mounts[7].gidMappings  [{"containerID":4294967290,"hostID":0,"size":9}]  gidMappings[0].containerID: 9 numbers
        mounts[7].gidMappings  [{"containerID":0,"hostID":4294967295,"size":1}]  gidMappings[0].hostID: 1 numbers
        """#)

    private static let namespaces = MistakeTable(
        "namespaces", change: #".linux.namespaces += [{type: "time"}] | .linux.timeOffsets = {monotonic: {secs: 1}}"#,
        #"""
        linux.namespaces[0].type  "nosuch"  nosuch
        linux.namespaces[0].type  ""  ''
        linux.namespaces[0].type  "PID"  PID
        linux.namespaces[0].type  "mnt"  mnt
        linux.namespaces[7]  {"type":"pid"}  pid is given twice
        linux.namespaces[0].path  "ns/pid"  'ns/pid' is not an absolute path
        linux.namespaces[0].path  "/a\u0000b"  NUL
        linux.namespaces[0].path  "/nosuchnamespace"  /nosuchnamespace: no such file or directory
        linux.namespaces[0].path  "/proc/self/ns/net"  /proc/self/ns/net: invalid argument
        linux.namespaces[0].path  "/etc/passwd"  /etc/passwd
        linux.timeOffsets  {"realtime":{"secs":1}}  linux.timeOffsets.realtime: unknown clock
        linux.timeOffsets.monotonic.nanosecs  1000000000  1000000000 is a second
        linux.timeOffsets.monotonic.secs  9223372036854775807  !linux.timeOffsets  9223372036854775807
        linux.timeOffsets.boottime.secs  -9223372036854775808  !linux.timeOffsets  -9223372036854775808
        linux.namespaces[6]  -  !linux.timeOffsets: needs a new namespace of type time
        linux.uidMappings  [{"containerID":0,"hostID":0,"size":1}]  namespace of type user
        linux.gidMappings  [{"containerID":0,"hostID":0,"size":1}]  namespace of type user
        linux.netDevices  {"nosuchdev":{}}  linux.netDevices.nosuchdev: the host has no such interface
        linux.netDevices  {"":{}}  '' is no name of an interface
        linux.netDevices  {"eth0":{"name":"a/b"}}  linux.netDevices.eth0.name: 'a/b'
        linux.netDevices  {"eth0":{"name":"abcdefghijklmnop"}}  linux.netDevices.eth0.name: 'abcdefghijklmnop'
        linux.netDevices  {"lo":{}}  linux.netDevices.lo: cannot be moved
        linux.netDevices  {"eth0":{"name":"lo"}}  linux.netDevices.eth0: cannot be moved as 'lo'
        """#)

    private static let users = MistakeTable(
        "users",
        change: #"""
            .linux.namespaces += [{type: "user"}] | .linux.uidMappings = [{containerID: 0, hostID: 0, size: 1000}]
                | .linux.gidMappings = [{containerID: 0, hostID: 0, size: 1000}]
            """#,
        #"""
        linux.uidMappings  -  missing
        linux.gidMappings  []  missing
        linux.uidMappings[0].size  0  0 is no range
        linux.gidMappings[0].size  0  0 is no range
        linux.uidMappings[0].containerID  4294967290  1000 numbers from 4294967290
        linux.gidMappings[0].hostID  4294967290  1000 numbers from 4294967290
        linux.uidMappings[0].containerID  1  !linux.uidMappings
        linux.uidMappings[1]  {"containerID":8,"hostID":9000,"size":9}  !linux.uidMappings  8 9000 9
        linux.gidMappings[1]  {"containerID":8000,"hostID":8,"size":9}  !linux.gidMappings  8000 8 9
        process.user.uid  5000  5000
        process.user.gid  5000  5000
        process.user.additionalGids[0]  5000  !process.user.additionalGids  5000
        """#)

    private static let files = MistakeTable(
        "files", change: #".linux.sysctl = {"net.core.somaxconn": "5"}"#,
        #"""
        linux.rootfsPropagation  "nosuch"  'nosuch'
        linux.rootfsPropagation  "Shared"  'Shared'
        linux.maskedPaths[0]  "proc"  'proc' is not an absolute path
        linux.maskedPaths[0]  ""  '' is not an absolute path
        linux.maskedPaths[0]  "/"  '/' is the root itself
        linux.maskedPaths[0]  "/a\u0000b"  NUL
        linux.readonlyPaths[0]  "proc"  'proc' is not an absolute path
        linux.readonlyPaths[0]  "/.."  '/..' is the root itself
        linux.readonlyPaths[0]  "/a\u0000b"  NUL
        linux.sysctl  {"kernel.hostname":"x"}  linux.sysctl.kernel.hostname
        linux.sysctl  {"vm.swappiness":"1"}  linux.sysctl.vm.swappiness  would change the host
        linux.sysctl  {"net.nosuch":"1"}  net.nosuch
        linux.sysctl  {"net..core":"1"}  linux.sysctl.net..core
        linux.sysctl  {"":"1"}  linux.sysctl.: is no name
        linux.sysctl  {"net/../vm/swappiness":"1"}  linux.sysctl.net/../vm/swappiness
        linux.sysctl  {"net.ipv4.ip_forward":"many"}  net.ipv4.ip_forward  many
        linux.sysctl  {"net.ipv4.ip_forward":""}  net.ipv4.ip_forward  invalid argument
        linux.sysctl  {"net.ipv4.ip_forward":"1\u0000"}  linux.sysctl.net.ipv4.ip_forward  NUL
        linux.sysctl  {"net.ipv4.ip\u0000_forward":"1"}  NUL
        linux.sysctl  {"net.ipv4":"1"}  net.ipv4
        """#)

    private static let devices = MistakeTable(
        "devices", change: #".linux.devices = [{path: "/dev/x", type: "c", major: 1, minor: 3}]"#,
        #"""
        linux.devices[0].type  "x"  unknown type 'x'
        linux.devices[0].type  "a"  unknown type 'a'
        linux.devices[0].type  ""  unknown type ''
        linux.devices[0].path  "dev/x"  'dev/x' is not an absolute path
        linux.devices[0].path  "/"  '/' is the root itself
        linux.devices[0].path  "/dev/x\u0000"  NUL
        linux.devices[0].path  "/etc/passwd"  !linux.devices[0]  /etc/passwd: file exists
        linux.devices[1]  {"path":"/dev/x","type":"c","major":1,"minor":5}  /dev/x: file exists
        linux.devices[0].major  -  missing
        linux.devices[0].minor  -  missing
        linux.devices[0].major  -1  -1 is no device number
        linux.devices[0].major  4096  4096 is no device number
        linux.devices[0].minor  1048576  1048576 is no device number
        linux.devices[0].major  9223372036854775807  9223372036854775807 is no device number
        linux.devices[0].fileMode  4294967295  4294967295 is no mode
        linux.devices[0].uid  4294967295  4294967295 is nobody's
        linux.devices[0].gid  4294967295  4294967295 is nobody's
        linux.resources.devices[0].type  "x"  unknown type 'x'
        linux.resources.devices[0].major  -2  -2 is no device number
        linux.resources.devices[0].minor  4294967296  4294967296 is no device number
        linux.resources.devices[0].access  "x"  'x'
        linux.resources.devices[0].access  ""  ''
        """#)
}
