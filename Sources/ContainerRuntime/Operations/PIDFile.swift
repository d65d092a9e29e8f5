import CLinux
import LinuxSystem

/// The file that tells an engine the number of a process.
enum PIDFile {
    /// Replaced in one step, so that a reader never sees half a number.
    static func write(_ process: Int32, to path: String) throws(SystemError) {
        let slash = path.lastIndex(of: "/")
        let folder = slash.map { String(path[..<$0]) } ?? "."
        let name = slash.map { String(path[path.index(after: $0)...]) } ?? path
        let directory = try Descriptor.openDirectory(folder.isEmpty ? "/" : folder)
        do throws(SystemError) {
            try directory.replaceFile(name, with: Array("\(process)".utf8))
        } catch {
            throw SystemError("write", path, errno: error.errno)
        }
    }

    /// Takes back what was said of a process that has failed.
    static func remove(_ path: String) { _ = unsafe unlink(path) }
}
