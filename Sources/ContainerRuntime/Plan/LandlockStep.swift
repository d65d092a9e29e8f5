import CLinux
import LinuxSystem
import RuntimeSpec

/// A document's Landlock rules, as far as this kernel knows them.
struct LandlockStep: Hashable, Sendable {
    var files: UInt64
    var ports: UInt64
    var scopes: UInt64
    var pathRules: [Spec.Landlock.PathRule]
    var portRules: [Spec.Landlock.PortRule]

    /// Nil for a document without rules, and for one that does without what this kernel lacks, which is all of it.
    ///
    /// - Parameter version: Of the kernel's Landlock; less than 1 for none.
    /// - Parameter warn: Told what is left out.
    /// - Throws: `SpecError` that names the annotation: malformed, or more than this kernel can with `disableBestEffort`.
    init?(
        _ spec: Spec, version: () -> Int32 = swn_landlock_version, warn: (String) -> Void
    ) throws(SpecError) {
        guard let landlock = try Spec.Landlock(spec) else { return nil }
        let version = max(0, version())
        let name = "annotations[\(Spec.Landlock.annotation)]"
        var missing: [String] = []
        func known(_ bits: UInt64, _ rights: [(name: String, version: Int32)]) -> UInt64 {
            var known = bits
            for (bit, right) in rights.enumerated() where bits & (1 << UInt64(bit)) != 0 && right.version > version {
                known &= ~(1 << UInt64(bit))
                missing.append(right.name)
            }
            return known
        }
        files = known(landlock.handledFiles, Spec.Landlock.fileRights)
        ports = known(landlock.handledPorts, Spec.Landlock.portRights)
        scopes = known(landlock.scoped, Spec.Landlock.scopes)
        (pathRules, portRules) = (landlock.paths, landlock.ports)
        for index in pathRules.indices { pathRules[index].allowed &= files }
        for index in portRules.indices { portRules[index].allowed &= ports }
        pathRules.removeAll { $0.allowed == 0 }
        portRules.removeAll { $0.allowed == 0 }
        if missing.isEmpty { return }
        let kernel = version == 0 ? "no Landlock" : "version \(version) of Landlock"
        let text = "this kernel has \(kernel), which lacks \(missing.joined(separator: ", "))"
        if landlock.isRequired { throw SpecError(name, "\(text) (disableBestEffort)") }
        warn("\(name): \(text): left out")
        if files | ports | scopes == 0 { return nil }
    }

    /// What can be allowed of a file that is no directory.
    static let ofFiles: UInt64 = {
        let names = ["EXECUTE", "WRITE_FILE", "READ_FILE", "TRUNCATE", "IOCTL_DEV"].map { "LANDLOCK_ACCESS_FS_\($0)" }
        return Spec.Landlock.fileRights.enumerated().reduce(0) { bits, right in
            names.contains(right.element.name) ? bits | 1 << UInt64(right.offset) : bits
        }
    }()
}
