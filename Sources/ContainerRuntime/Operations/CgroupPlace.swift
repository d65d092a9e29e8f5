import Cgroups
import RuntimeSpec
import SystemPackage

/// The cgroup that a document asks for, or one of our own: without any, a container could not be paused, and its
/// processes not be told from others'.
struct CgroupPlace {
    /// Where it is; of a unit, where it is expected.
    let path: CgroupPath
    /// What systemd is asked for.
    let unit: SystemdUnit?

    init(_ spec: Spec, _ identifier: String, _ usesSystemd: Bool) throws {
        let text = spec.linux?.cgroupsPath ?? ""
        if usesSystemd {
            let unit = try SystemdUnit(text, container: identifier, isUser: SystemdHelper.isForUser)
            path = unit.expectedPath
            self.unit = unit
        } else {
            do throws(CgroupError) {
                path = try CgroupPath(text.isEmpty ? "swrun/\(identifier)" : text)
            } catch {
                throw SpecError(
                    "linux.cgroupsPath", "'\(text)' is no path of a cgroup below the root of all, without '..'")
            }
            unit = nil
        }
    }
}
