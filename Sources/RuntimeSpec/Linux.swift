extension Spec {
    /// What only Linux has.
    public struct Linux: Codable, Hashable, Sendable {
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
    }
}

extension Spec.Linux {
    /// A namespace to make, or to join when there is a path.
    public struct Namespace: Codable, Hashable, Sendable {
        /// The specification's names of the kinds; `mount` is the kernel's `mnt`.
        public enum Kind: String, Codable, CaseIterable, Hashable, Sendable {
            case pid, network, mount, ipc, uts, user, cgroup, time
        }

        public var type: Kind
        public var path: String?

        public init(_ type: Kind, path: String? = nil) {
            self.type = type
            self.path = path
        }
    }

    /// A range of identifiers of a user namespace.
    public struct IDMapping: Codable, Hashable, Sendable {
        public var containerID: UInt32
        public var hostID: UInt32
        public var size: UInt32

        public init(containerID: UInt32, hostID: UInt32, size: UInt32) {
            self.containerID = containerID
            self.hostID = hostID
            self.size = size
        }
    }

    /// The offset of a clock in a time namespace.
    public struct TimeOffset: Codable, Hashable, Sendable {
        public var secs: Int64?
        public var nanosecs: UInt32?

        public init(secs: Int64? = nil, nanosecs: UInt32? = nil) {
            self.secs = secs
            self.nanosecs = nanosecs
        }
    }

    /// A device node to make besides the usual ones.
    public struct Device: Codable, Hashable, Sendable {
        /// `c` or `u` for a character device, `b` for a block device, `p` for a FIFO.
        public var type: String
        public var path: String
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
    }

    /// A group of the kernel's resctrl file system.
    public struct IntelRDT: Codable, Hashable, Sendable {
        public var closID: String?
        public var schemata: [String]?
        public var l3CacheSchema: String?
        public var memBwSchema: String?
        public var enableMonitoring: Bool?
    }

    /// An interface of the host that becomes the container's, with its addresses.
    public struct NetDevice: Codable, Hashable, Sendable {
        /// What it is called in the container; as on the host when missing.
        public var name: String?
    }

    /// The execution domain, `LINUX` or `LINUX32`.
    public struct Personality: Codable, Hashable, Sendable {
        public var domain: String
        public var flags: [String]?
    }
}
