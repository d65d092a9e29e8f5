public import JSONCoding

extension Spec {
    /// Programs that the runtime runs at points of the container's life.
    public struct Hooks: JSONObjectRepresentable, Hashable, Sendable {
        public var prestart: [Hook]?
        public var createRuntime: [Hook]?
        public var createContainer: [Hook]?
        public var startContainer: [Hook]?
        public var poststart: [Hook]?
        public var poststop: [Hook]?

        /// Whether there is nothing to run.
        public var isEmpty: Bool {
            [prestart, createRuntime, createContainer, startContainer, poststart, poststop]
                .allSatisfy { $0?.isEmpty ?? true }
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.optional("prestart", &prestart)
            try fields.optional("createRuntime", &createRuntime)
            try fields.optional("createContainer", &createContainer)
            try fields.optional("startContainer", &startContainer)
            try fields.optional("poststart", &poststart)
            try fields.optional("poststop", &poststop)
        }
    }

    public struct Hook: JSONObjectRepresentable, Hashable, Sendable {
        public var path = ""
        public var args: [String]?
        public var env: [String]?
        /// In seconds.
        public var timeout: Int?

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("path", &path)
            try fields.optional("args", &args)
            try fields.optional("env", &env)
            try fields.optional("timeout", &timeout)
        }
    }
}
