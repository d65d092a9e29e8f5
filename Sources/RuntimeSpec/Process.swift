public import JSONCoding

extension Spec {
    /// The program to run and the limits it runs under.
    public struct Process: JSONObjectRepresentable, Hashable, Sendable {
        public var terminal: Bool?
        public var consoleSize: ConsoleSize?
        /// The working directory, an absolute path inside the container.
        public var cwd = ""
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

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("terminal", &terminal)
            try fields.optional("consoleSize", &consoleSize)
            try fields.required("cwd", &cwd)
            try fields.optional("env", &env)
            try fields.optional("args", &args)
            try fields.optional("user", &user)
            try fields.optional("rlimits", &rlimits)
            try fields.optional("capabilities", &capabilities)
            try fields.optional("noNewPrivileges", &noNewPrivileges)
            try fields.optional("oomScoreAdj", &oomScoreAdj)
            try fields.optional("apparmorProfile", &apparmorProfile)
            try fields.optional("selinuxLabel", &selinuxLabel)
            try fields.optional("scheduler", &scheduler)
            try fields.optional("ioPriority", &ioPriority)
            try fields.optional("execCPUAffinity", &execCPUAffinity)
        }
    }

    /// The size of a terminal in characters.
    public struct ConsoleSize: JSONObjectRepresentable, Hashable, Sendable {
        public var height: UInt64 = 0
        public var width: UInt64 = 0

        public init(height: UInt64, width: UInt64) {
            self.height = height
            self.width = width
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("height", &height)
            try fields.required("width", &width)
        }
    }

    /// Who runs the program, as numbers: names are the business of whoever writes the document.
    public struct User: JSONObjectRepresentable, Hashable, Sendable {
        public var uid: UInt32 = 0
        public var gid: UInt32 = 0
        public var umask: UInt32?
        public var additionalGids: [UInt32]?

        public init(uid: UInt32 = 0, gid: UInt32 = 0, umask: UInt32? = nil, additionalGids: [UInt32]? = nil) {
            self.uid = uid
            self.gid = gid
            self.umask = umask
            self.additionalGids = additionalGids
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            // The specification requires both numbers, and its peers do without them, as documents of `exec` do.
            try fields.defaulted("uid", &uid)
            try fields.defaulted("gid", &gid)
            try fields.optional("umask", &umask)
            try fields.optional("additionalGids", &additionalGids)
        }
    }

    /// A resource limit of `setrlimit(2)`.
    public struct Rlimit: JSONObjectRepresentable, Hashable, Sendable {
        /// The constant's name, for example `RLIMIT_NOFILE`.
        public var type = ""
        public var soft: UInt64 = 0
        public var hard: UInt64 = 0

        public init(type: String, soft: UInt64, hard: UInt64) {
            self.type = type
            self.soft = soft
            self.hard = hard
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("type", &type)
            try fields.required("soft", &soft)
            try fields.required("hard", &hard)
        }
    }

    /// The five sets of `capabilities(7)`, as names such as `CAP_NET_RAW`. A missing set is empty.
    public struct Capabilities: JSONObjectRepresentable, Hashable, Sendable {
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

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("bounding", &bounding)
            try fields.optional("effective", &effective)
            try fields.optional("inheritable", &inheritable)
            try fields.optional("permitted", &permitted)
            try fields.optional("ambient", &ambient)
        }
    }
}
