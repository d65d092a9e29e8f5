public import JSONCoding

extension Spec.Linux {
    /// The limits of the container's cgroup.
    public struct Resources: JSONObjectRepresentable, Hashable, Sendable {
        public var devices: [DeviceRule]?
        public var memory: Memory?
        public var cpu: CPU?
        public var pids: Pids?
        public var blockIO: BlockIO?
        public var hugepageLimits: [HugepageLimit]?
        public var network: Network?
        /// By the name of the device.
        public var rdma: [String: RDMA]?
        /// Files of cgroup v2 and what to write to them.
        public var unified: [String: String]?

        public init(
            devices: [DeviceRule]? = nil, memory: Memory? = nil, cpu: CPU? = nil, pids: Pids? = nil,
            blockIO: BlockIO? = nil
        ) {
            self.devices = devices
            self.memory = memory
            self.cpu = cpu
            self.pids = pids
            self.blockIO = blockIO
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("devices", &devices)
            try fields.optional("memory", &memory)
            try fields.optional("cpu", &cpu)
            try fields.optional("pids", &pids)
            try fields.optional("blockIO", &blockIO)
            try fields.optional("hugepageLimits", &hugepageLimits)
            try fields.optional("network", &network)
            try fields.optional("rdma", &rdma)
            try fields.optional("unified", &unified)
        }
    }
}

extension Spec.Linux.Resources {
    /// Forgets what says nothing in a document of an older version of the specification.
    ///
    /// Since 1.3, 0 is a limit of tasks like any other (config-linux.md, "PIDs"). Before, runtimes took it for none, and
    /// engines of the time write it for that: podman 4 for `--pids-limit -1`.
    public mutating func omitZeros(version: String) {
        if pids?.limit == 0, SemanticVersion.minor(of: version) < 3 { pids = nil }
    }
}

extension Spec.Linux.Resources {
    /// Allows or denies access to devices; the last rule that matches counts.
    public struct DeviceRule: JSONObjectRepresentable, Hashable, Sendable {
        public var allow = false
        /// `a` for all, `c` or `b`.
        public var type: String?
        /// Any when missing or -1.
        public var major: Int64?
        public var minor: Int64?
        /// Of the letters `rwm`.
        public var access: String?

        public init(
            allow: Bool, type: String? = nil, major: Int64? = nil, minor: Int64? = nil, access: String? = nil
        ) {
            self.allow = allow
            self.type = type
            self.major = major
            self.minor = minor
            self.access = access
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("allow", &allow)
            try fields.optional("type", &type)
            try fields.optional("major", &major)
            try fields.optional("minor", &minor)
            try fields.optional("access", &access)
        }
    }

    /// Memory, in bytes; -1 is no limit.
    public struct Memory: JSONObjectRepresentable, Hashable, Sendable {
        public var limit: Int64?
        public var reservation: Int64?
        /// Memory and swap together.
        public var swap: Int64?
        public var kernel: Int64?
        public var kernelTCP: Int64?
        /// 0 to 100.
        public var swappiness: UInt64?
        public var disableOOMKiller: Bool?
        public var useHierarchy: Bool?
        public var checkBeforeUpdate: Bool?

        public init(limit: Int64? = nil, reservation: Int64? = nil, swap: Int64? = nil) {
            self.limit = limit
            self.reservation = reservation
            self.swap = swap
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("limit", &limit)
            try fields.optional("reservation", &reservation)
            try fields.optional("swap", &swap)
            try fields.optional("kernel", &kernel)
            try fields.optional("kernelTCP", &kernelTCP)
            try fields.optional("swappiness", &swappiness)
            try fields.optional("disableOOMKiller", &disableOOMKiller)
            try fields.optional("useHierarchy", &useHierarchy)
            try fields.optional("checkBeforeUpdate", &checkBeforeUpdate)
        }
    }

    /// Processor time; periods and quotas in microseconds.
    public struct CPU: JSONObjectRepresentable, Hashable, Sendable {
        public var shares: UInt64?
        public var quota: Int64?
        public var burst: UInt64?
        public var period: UInt64?
        public var realtimeRuntime: Int64?
        public var realtimePeriod: UInt64?
        /// A list such as `0-2,7`.
        public var cpus: String?
        public var mems: String?
        public var idle: Int64?

        public init(
            shares: UInt64? = nil, quota: Int64? = nil, period: UInt64? = nil, cpus: String? = nil,
            mems: String? = nil
        ) {
            self.shares = shares
            self.quota = quota
            self.period = period
            self.cpus = cpus
            self.mems = mems
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("shares", &shares)
            try fields.optional("quota", &quota)
            try fields.optional("burst", &burst)
            try fields.optional("period", &period)
            try fields.optional("realtimeRuntime", &realtimeRuntime)
            try fields.optional("realtimePeriod", &realtimePeriod)
            try fields.optional("cpus", &cpus)
            try fields.optional("mems", &mems)
            try fields.optional("idle", &idle)
        }
    }

    /// Bytes of huge pages of one size.
    public struct HugepageLimit: JSONObjectRepresentable, Hashable, Sendable {
        /// As the kernel writes it: `2MB`, `1GB`.
        public var pageSize = ""
        public var limit: UInt64 = 0

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("pageSize", &pageSize)
            try fields.required("limit", &limit)
        }
    }

    /// Marks for traffic, which only cgroup v1 has.
    public struct Network: JSONObjectRepresentable, Hashable, Sendable {
        public var classID: UInt32?
        public var priorities: [Priority]?

        public struct Priority: JSONObjectRepresentable, Hashable, Sendable {
            /// An interface.
            public var name = ""
            public var priority: UInt32 = 0

            public init() {}

            public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
                try fields.required("name", &name)
                try fields.required("priority", &priority)
            }
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("classID", &classID)
            try fields.optional("priorities", &priorities)
        }
    }

    /// Resources of a device for remote direct memory access.
    public struct RDMA: JSONObjectRepresentable, Hashable, Sendable {
        public var hcaHandles: UInt32?
        public var hcaObjects: UInt32?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("hcaHandles", &hcaHandles)
            try fields.optional("hcaObjects", &hcaObjects)
        }
    }

    /// The number of tasks; 0 or less is no limit.
    public struct Pids: JSONObjectRepresentable, Hashable, Sendable {
        public var limit: Int64?

        public init(limit: Int64) { self.limit = limit }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("limit", &limit)
        }
    }

    /// Block input and output; rates in bytes or operations a second.
    public struct BlockIO: JSONObjectRepresentable, Hashable, Sendable {
        public var weight: UInt16?
        public var leafWeight: UInt16?
        public var weightDevice: [WeightDevice]?
        public var throttleReadBpsDevice: [ThrottleDevice]?
        public var throttleWriteBpsDevice: [ThrottleDevice]?
        public var throttleReadIOPSDevice: [ThrottleDevice]?
        public var throttleWriteIOPSDevice: [ThrottleDevice]?

        public init(weight: UInt16? = nil) { self.weight = weight }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("weight", &weight)
            try fields.optional("leafWeight", &leafWeight)
            try fields.optional("weightDevice", &weightDevice)
            try fields.optional("throttleReadBpsDevice", &throttleReadBpsDevice)
            try fields.optional("throttleWriteBpsDevice", &throttleWriteBpsDevice)
            try fields.optional("throttleReadIOPSDevice", &throttleReadIOPSDevice)
            try fields.optional("throttleWriteIOPSDevice", &throttleWriteIOPSDevice)
        }
    }

    public struct WeightDevice: JSONObjectRepresentable, Hashable, Sendable {
        public var major: Int64 = 0
        public var minor: Int64 = 0
        public var weight: UInt16?
        public var leafWeight: UInt16?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("major", &major)
            try fields.required("minor", &minor)
            try fields.optional("weight", &weight)
            try fields.optional("leafWeight", &leafWeight)
        }
    }

    public struct ThrottleDevice: JSONObjectRepresentable, Hashable, Sendable {
        public var major: Int64 = 0
        public var minor: Int64 = 0
        public var rate: UInt64 = 0

        public init(major: Int64, minor: Int64, rate: UInt64) {
            self.major = major
            self.minor = minor
            self.rate = rate
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("major", &major)
            try fields.required("minor", &minor)
            try fields.required("rate", &rate)
        }
    }
}
