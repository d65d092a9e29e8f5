import SystemPackage

/// What a cgroup may use, in the terms of the OCI runtime specification (`linux.resources`). Nil is "leave as it is".
public struct CgroupLimits: Hashable, Sendable {
    public var memory = Memory()
    public var cpu = CPU()
    /// The most tasks (processes and threads); -1 and 0 are no limit.
    public var pids: Int64?
    public var blockIO = BlockIO()
    /// Device rules in order; the last one that matches decides. Nil leaves every device allowed.
    public var devices: [DeviceRule]?
    /// Bytes of huge pages for each page size as the kernel writes it (`2MB`, `1GB`); -1 is no limit.
    public var hugePages: [String: Int64] = [:]
    /// What a device for remote direct memory access gives, by its name.
    public var rdma: [String: RDMA] = [:]
    /// The class of the traffic (`tc-cgroup(8)`); v1 only.
    public var networkClass: UInt32?
    /// The priority of the traffic by interface; v1 only.
    public var networkPriorities: [String: UInt32] = [:]
    /// Files of cgroup v2 and what to write into them; refused on v1.
    public var unified: [String: String] = [:]

    public init() {}

    /// Memory, in bytes; -1 is no limit, 0 leaves it as it is.
    public struct Memory: Hashable, Sendable {
        public var limit: Int64?
        /// What the kernel tries to leave to the cgroup when memory is short.
        public var reservation: Int64?
        /// Memory *and* swap together, as v1 counts; on v2 the difference to `limit` becomes `memory.swap.max`.
        public var swap: Int64?
        /// 0 to 100; v1 only.
        public var swappiness: UInt64?
        /// What the buffers of TCP may take; v1 only.
        public var tcp: Int64?
        /// Whether a limit below what is used already is refused: v1 always does, v2 would kill.
        public var checksUsage = false
        /// Processes wait instead of being killed; v1 only.
        public var disableOOMKiller: Bool?

        public init(limit: Int64? = nil, reservation: Int64? = nil, swap: Int64? = nil) {
            self.limit = limit
            self.reservation = reservation
            self.swap = swap
        }
    }

    /// Handles and objects of a device for remote direct memory access; nil is no limit.
    public struct RDMA: Hashable, Sendable {
        public var handles: UInt32?
        public var objects: UInt32?

        public init(handles: UInt32? = nil, objects: UInt32? = nil) {
            self.handles = handles
            self.objects = objects
        }

        /// As `rdma.max` takes it (Documentation/admin-guide/cgroup-v1/rdma.rst).
        var text: String {
            [("hca_handle", handles), ("hca_object", objects)]
                .map { name, limit in "\(name)=\(limit.map(String.init) ?? "max")" }.joined(separator: " ")
        }
    }

    /// Processor time.
    public struct CPU: Hashable, Sendable {
        /// Relative weight, 2 to 262144, 1024 being everybody's default; 0 leaves it.
        public var shares: UInt64?
        /// Microseconds in each period; -1 is no limit, the kernel's least is 1000.
        public var quota: Int64?
        /// Microseconds, 1000 to 1000000; the kernel's default is 100000.
        public var period: UInt64?
        /// Microseconds of unused quota that may be saved up.
        public var burst: UInt64?
        /// Microseconds for realtime processes in each of their periods; v1 only, and no more than the cgroup above has.
        public var realtimeRuntime: Int64?
        public var realtimePeriod: UInt64?
        /// 1 runs the cgroup only when nothing else wants to.
        public var idle: Int64?
        /// Processors and memory nodes as lists: `0-3,7`.
        public var cpus: String?
        public var mems: String?

        public init(shares: UInt64? = nil, quota: Int64? = nil, period: UInt64? = nil) {
            self.shares = shares
            self.quota = quota
            self.period = period
        }

        /// A share of time as a number of processors: 0.5 is half of one (docker's `--cpus`).
        ///
        /// - Throws: `CgroupError` with EINVAL below 0.01, which the kernel cannot measure, and for what is no number.
        public init(processors: Double) throws(CgroupError) {
            guard processors >= 0.01, processors <= 1_000_000 else {
                throw CgroupError(
                    "set quota", "", controller: .cpu, value: "\(processors)", errno: .invalidArgument,
                    hint: "at least 0.01 processors")
            }
            self.init(quota: Int64((processors * 100_000).rounded()), period: 100_000)
        }
    }

    /// Block devices.
    public struct BlockIO: Hashable, Sendable {
        /// Relative weight, 10 to 1000. Needs a scheduler that knows weights (bfq, or v2's iocost).
        public var weight: UInt16?
        public var deviceWeights: [Weight] = []
        /// Weights against the cgroups inside; only of v1, with a scheduler that kernels before 5.0 had.
        public var leafWeight: UInt16?
        public var deviceLeafWeights: [Weight] = []
        /// Bytes a second.
        public var readBytes: [Throttle] = []
        public var writeBytes: [Throttle] = []
        /// Operations a second.
        public var readOperations: [Throttle] = []
        public var writeOperations: [Throttle] = []

        public init() {}
    }

    /// A block device by number, as `lsblk` prints it.
    public struct BlockDevice: Hashable, Sendable, CustomStringConvertible {
        public var major: UInt32
        public var minor: UInt32

        public init(major: UInt32, minor: UInt32) {
            self.major = major
            self.minor = minor
        }

        public var description: String { "\(major):\(minor)" }
    }

    /// A device and its weight, 10 to 1000.
    public struct Weight: Hashable, Sendable {
        public var device: BlockDevice
        public var weight: UInt16

        public init(_ device: BlockDevice, _ weight: UInt16) {
            self.device = device
            self.weight = weight
        }
    }

    /// A device and the most it may do in a second; 0 is no limit.
    public struct Throttle: Hashable, Sendable {
        public var device: BlockDevice
        public var rate: UInt64

        public init(_ device: BlockDevice, _ rate: UInt64) {
            self.device = device
            self.rate = rate
        }
    }
}
