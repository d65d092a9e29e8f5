import CLinux
import LinuxSystem
import SystemPackage

/// Where an archive comes from.
public enum ArchiveInput: Sendable {
    /// A file or a directory.
    case path(String)
    /// Standard input.
    case standardInput
}

extension ArchiveInput {
    /// An input that is open.
    enum Opened {
        case directory(OpenFile, name: String)
        /// A file with positions, and where in it to begin.
        case file(OpenFile, name: String, from: Int64)
        case pipe(OpenFile, name: String)
    }

    func open() throws -> Opened {
        switch self {
        case .path(let path):
            // Not blocking on a fifo: it is a pipe whose writer may come later, but an open that waits cannot say so.
            return try Self.classify(OpenFile(try Descriptor.open(path, O_RDONLY)), name: path, from: 0)
        case .standardInput:
            guard isatty(0) == 0 else {
                throw ImageArchiveError(
                    "standard input", "is a terminal: give a file, or send an archive through a pipe")
            }
            let number = swn_fcntl(0, F_DUPFD_CLOEXEC, 3)
            guard number >= 0 else { throw SystemError("open", "standard input", errno: .last) }
            return try Self.classify(
                OpenFile(Descriptor(owning: number)), name: "standard input", from: Int64(lseek(number, 0, SEEK_CUR)))
        }
    }

    private static func classify(_ file: OpenFile, name: String, from start: Int64) throws -> Opened {
        switch try file.descriptor.status().type {
        case S_IFDIR: return .directory(file, name: name)
        case S_IFREG where start >= 0: return .file(file, name: name, from: start)
        default: return .pipe(file, name: name)
        }
    }
}
