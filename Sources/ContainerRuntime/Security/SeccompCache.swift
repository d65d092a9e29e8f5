import CLinux
import CSeccomp
import LinuxSystem
import SystemPackage

/// Compiled filters on disk, because compiling takes milliseconds and nearly every container has the same filter.
///
/// A program lies under the hash of everything that it depends on, together with all of that, so that neither a
/// collision nor a new libseccomp or kernel can bring back the wrong one. What is in the directory decides what
/// containers may do: only files that nobody but this user can have written are believed.
public struct SeccompCache: Hashable, Sendable {
    /// For example `/run/swbox/seccomp`; made when something is first kept.
    public let directory: String

    public init(directory: String) { self.directory = directory }

    /// The program of a filter, from the cache or else compiled and put there.
    ///
    /// A cache that cannot be read or written is not an error: the filter is then compiled each time.
    ///
    /// - Throws: `SeccompError` as `compile()`.
    public func program(for filter: SeccompFilter) throws(SeccompError) -> SeccompProgram {
        let key = Self.environment + filter.content
        let name = Self.name(of: key)
        if let instructions = read(name, key) {
            return SeccompProgram(instructions: instructions, flags: filter.flags)
        }
        let program = try filter.compile()
        keep(program.instructions, name, key)
        return program
    }

    /// The layout's version, libseccomp's, the machine's architecture and its kernel, on which libseccomp depends.
    private static let environment: [UInt8] = {
        var text = "swbox seccomp 2 \(SeccompDefaultProfile.KernelVersion.release()) \(seccomp_arch_native()) "
        if let version = unsafe seccomp_version() {
            unsafe text += "\(version.pointee.major).\(version.pointee.minor).\(version.pointee.micro)"
        }
        return Array("\(text)\n".utf8)
    }()

    /// 64-bit FNV-1a, which is fast and good enough for a name: the whole key is compared as well.
    private static func name(of key: [UInt8]) -> String {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in key { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }

    /// The file: the key's length in eight bytes, the key, the instructions.
    private func read(_ name: String, _ key: [UInt8]) -> [UInt8]? {
        guard let place = try? Descriptor.open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW),
            Self.isOurs(place, S_IFDIR),
            let file = try? Descriptor.open(name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK, relativeTo: place.rawValue),
            Self.isOurs(file, S_IFREG), let bytes = try? file.readAll(limit: 1 << 20)
        else { return nil }
        let header = Self.header(key)
        let start = header.count + key.count
        guard bytes.count > start, bytes[..<header.count] == header[...], bytes[header.count..<start] == key[...],
            SeccompProgram.isPlausible(length: bytes.count - start)
        else { return nil }
        return Array(bytes[start...])
    }

    private func keep(_ instructions: [UInt8], _ name: String, _ key: [UInt8]) {
        guard let place = try? openMakingDirectories(directory, mode: 0o700), Self.isOurs(place, S_IFDIR) else {
            return
        }
        try? place.replaceFile(name, with: Self.header(key) + key + instructions, mode: 0o600)
    }

    private static func header(_ key: [UInt8]) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: UInt64(key.count) >> (8 * UInt64($0))) }
    }

    /// Whether a file is of the right kind, belongs to this user, and is written by nobody else.
    private static func isOurs(_ file: borrowing Descriptor, _ kind: some BinaryInteger) -> Bool {
        guard let status = try? file.status() else { return false }
        return status.st_mode & UInt32(S_IFMT) == UInt32(kind) && status.st_uid == geteuid()
            && status.st_mode & 0o022 == 0
    }
}
