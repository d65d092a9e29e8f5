import LinuxSystem
import SystemPackage

/// Where a cgroup is, below the root of its hierarchy: `swbox/4f2a`.
///
/// It names the same place in every hierarchy, so it never leaves one: no `..`, no empty component.
public struct CgroupPath: Hashable, Sendable, CustomStringConvertible {
    public let components: [String]

    /// Reads a path; a leading `/`, as in an OCI `cgroupsPath`, means the root of the hierarchy all the same.
    ///
    /// - Throws: `CgroupError` with EINVAL for an empty path, `.` and `..`, line breaks and names over 255 bytes.
    public init(_ text: String) throws(CgroupError) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
        let valid = parts.allSatisfy { part in
            part != "." && part != ".." && part.utf8.count <= 255 && !part.utf8.contains { $0 < 32 || $0 == 127 }
        }
        guard valid, !parts.isEmpty else {
            throw CgroupError(
                "read path", "'\(text)'", errno: .invalidArgument, hint: "a path like swbox/NAME without '..'")
        }
        components = parts
    }

    /// Of components that were looked at before.
    init(_ components: [String]) { self.components = components }

    public var description: String {
        // `joined` puts types together at run time, at every start.
        components.dropFirst().reduce(into: components.first ?? "") { $0 += "/" + $1 }
    }
}
