public import JSONCoding

/// A container as the OCI runtime specification describes it: the content of a bundle's `config.json`.
///
/// The properties are the document's own, under its own names; what a document may leave out is optional here, so that
/// a value that is read and written again says the same. Version 1.0 to 1.3 of the specification,
/// <https://github.com/opencontainers/runtime-spec/blob/main/config.md>.
public struct Spec: JSONObjectRepresentable, Hashable, Sendable {
    /// The version of the specification the document follows.
    public var ociVersion = ""
    public var root: Root?
    public var mounts: [Mount]?
    /// What to run. A container without it can only be created, not started.
    public var process: Process?
    public var hostname: String?
    public var domainname: String?
    public var hooks: Hooks?
    public var annotations: [String: String]?
    public var linux: Linux?

    public init(
        ociVersion: String = "1.0.2", root: Root? = nil, mounts: [Mount]? = nil, process: Process? = nil,
        hostname: String? = nil, linux: Linux? = nil
    ) {
        self.ociVersion = ociVersion
        self.root = root
        self.mounts = mounts
        self.process = process
        self.hostname = hostname
        self.linux = linux
    }

    public init() {}

    public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
        try fields.required("ociVersion", &ociVersion)
        try fields.optional("root", &root)
        try fields.optional("mounts", &mounts)
        try fields.optional("process", &process)
        try fields.optional("hostname", &hostname)
        try fields.optional("domainname", &domainname)
        try fields.optional("hooks", &hooks)
        try fields.optional("annotations", &annotations)
        try fields.optional("linux", &linux)
    }
}

extension Spec {
    /// The directory that becomes the container's root.
    public struct Root: JSONObjectRepresentable, Hashable, Sendable {
        /// Absolute, or relative to the bundle.
        public var path = ""
        public var readonly: Bool?

        public init(path: String, readonly: Bool? = nil) {
            self.path = path
            self.readonly = readonly
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("path", &path)
            try fields.optional("readonly", &readonly)
        }
    }

    /// A file system to mount in the container, in the order of the list.
    public struct Mount: JSONObjectRepresentable, Hashable, Sendable {
        /// Where, as an absolute path inside the container.
        public var destination = ""
        /// The file system; `bind` or nothing together with an option `bind` or `rbind` for a bind mount.
        public var type: String?
        /// A path on the host for a bind mount, relative to the bundle unless absolute; else the file system's source.
        public var source: String?
        /// Options as `mount(8)` writes them.
        public var options: [String]?
        public var uidMappings: [Linux.IDMapping]?
        public var gidMappings: [Linux.IDMapping]?

        public init(destination: String, type: String? = nil, source: String? = nil, options: [String]? = nil) {
            self.destination = destination
            self.type = type
            self.source = source
            self.options = options
        }

        public init() {}

        public mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.required("destination", &destination)
            try fields.optional("type", &type)
            try fields.optional("source", &source)
            try fields.optional("options", &options)
            try fields.optional("uidMappings", &uidMappings)
            try fields.optional("gidMappings", &gidMappings)
        }
    }
}
