import Foundation

/// Where the programs under test and what they need are found.
public enum Products {
    /// The folder of the built programs: the one of the running test bundle, or `SWNET_PRODUCTS`.
    public static let folder: String = {
        if let chosen = ProcessInfo.processInfo.environment["SWNET_PRODUCTS"] { return chosen }
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/"
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    }()

    /// The root of the package, for its scripts.
    public static let package: String = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

    /// Whether all of some other people's programs are installed, for tests that need them.
    public static func has(_ programs: String...) -> Bool {
        let folders = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"]
        return programs.allSatisfy { program in
            folders.contains { FileManager.default.isExecutableFile(atPath: "\($0)/\(program)") }
        }
    }

    public static func path(_ program: String) -> String { "\(folder)/\(program)" }
}

/// The images that `tools/make-test-images` makes, once for each build folder.
public actor TestImages {
    public static let shared = TestImages()
    private var making: Task<String, any Error>?

    /// The folder with `tools.tar`, `docker.tar`, `oci.tar` and `redis.tar`.
    public var folder: String {
        get async throws {
            if making == nil { making = Task { try await Self.make() } }
            guard let making else { throw CommandError("no images") }
            return try await making.value
        }
    }

    private static func make() async throws -> String {
        let folder = Products.path("test-images")
        let script = "\(Products.package)/tools/make-test-images"
        let made = modified("\(folder)/redis.tar")
        let sources = [script, "\(Products.package)/tools/make-redis-image", "\(Products.package)/tools/lib.sh"]
        if let made, sources.allSatisfy({ (modified($0) ?? .distantFuture) < made }) { return folder }
        let result = try await Command.run([script, folder])
        guard result.status == 0 else { throw CommandError("\(result)") }
        return folder
    }

    private static func modified(_ path: String) -> Date? {
        (try? FileManager.default.attributesOfItem(atPath: path))?[.modificationDate] as? Date
    }
}
