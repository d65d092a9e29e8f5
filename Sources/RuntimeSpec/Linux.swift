public import JSONCoding

extension Spec {
    /// What only Linux has.
    public struct Linux: JSONObjectRepresentable, Hashable, Sendable {
        public var namespaces: [Namespace]?
        public var uidMappings: [IDMapping]?
        public var gidMappings: [IDMapping]?
        public var timeOffsets: [String: TimeOffset]?
        public var devices: [Device]?
        public var cgroupsPath: String?
        public var resources: Resources?
        public var rootfsPropagation: String?
        public var seccomp: Seccomp?
        public var sysctl: [String: String]?
        public var maskedPaths: [String]?
        public var readonlyPaths: [String]?
        public var mountLabel: String?
        public var personality: Personality?
        public var memoryPolicy: MemoryPolicy?
        /// Shares of the processors' caches and memory bandwidth (resctrl).
        public var intelRdt: IntelRDT?
        /// Interfaces of the host that the container gets, by name.
        public var netDevices: [String: NetDevice]?

        public init(
            namespaces: [Namespace]? = nil, devices: [Device]? = nil, cgroupsPath: String? = nil,
            resources: Resources? = nil, sysctl: [String: String]? = nil, maskedPaths: [String]? = nil,
            readonlyPaths: [String]? = nil
        ) {
            self.namespaces = namespaces
            self.devices = devices
            self.cgroupsPath = cgroupsPath
            self.resources = resources
            self.sysctl = sysctl
            self.maskedPaths = maskedPaths
            self.readonlyPaths = readonlyPaths
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("namespaces", &namespaces)
            try fields.optional("uidMappings", &uidMappings)
            try fields.optional("gidMappings", &gidMappings)
            try fields.optional("timeOffsets", &timeOffsets)
            try fields.optional("devices", &devices)
            try fields.optional("cgroupsPath", &cgroupsPath)
            try fields.optional("resources", &resources)
            try fields.optional("rootfsPropagation", &rootfsPropagation)
            try fields.optional("seccomp", &seccomp)
            try fields.optional("sysctl", &sysctl)
            try fields.optional("maskedPaths", &maskedPaths)
            try fields.optional("readonlyPaths", &readonlyPaths)
            try fields.optional("mountLabel", &mountLabel)
            try fields.optional("personality", &personality)
            try fields.optional("memoryPolicy", &memoryPolicy)
            try fields.optional("intelRdt", &intelRdt)
            try fields.optional("netDevices", &netDevices)
        }
    }
}

extension Spec.Linux {
    /// A namespace to make, or to join when there is a path.
    public struct Namespace: JSONObjectRepresentable, Hashable, Sendable {
        /// The specification's names of the kinds; `mount` is the kernel's `mnt`.
        public enum Kind: String, JSONRepresentable, CaseIterable, Hashable, Sendable {
            case pid, network, mount, ipc, uts, user, cgroup, time
        }

        public var type = Kind.pid
        public var path: String?

        public init(_ type: Kind, path: String? = nil) {
            self.type = type
            self.path = path
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("type", &type)
            try fields.optional("path", &path)
        }
    }

    /// A range of identifiers of a user namespace.
    public struct IDMapping: JSONObjectRepresentable, Hashable, Sendable {
        public var containerID: UInt32 = 0
        public var hostID: UInt32 = 0
        public var size: UInt32 = 0

        public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("containerID", &containerID)
            try fields.required("hostID", &hostID)
            try fields.required("size", &size)
        }
    }

    /// The offset of a clock in a time namespace.
    public struct TimeOffset: JSONObjectRepresentable, Hashable, Sendable {
        public var secs: Int64?
        public var nanosecs: UInt32?

        public init(secs: Int64? = nil, nanosecs: UInt32? = nil) {
            self.secs = secs
            self.nanosecs = nanosecs
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("secs", &secs)
            try fields.optional("nanosecs", &nanosecs)
        }
    }

    /// A device node to make besides the usual ones.
    public struct Device: JSONObjectRepresentable, Hashable, Sendable {
        /// `c` or `u` for a character device, `b` for a block device, `p` for a FIFO.
        public var type = ""
        public var path = ""
        public var major: Int64?
        public var minor: Int64?
        /// Permission bits; 0666 when missing.
        public var fileMode: UInt32?
        public var uid: UInt32?
        public var gid: UInt32?

        public init(
            type: String, path: String, major: Int64? = nil, minor: Int64? = nil, fileMode: UInt32? = nil,
            uid: UInt32? = nil, gid: UInt32? = nil
        ) {
            self.type = type
            self.path = path
            self.major = major
            self.minor = minor
            self.fileMode = fileMode
            self.uid = uid
            self.gid = gid
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("type", &type)
            try fields.required("path", &path)
            try fields.optional("major", &major)
            try fields.optional("minor", &minor)
            try fields.optional("fileMode", &fileMode)
            try fields.optional("uid", &uid)
            try fields.optional("gid", &gid)
        }
    }

    /// A group of the kernel's resctrl file system.
    public struct IntelRDT: JSONObjectRepresentable, Hashable, Sendable {
        public var closID: String?
        public var schemata: [String]?
        public var l3CacheSchema: String?
        public var memBwSchema: String?
        public var enableMonitoring: Bool?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("closID", &closID)
            try fields.optional("schemata", &schemata)
            try fields.optional("l3CacheSchema", &l3CacheSchema)
            try fields.optional("memBwSchema", &memBwSchema)
            try fields.optional("enableMonitoring", &enableMonitoring)
        }
    }

    /// An interface of the host that becomes the container's, with its addresses.
    public struct NetDevice: JSONObjectRepresentable, Hashable, Sendable {
        /// What it is called in the container; as on the host when missing.
        public var name: String?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("name", &name)
        }
    }

    /// The execution domain, `LINUX` or `LINUX32`.
    public struct Personality: JSONObjectRepresentable, Hashable, Sendable {
        public var domain = ""
        public var flags: [String]?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("domain", &domain)
            try fields.optional("flags", &flags)
        }
    }
}
