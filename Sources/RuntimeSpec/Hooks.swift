extension Spec {
    /// Programs that the runtime runs at points of the container's life.
    public struct Hooks: Codable, Hashable, Sendable {
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
    }

    public struct Hook: Codable, Hashable, Sendable {
        public var path: String
        public var args: [String]?
        public var env: [String]?
        /// In seconds.
        public var timeout: Int?
    }
}
