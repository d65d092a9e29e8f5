import Cgroups

/// A `cgroupsPath` for systemd, `slice:prefix:name`, as the path that systemd gives such a scope.
struct SystemdPath {
    let path: CgroupPath

    /// - Throws: `ContainerError` for a slice that is none; `CgroupError`.
    init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, !parts[2].isEmpty else {
            throw ContainerError(.invalid, "linux.cgroupsPath: '\(text)' is not slice:prefix:name")
        }
        let slice = parts[0].isEmpty ? "system.slice" : parts[0]
        guard slice.hasSuffix(".slice"), !slice.contains("/") else {
            throw ContainerError(.invalid, "linux.cgroupsPath: '\(slice)' is not the name of a slice")
        }
        // A dash in a slice's name is a level: a-b.slice lies in a.slice (systemd.slice(5)).
        var folders: [String] = []
        var prefix = ""
        for component in slice.dropLast(".slice".count).split(separator: "-") {
            prefix += (prefix.isEmpty ? "" : "-") + component
            folders.append("\(prefix).slice")
        }
        let name =
            parts[2].hasSuffix(".slice") ? parts[2] : (parts[1].isEmpty ? "" : "\(parts[1])-") + "\(parts[2]).scope"
        path = try CgroupPath((folders + [name]).joined(separator: "/"))
    }
}
