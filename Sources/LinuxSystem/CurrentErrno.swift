import CLinux

/// The only place that reads the C global, so that files above need not import libc for it.
@usableFromInline
enum CurrentErrno {
    @usableFromInline static var value: Int32 { swn_errno() }
}
