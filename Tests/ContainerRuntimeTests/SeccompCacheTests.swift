import ContainerRuntime
import Foundation
import Testing

struct SeccompCacheTests {
    private final class Place {
        let path = NSTemporaryDirectory() + "swboxtest-\(UUID().uuidString)"
        deinit { try? FileManager.default.removeItem(atPath: path) }

        var files: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? [] }

        func setMode(_ mode: Int, of file: String = "") throws {
            try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: "\(path)/\(file)")
        }
    }

    private func filter(_ names: [String] = ["read", "write"]) -> SeccompFilter {
        SeccompFilter(defaultAction: .errno(1), rules: [.init(names, .allow)])
    }

    /// Replaces the last instruction of the one program in the cache by another return value, so that one can see
    /// whether it came from there.
    private func mark(_ place: Place) throws -> String {
        let name = try #require(place.files.first)
        let file = URL(fileURLWithPath: "\(place.path)/\(name)")
        var bytes = try Data(contentsOf: file)
        bytes[bytes.count - 1] ^= 0xff
        try bytes.write(to: file)
        try place.setMode(0o600, of: name)
        return name
    }

    @Test func remembers() throws {
        let place = Place()
        let cache = SeccompCache(directory: place.path + "/inner")
        let program = try cache.program(for: filter())
        #expect(program == (try filter().compile()))
        #expect(try cache.program(for: filter()) == program)
        #expect(try cache.program(for: filter(["read"])) != program)
        #expect(try FileManager.default.contentsOfDirectory(atPath: place.path + "/inner").count == 2)
    }

    @Test func comesFromTheFile() throws {
        let place = Place()
        let cache = SeccompCache(directory: place.path)
        let program = try cache.program(for: filter())
        _ = try mark(place)
        #expect(try cache.program(for: filter()) != program)
    }

    @Test func believesOnlyWhatNobodyElseCanWrite() throws {
        let place = Place()
        let cache = SeccompCache(directory: place.path)
        let program = try cache.program(for: filter())
        let name = try mark(place)
        for mode in [0o620, 0o602, 0o666] {
            try place.setMode(mode, of: name)
            #expect(try cache.program(for: filter()) == program)
            // It was put right, and is marked again.
            _ = try mark(place)
        }
        for mode in [0o777, 0o770, 0o1777] {
            try place.setMode(mode)
            #expect(try cache.program(for: filter()) == program)
        }
        try place.setMode(0o700)
        #expect(try cache.program(for: filter()) != program)
        // A link to a file that would be believed.
        try FileManager.default.moveItem(atPath: "\(place.path)/\(name)", toPath: "\(place.path)/elsewhere")
        try FileManager.default.createSymbolicLink(
            atPath: "\(place.path)/\(name)", withDestinationPath: "\(place.path)/elsewhere")
        #expect(try cache.program(for: filter()) == program)
    }

    @Test func ignoresWhatIsBroken() throws {
        let place = Place()
        let cache = SeccompCache(directory: place.path)
        let program = try cache.program(for: filter())
        let name = try #require(place.files.first)
        let whole = try Data(contentsOf: URL(fileURLWithPath: "\(place.path)/\(name)"))
        for broken in [Data(), whole.prefix(7), whole.prefix(20), whole.dropLast(3), whole + Data(count: 40_000)] {
            try Data(broken).write(to: URL(fileURLWithPath: "\(place.path)/\(name)"))
            try place.setMode(0o600, of: name)
            #expect(try cache.program(for: filter()) == program)
        }
        // Another filter's program under this one's name.
        _ = try cache.program(for: filter(["read"]))
        let other = try #require(place.files.first { $0 != name })
        try FileManager.default.removeItem(atPath: "\(place.path)/\(name)")
        try FileManager.default.moveItem(atPath: "\(place.path)/\(other)", toPath: "\(place.path)/\(name)")
        #expect(try cache.program(for: filter()) == program)
    }

    @Test func worksWithoutAPlace() throws {
        #expect(try SeccompCache(directory: "/proc/nowhere").program(for: filter()) == filter().compile())
    }
}
