public import JSONCoding

extension Spec.Linux {
    /// A filter for system calls, `seccomp(2)`.
    public struct Seccomp: JSONObjectRepresentable, Hashable, Sendable {
        /// What happens to a call that no rule names, for example `SCMP_ACT_ERRNO`.
        public var defaultAction = ""
        public var defaultErrnoRet: UInt32?
        /// Names such as `SCMP_ARCH_X86_64`; the machine's own when missing.
        public var architectures: [String]?
        public var flags: [String]?
        public var listenerPath: String?
        public var listenerMetadata: String?
        public var syscalls: [Rule]?

        public init(
            defaultAction: String, defaultErrnoRet: UInt32? = nil, architectures: [String]? = nil,
            flags: [String]? = nil, syscalls: [Rule]? = nil
        ) {
            self.defaultAction = defaultAction
            self.defaultErrnoRet = defaultErrnoRet
            self.architectures = architectures
            self.flags = flags
            self.syscalls = syscalls
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("defaultAction", &defaultAction)
            try fields.optional("defaultErrnoRet", &defaultErrnoRet)
            try fields.optional("architectures", &architectures)
            try fields.optional("flags", &flags)
            try fields.optional("listenerPath", &listenerPath)
            try fields.optional("listenerMetadata", &listenerMetadata)
            try fields.optional("syscalls", &syscalls)
        }
    }
}

extension Spec.Linux.Seccomp {
    /// What happens to some calls, perhaps only with some arguments.
    public struct Rule: JSONObjectRepresentable, Hashable, Sendable {
        public var names: [String] = []
        public var action = ""
        public var errnoRet: UInt32?
        /// All must hold.
        public var args: [Argument]?

        public init(names: [String], action: String, errnoRet: UInt32? = nil, args: [Argument]? = nil) {
            self.names = names
            self.action = action
            self.errnoRet = errnoRet
            self.args = args
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("names", &names)
            try fields.required("action", &action)
            try fields.optional("errnoRet", &errnoRet)
            try fields.optional("args", &args)
        }
    }

    /// A condition on one argument of a call.
    public struct Argument: JSONObjectRepresentable, Hashable, Sendable {
        /// 0 to 5.
        public var index: UInt32 = 0
        public var value: UInt64 = 0
        /// The second operand of `SCMP_CMP_MASKED_EQ`.
        public var valueTwo: UInt64?
        /// For example `SCMP_CMP_EQ`.
        public var op = ""

        public init(index: UInt32, value: UInt64, valueTwo: UInt64? = nil, op: String) {
            self.index = index
            self.value = value
            self.valueTwo = valueTwo
            self.op = op
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("index", &index)
            try fields.required("value", &value)
            try fields.optional("valueTwo", &valueTwo)
            try fields.required("op", &op)
        }
    }
}
