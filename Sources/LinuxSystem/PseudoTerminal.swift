import CLinux
import SystemPackage

/// A terminal whose other end is a program.
public struct PseudoTerminal: ~Copyable {
    /// What the program reads and writes that plays the terminal.
    public let controller: Descriptor
    /// What the programs in the terminal have as standard input and output.
    public let peer: Descriptor

    /// Makes a terminal of a mounted devpts.
    ///
    /// - Parameter devpts: The open root of the file system, checked to be one.
    ///   The corresponding calls are `posix_openpt` and `ioctl(TIOCGPTPEER)`.
    public init(devpts: Int32) throws(SystemError) {
        let controller = try Descriptor.open("ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, relativeTo: devpts)
        var fileSystem = statfs()
        guard unsafe fstatfs(controller.rawValue, &fileSystem) == 0 else {
            throw SystemError("statfs", "ptmx", errno: .last)
        }
        guard UInt64(fileSystem.f_type) == UInt64(DEVPTS_SUPER_MAGIC) else {
            throw SystemError("make terminal", "ptmx", errno: Errno(rawValue: ENODEV), hint: "not a devpts")
        }
        var isLocked: Int32 = 0
        // TIOCSPTLCK and TIOCGPTPEER of asm-generic/ioctls.h, macros that Swift does not see.
        guard unsafe swn_ioctl_pointer(controller.rawValue, 0x4004_5431, &isLocked) == 0 else {
            throw SystemError("unlock terminal", "ptmx", errno: .last)
        }
        let number = swn_ioctl(controller.rawValue, 0x5441, UInt(O_RDWR | O_NOCTTY | O_CLOEXEC))
        guard number >= 0 else { throw SystemError("open terminal's peer", "ptmx", errno: .last) }
        self.controller = controller
        peer = Descriptor(owning: number)
    }

    /// Sets the size in characters. The corresponding call is `ioctl(TIOCSWINSZ)`.
    public borrowing func setSize(height: UInt16, width: UInt16) throws(SystemError) {
        try Self.setSize(of: controller.rawValue, height: height, width: width)
    }

    /// Ends lines with a newline alone, as files have them, for output that ends up in one or in another terminal, which
    /// adds the return itself. The corresponding C function is `tcsetattr` without `ONLCR`.
    public borrowing func setPlainLines() {
        var settings = termios()
        guard unsafe tcgetattr(controller.rawValue, &settings) == 0 else { return }
        settings.c_oflag &= ~tcflag_t(ONLCR)
        unsafe tcsetattr(controller.rawValue, TCSANOW, &settings)
    }

    /// Sets the size of an open terminal, for whoever has only one end of it.
    public static func setSize(of terminal: Int32, height: UInt16, width: UInt16) throws(SystemError) {
        var size = winsize(ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0)
        guard unsafe swn_ioctl_pointer(terminal, UInt(TIOCSWINSZ), &size) == 0 else {
            throw SystemError("set size of terminal", "\(terminal)", errno: .last)
        }
    }
}
