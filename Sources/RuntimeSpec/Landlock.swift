import JSONCoding

extension Spec {
    /// What the program may do to files, ports and other processes: `landlock(7)`.
    ///
    /// The specification has no field for it yet. This is the shape that was proposed for one
    /// (<https://github.com/opencontainers/runtime-spec/pull/1111> and 1241), as the text of an annotation:
    ///
    ///     {"ruleset": {"handledAccessFS": ["LANDLOCK_ACCESS_FS_WRITE_FILE"]},
    ///      "rules": {"pathBeneath": [{"allowedAccess": ["LANDLOCK_ACCESS_FS_WRITE_FILE"], "paths": ["/data"]}]},
    ///      "disableBestEffort": true}
    ///
    /// What is handled is denied but where a rule allows it. `ruleset` may have `handledAccessNet` and `scoped` too, and
    /// `rules` has `netPort` with `allowedAccess` and `ports`. Rights have the kernel's names; those that this kernel does
    /// not know are left out, or are an error with `disableBestEffort`.
    public struct Landlock: Hashable, Sendable {
        /// The annotation's name.
        public static let annotation = "org.swnet.landlock"

        /// `LANDLOCK_ACCESS_FS_*`, `LANDLOCK_ACCESS_NET_*` and `LANDLOCK_SCOPE_*`.
        public var handledFiles: UInt64
        public var handledPorts: UInt64
        public var scoped: UInt64
        public var paths: [PathRule]
        public var ports: [PortRule]
        /// Whether a kernel that knows less than this is an error.
        public var isRequired: Bool

        /// What is allowed of a file, or of everything below a directory.
        public struct PathRule: Hashable, Sendable {
            public var allowed: UInt64
            /// Absolute, inside the container.
            public var path: String
        }

        /// What is allowed of a port of TCP.
        public struct PortRule: Hashable, Sendable {
            public var allowed: UInt64
            public var port: UInt16
        }
    }
}

extension Spec.Landlock {
    /// The rights of each kind in the order of their bits, with the version of the kernel's interface that they came with
    /// (Documentation/userspace-api/landlock.rst).
    public static let fileRights: [(name: String, version: Int32)] =
        [
            "EXECUTE", "WRITE_FILE", "READ_FILE", "READ_DIR", "REMOVE_DIR", "REMOVE_FILE", "MAKE_CHAR", "MAKE_DIR",
            "MAKE_REG", "MAKE_SOCK", "MAKE_FIFO", "MAKE_BLOCK", "MAKE_SYM",
        ].map { ("LANDLOCK_ACCESS_FS_\($0)", 1) } + [
            ("LANDLOCK_ACCESS_FS_REFER", 2), ("LANDLOCK_ACCESS_FS_TRUNCATE", 3), ("LANDLOCK_ACCESS_FS_IOCTL_DEV", 5),
        ]
    public static let portRights: [(name: String, version: Int32)] = [
        ("LANDLOCK_ACCESS_NET_BIND_TCP", 4), ("LANDLOCK_ACCESS_NET_CONNECT_TCP", 4),
    ]
    public static let scopes: [(name: String, version: Int32)] = [
        ("LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET", 6), ("LANDLOCK_SCOPE_SIGNAL", 6),
    ]

    /// The newest of the kernel's versions that has something which can be asked for here.
    public static let newestVersion = (fileRights + portRights + scopes).map(\.version).max() ?? 0

    /// Reads the annotation's text; nil for a document without it.
    ///
    /// - Throws: `SpecError` that names the annotation and what is wrong in it.
    public init?(_ spec: Spec) throws(SpecError) {
        guard let text = spec.annotations?[Self.annotation] else { return nil }
        let name = "annotations[\(Self.annotation)]"
        let document: Document
        do throws(JSONCodingError) {
            document = try Document(json: JSONValue(parsing: Array(text.utf8)))
        } catch {
            throw SpecError(error.path.isEmpty ? name : "\(name).\(error.path)", error.reason)
        }
        let ruleset = document.ruleset
        handledFiles = try Self.bits(ruleset.handledAccessFS, Self.fileRights, "\(name).ruleset.handledAccessFS")
        handledPorts = try Self.bits(ruleset.handledAccessNet, Self.portRights, "\(name).ruleset.handledAccessNet")
        scoped = try Self.bits(ruleset.scoped, Self.scopes, "\(name).ruleset.scoped")
        isRequired = document.disableBestEffort ?? false
        guard handledFiles | handledPorts | scoped != 0 else {
            throw SpecError("\(name).ruleset", "handles nothing, so that nothing would be denied")
        }
        (paths, ports) = ([], [])
        for (index, rule) in (document.rules?.pathBeneath ?? []).enumerated() {
            let field = "\(name).rules.pathBeneath[\(index)]"
            let allowed = try Self.allowed(rule.allowedAccess, Self.fileRights, of: handledFiles, field)
            for (number, path) in rule.paths.enumerated() {
                try Spec.checkAbsolute("\(field).paths[\(number)]", path)
                paths.append(PathRule(allowed: allowed, path: path))
            }
        }
        for (index, rule) in (document.rules?.netPort ?? []).enumerated() {
            let field = "\(name).rules.netPort[\(index)]"
            let allowed = try Self.allowed(rule.allowedAccess, Self.portRights, of: handledPorts, field)
            ports += rule.ports.map { PortRule(allowed: allowed, port: $0) }
        }
    }

    private static func bits(
        _ names: [String]?, _ known: [(name: String, version: Int32)], _ field: String
    ) throws(SpecError) -> UInt64 {
        var bits: UInt64 = 0
        for (index, name) in (names ?? []).enumerated() {
            guard let bit = known.firstIndex(where: { $0.name == name }) else {
                throw SpecError("\(field)[\(index)]", "unknown right '\(name)'")
            }
            bits |= 1 << UInt64(bit)
        }
        return bits
    }

    private static func allowed(
        _ names: [String], _ known: [(name: String, version: Int32)], of handled: UInt64, _ field: String
    ) throws(SpecError) -> UInt64 {
        let allowed = try bits(names, known, "\(field).allowedAccess")
        guard allowed != 0 else { throw SpecError("\(field).allowedAccess", "is empty: what no rule allows is denied") }
        for (index, name) in names.enumerated() {
            let bit = known.firstIndex { $0.name == name } ?? 0
            guard handled & (1 << UInt64(bit)) != 0 else {
                throw SpecError("\(field).allowedAccess[\(index)]", "'\(name)' is not handled by the ruleset")
            }
        }
        return allowed
    }
}

/// The annotation's text. A member that is misspelt would be a restriction that is not there, so unknown ones are refused.
private struct Document: JSONObjectRepresentable {
    var ruleset = Ruleset()
    var rules: Rules?
    var disableBestEffort: Bool?

    mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
        try fields.refuseAll(but: "ruleset", "rules", "disableBestEffort")
        try fields.required("ruleset", &ruleset)
        try fields.optional("rules", &rules)
        try fields.optional("disableBestEffort", &disableBestEffort)
    }

    struct Ruleset: JSONObjectRepresentable {
        var handledAccessFS: [String]?
        var handledAccessNet: [String]?
        var scoped: [String]?

        mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.refuseAll(but: "handledAccessFS", "handledAccessNet", "scoped")
            try fields.optional("handledAccessFS", &handledAccessFS)
            try fields.optional("handledAccessNet", &handledAccessNet)
            try fields.optional("scoped", &scoped)
        }
    }

    struct Rules: JSONObjectRepresentable {
        var pathBeneath: [PathBeneath]?
        var netPort: [NetPort]?

        mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.refuseAll(but: "pathBeneath", "netPort")
            try fields.optional("pathBeneath", &pathBeneath)
            try fields.optional("netPort", &netPort)
        }
    }

    struct PathBeneath: JSONObjectRepresentable {
        var allowedAccess: [String] = []
        var paths: [String] = []

        mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.refuseAll(but: "allowedAccess", "paths")
            try fields.required("allowedAccess", &allowedAccess)
            try fields.required("paths", &paths)
        }
    }

    struct NetPort: JSONObjectRepresentable {
        var allowedAccess: [String] = []
        var ports: [UInt16] = []

        mutating func exchange(_ fields: inout JSONFields) throws(JSONCodingError) {
            try fields.refuseAll(but: "allowedAccess", "ports")
            try fields.required("allowedAccess", &allowedAccess)
            try fields.required("ports", &ports)
        }
    }
}
