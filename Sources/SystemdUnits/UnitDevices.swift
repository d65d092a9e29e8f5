import RuntimeSpec

/// What the kernel calls its drivers (proc(5), `/proc/devices`).
public protocol DeviceNames {
    /// For example `pts` for a character device with the major number 136.
    func name(isBlock: Bool, major: Int64) -> String?
}

/// Rules about devices as systemd has them: a list of what is allowed, and nothing else.
///
/// The runtime writes the exact rules to the cgroup itself. systemd has to know them all the same, at least as wide:
/// it writes its own when it reads its files again, and the kernel asks its program besides the runtime's on cgroup v2.
struct UnitDevices {
    private(set) var properties: [UnitProperty]

    private struct Entry: Hashable {
        var path: String
        var access: String
    }

    /// Of every node one may be made, and the devices that the specification promises may be used.
    private static let always: [(kind: String, major: Int64?, minor: Int64?, access: String)] =
        [("c", nil, nil, "m"), ("b", nil, nil, "m"), ("c", 136, nil, "rwm")]
        + [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2)].map { ("c", $0, $1, "rwm") }

    init(_ rules: [Spec.Linux.Resources.DeviceRule], names: some DeviceNames) {
        var allowsAll = true
        var entries: [Entry] = []
        for rule in rules {
            let major = rule.major.flatMap { $0 < 0 ? nil : $0 }
            let minor = rule.minor.flatMap { $0 < 0 ? nil : $0 }
            let access = rule.access ?? "rwm"
            let kind = rule.type.flatMap { $0.isEmpty ? nil : $0 } ?? "a"
            if kind == "a", major == nil, minor == nil {
                allowsAll = rule.allow
                entries = []
            } else if rule.allow, !allowsAll {
                for kind in kind == "a" ? ["b", "c"] : [kind] {
                    guard let path = Self.path(kind, major, minor, names) else { continue }
                    entries.append(Entry(path: path, access: access))
                }
            }
            // What is denied besides is denied by the cgroup's own rules.
        }
        let policy = UnitProperty("DevicePolicy", .string(allowsAll ? "auto" : "strict"))
        // An empty list takes back what the unit had.
        properties = [policy, UnitProperty("DeviceAllow", .array(signature: "(ss)", []))]
        if allowsAll { return }
        for (kind, major, minor, access) in Self.always {
            if let path = Self.path(kind, major, minor, names) { entries.append(Entry(path: path, access: access)) }
        }
        let list = entries.map { UnitValue.tuple([.string($0.path), .string($0.access)]) }
        properties.append(UnitProperty("DeviceAllow", .array(signature: "(ss)", list)))
    }

    /// As in DeviceAllow= of systemd.resource-control(5); nil for what cannot be said so.
    private static func path(_ kind: String, _ major: Int64?, _ minor: Int64?, _ names: some DeviceNames) -> String? {
        let isBlock = kind == "b"
        let word = isBlock ? "block" : "char"
        switch (major, minor) {
        case (let major?, let minor?): return "/dev/\(word)/\(major):\(minor)"
        case (let major?, nil): return names.name(isBlock: isBlock, major: major).map { "\(word)-\($0)" }
        case (nil, nil): return "\(word)-*"
        case (nil, _): return nil
        }
    }
}
