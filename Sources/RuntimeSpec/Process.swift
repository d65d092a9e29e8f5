extension Spec {
    /// The program to run and the limits it runs under.
    public struct Process: Codable, Hashable, Sendable {
        public var terminal: Bool?
        public var consoleSize: ConsoleSize?
        /// The working directory, an absolute path inside the container.
        public var cwd: String
        public var env: [String]?
        public var args: [String]?
        public var user: User?
        public var rlimits: [Rlimit]?
        public var capabilities: Capabilities?
        public var noNewPrivileges: Bool?
        public var oomScoreAdj: Int?
        public var apparmorProfile: String?
        public var selinuxLabel: String?
        public var scheduler: Scheduler?
        public var ioPriority: IOPriority?
        public var execCPUAffinity: ExecCPUAffinity?

        public init(
            args: [String], env: [String]? = nil, cwd: String = "/", user: User? = nil, terminal: Bool? = nil
        ) {
            self.args = args
            self.env = env
            self.cwd = cwd
            self.user = user
            self.terminal = terminal
        }
    }

    /// The size of a terminal in characters.
    public struct ConsoleSize: Codable, Hashable, Sendable {
        public var height: UInt16
        public var width: UInt16

        public init(height: UInt16, width: UInt16) {
            self.height = height
            self.width = width
        }
    }

    /// Who runs the program, as numbers: names are the business of whoever writes the document.
    public struct User: Codable, Hashable, Sendable {
        public var uid: UInt32
        public var gid: UInt32
        public var umask: UInt32?
        public var additionalGids: [UInt32]?

        /// The specification requires both numbers, and its peers do without them, as documents of `exec` do.
        public init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            uid = try fields.decodeIfPresent(UInt32.self, forKey: .uid) ?? 0
            gid = try fields.decodeIfPresent(UInt32.self, forKey: .gid) ?? 0
            umask = try fields.decodeIfPresent(UInt32.self, forKey: .umask)
            additionalGids = try fields.decodeIfPresent([UInt32].self, forKey: .additionalGids)
        }

        public init(uid: UInt32 = 0, gid: UInt32 = 0, umask: UInt32? = nil, additionalGids: [UInt32]? = nil) {
            self.uid = uid
            self.gid = gid
            self.umask = umask
            self.additionalGids = additionalGids
        }
    }

    /// A resource limit of `setrlimit(2)`.
    public struct Rlimit: Codable, Hashable, Sendable {
        /// The constant's name, for example `RLIMIT_NOFILE`.
        public var type: String
        public var soft: UInt64
        public var hard: UInt64

        public init(type: String, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }
    }

    /// The five sets of `capabilities(7)`, as names such as `CAP_NET_RAW`. A missing set is empty.
    public struct Capabilities: Codable, Hashable, Sendable {
        public var bounding: [String]?
        public var effective: [String]?
        public var inheritable: [String]?
        public var permitted: [String]?
        public var ambient: [String]?

        public init(
            bounding: [String]? = nil, effective: [String]? = nil, inheritable: [String]? = nil,
            permitted: [String]? = nil, ambient: [String]? = nil
        ) {
            self.bounding = bounding
            self.effective = effective
            self.inheritable = inheritable
            self.permitted = permitted
            self.ambient = ambient
        }
    }
}
