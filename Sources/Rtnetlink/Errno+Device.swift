import CLinux
public import SystemPackage

extension Errno {
    /// ENODEV: no link of that name or index.
    static let noSuchDevice = Errno(rawValue: CLinux.ENODEV)

    /// EXFULL: a bridge has all its ports (`BR_MAX_PORTS`, net/bridge/br_private.h, one of which is the bridge's own).
    public static let exchangeFull = Errno(rawValue: CLinux.EXFULL)
}
