import CLinux
import SystemPackage

/// A file system that is being configured and is not mounted yet: the "new mount API" of Linux 5.2.
///
/// Against `mount(2)` it takes no path for the target, no comma-separated text that has to be escaped, and it says in
/// words what it did not like.
public struct FileSystemContext: ~Copyable {
    private let descriptor: Descriptor
    /// The file system's name, for errors.
    private let type: String

    /// - Throws: `SystemError`; ENODEV when the kernel does not know the file system.
    ///   The corresponding system call is `fsopen`.
    public init(_ type: String) throws(SystemError) {
        let number = unsafe swn_fsopen(type, UInt32(FSOPEN_CLOEXEC))
        guard number >= 0 else { throw SystemError("open file system", type, errno: .last) }
        descriptor = Descriptor(owning: number)
        self.type = type
    }

    /// Sets an option that takes a value. The kernel accepts at most 255 bytes.
    /// The corresponding system call is `fsconfig(FSCONFIG_SET_STRING)`.
    public borrowing func set(_ option: String, _ value: String) throws(SystemError) {
        let command = FSCONFIG_SET_STRING.rawValue
        guard unsafe swn_fsconfig(descriptor.rawValue, command, option, value, 0) == 0 else {
            throw failure("set option \(option)=\(value) of")
        }
    }

    /// Sets an option that takes no value. The corresponding system call is `fsconfig(FSCONFIG_SET_FLAG)`.
    public borrowing func set(_ option: String) throws(SystemError) {
        let command = FSCONFIG_SET_FLAG.rawValue
        guard unsafe swn_fsconfig(descriptor.rawValue, command, option, nil, 0) == 0 else {
            throw failure("set option \(option) of")
        }
    }

    /// Makes the mount, attached to nothing yet.
    ///
    /// - Parameter attributes: `MOUNT_ATTR_*` bits.
    /// - Returns: The root of the mount; the mount goes with its last descriptor unless it is attached.
    ///   The corresponding system calls are `fsconfig(FSCONFIG_CMD_CREATE)` and `fsmount`.
    public borrowing func mount(attributes: UInt64 = 0) throws(SystemError) -> Descriptor {
        let command = FSCONFIG_CMD_CREATE.rawValue
        guard swn_fsconfig(descriptor.rawValue, command, nil, nil, 0) == 0 else { throw failure("create") }
        let number = swn_fsmount(descriptor.rawValue, UInt32(FSMOUNT_CLOEXEC), UInt32(attributes))
        guard number >= 0 else { throw failure("mount") }
        return Descriptor(owning: number)
    }

    /// The error of the call just made, with what the file system has to say about it.
    private borrowing func failure(_ operation: String) -> SystemError {
        let errno = Errno.last
        var message = [UInt8](repeating: 0, count: 512)
        let count = unsafe read(descriptor.rawValue, &message, message.count)
        // Each message is a line that begins with its level: "e overlay: …".
        let words = count > 2 ? String(decoding: message[2..<count], as: UTF8.self) : nil
        return SystemError(
            operation, type, errno: errno, hint: words.map { $0.hasSuffix("\n") ? String($0.dropLast()) : $0 })
    }
}
