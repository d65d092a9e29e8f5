/// What `-v` asks for: `SOURCE:DESTINATION[:OPTIONS]`, or `DESTINATION` alone for an anonymous volume.
public struct VolumeOption: Hashable, Sendable {
    public enum Source: Hashable, Sendable {
        /// An absolute path of the host.
        case path(String)
        /// A volume of the store.
        case volume(String)
        /// A new volume that goes with its container.
        case anonymous
    }

    public var source: Source
    /// An absolute path in the container, without `.`, `..` or a slash at its end.
    public var destination: String
    public var isReadOnly: Bool
    /// Whether a new volume begins with what the image has at its place.
    public var copiesImage = true

    public init(source: Source, destination: String, isReadOnly: Bool = false) {
        self.source = source
        self.destination = destination
        self.isReadOnly = isReadOnly
    }

    /// - Parameter directory: What a source that begins with `./` or `../` is relative to.
    /// - Throws: `EngineError` that names the whole value and the piece that is wrong.
    public init(parsing text: String, relativeTo directory: String) throws(EngineError) {
        let refuse = { (what: String) in EngineError(.invalid, "volume '\(text)': \(what)") }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count <= 3 else { throw refuse("there is too much (SOURCE:DESTINATION[:ro])") }
        let target = parts.count == 1 ? parts[0] : parts[1]
        guard target.hasPrefix("/") else { throw refuse("destination '\(target)' is not an absolute path") }
        destination = normalizedPath(target)
        guard destination != "/" else { throw refuse("the destination cannot be '/'") }
        guard !Self.isInProc(destination) else { throw refuse("nothing can be mounted over /proc") }
        isReadOnly = false
        for option in parts.count == 3 ? parts[2].split(separator: ",", omittingEmptySubsequences: false) : [] {
            switch option {
            case "ro": isReadOnly = true
            // SELinux labels are accepted for the sake of scripts; where SELinux is off they mean nothing.
            case "rw", "z", "Z": break
            case "nocopy": copiesImage = false
            default: throw refuse("option '\(option)' is not known (ro, rw or nocopy)")
            }
        }
        if parts.count == 1 {
            source = .anonymous
        } else if parts[0].hasPrefix("/") {
            source = .path(normalizedPath(parts[0]))
        } else if parts[0] == "." || parts[0] == ".." || parts[0].hasPrefix("./") || parts[0].hasPrefix("../") {
            source = .path(normalizedPath("\(directory)/\(parts[0])"))
        } else {
            guard ContainerName.isValid(parts[0]) else {
                throw refuse("'\(parts[0])' is neither an absolute path nor a volume's name (letters, digits, _ . -)")
            }
            source = .volume(parts[0])
        }
    }
}

extension VolumeOption {
    /// Whether a place is that of the kernel's own files, which say who is who: a directory in their stead could lie
    /// (CVE-2019-16884).
    ///
    /// The files that people replace by those of lxcfs are not in the way (runc allows the same).
    static func isInProc(_ path: String) -> Bool {
        if path == "/proc" { return true }
        guard path.hasPrefix("/proc/") else { return false }
        return ![
            "cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo", "net/dev",
            "sys/kernel/ns_last_pid", "sys/crypto/fips_enabled",
        ].contains(path.dropFirst("/proc/".count))
    }
}

/// An absolute path without `.`, `..`, double slashes and a slash at its end; `..` of the root is the root.
func normalizedPath(_ path: String) -> String {
    var components: [Substring] = []
    for component in path.split(separator: "/") {
        switch component {
        case ".": break
        case "..": components = components.dropLast()
        default: components.append(component)
        }
    }
    return "/" + components.joined(separator: "/")
}
