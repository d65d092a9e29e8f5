import CLinux
import SystemPackage

extension Errno {
    /// ENODEV: no link of that name or index.
    static let noSuchDevice = Errno(rawValue: CLinux.ENODEV)
}
