import CLinux

/// The only place that reads the C global, so that files above need not import libc for it.
enum CurrentErrno {
    static var value: Int32 { swn_errno() }
}
