public import JSONCoding

extension Spec {
    /// How the kernel schedules the process, in the terms of `sched_setattr(2)`.
    public struct Scheduler: JSONObjectRepresentable, Hashable, Sendable {
        /// `SCHED_OTHER`, `SCHED_BATCH`, `SCHED_IDLE`, `SCHED_FIFO`, `SCHED_RR`, `SCHED_DEADLINE` or `SCHED_ISO`.
        public var policy = ""
        /// -20 to 19.
        public var nice: Int32?
        /// For `SCHED_FIFO` and `SCHED_RR`.
        public var priority: Int32?
        /// `SCHED_FLAG_RESET_ON_FORK` and its like.
        public var flags: [String]?
        /// Nanoseconds, for `SCHED_DEADLINE`.
        public var runtime: UInt64?
        public var deadline: UInt64?
        public var period: UInt64?

        public init(policy: String, nice: Int32? = nil, priority: Int32? = nil) {
            self.policy = policy
            self.nice = nice
            self.priority = priority
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("policy", &policy)
            try fields.optional("nice", &nice)
            try fields.optional("priority", &priority)
            try fields.optional("flags", &flags)
            try fields.optional("runtime", &runtime)
            try fields.optional("deadline", &deadline)
            try fields.optional("period", &period)
        }
    }

    /// Which of several processes a disk serves first, in the terms of `ioprio_set(2)`.
    public struct IOPriority: JSONObjectRepresentable, Hashable, Sendable {
        /// `IOPRIO_CLASS_RT`, `IOPRIO_CLASS_BE` or `IOPRIO_CLASS_IDLE`.
        public var `class` = ""
        /// 0, the first, to 7.
        public var priority: Int?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("class", &`class`)
            try fields.optional("priority", &priority)
        }
    }

    /// The processors of a further process: lists such as `0-2,7`.
    public struct ExecCPUAffinity: JSONObjectRepresentable, Hashable, Sendable {
        /// Before it is in the container's cgroup.
        public var initial: String?
        /// From then on.
        public var final: String?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("initial", &initial)
            try fields.optional("final", &final)
        }
    }
}

extension Spec.Linux {
    /// Where the memory of the container's processes comes from, in the terms of `set_mempolicy(2)`.
    public struct MemoryPolicy: JSONObjectRepresentable, Hashable, Sendable {
        /// `MPOL_BIND` and its like.
        public var mode = ""
        /// Memory nodes as a list such as `0-1`.
        public var nodes: String?
        public var flags: [String]?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            do throws(JSONCodingError) {
                try fields.required("mode", &mode)
            } catch {
                // runc's words, for whoever searches for them.
                throw JSONCodingError(error.path, "\(error.reason) (invalid memory policy mode)")
            }
            try fields.optional("nodes", &nodes)
            try fields.optional("flags", &flags)
        }
    }
}
