import Foundation

@testable import Cgroups

/// A directory that plays the cgroup file systems: files that the kernel would make are made beforehand, empty, and
/// what is written into them can be read back.
final class FakeHierarchy {
    let directory: String
    let path: CgroupPath

    init() throws {
        directory = NSTemporaryDirectory() + "swboxtest-\(UUID().uuidString)"
        path = try CgroupPath("swbox/web")
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// A v1 hierarchy in which the cgroup and its files exist.
    func hierarchy(_ name: String, controllers: [String], files: [String: String]) throws -> CgroupHierarchy {
        try fill("\(name)/\(path)", files.merging(["cgroup.procs": "", "tasks": ""]) { own, _ in own })
        return CgroupHierarchy(mountPoint: "\(directory)/\(name)", controllers: controllers)
    }

    func fill(_ place: String, _ files: [String: String]) throws {
        try FileManager.default.createDirectory(atPath: "\(directory)/\(place)", withIntermediateDirectories: true)
        for (file, text) in files {
            try text.write(toFile: "\(directory)/\(place)/\(file)", atomically: false, encoding: .utf8)
        }
    }

    func text(_ file: String) -> String? { try? String(contentsOfFile: "\(directory)/\(file)", encoding: .utf8) }
}
