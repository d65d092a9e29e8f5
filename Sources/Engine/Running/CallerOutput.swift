import CLinux
import LinuxSystem
import SystemPackage

/// Standard output or standard error of the caller, written to without ever waiting for its reader, and what the reader
/// has not taken yet.
///
/// Whoever reads may stop reading for an hour (`| less`), and a supervisor has signals to hand on and a container to
/// clean up after meanwhile.
struct CallerOutput: ~Copyable {
    /// A terminal or pipe opened once more, to be non-blocking without making the caller's own descriptor so. Nil where
    /// that cannot be: a file, which never makes anybody wait, or a socket.
    private let own: Descriptor?
    private let number: Int32
    private let isSocket: Bool
    private var pending: ArraySlice<UInt8> = []
    /// Whether nobody reads any more.
    private(set) var isGone = false

    init(_ number: Int32) {
        self.number = number
        var status = stat()
        let kind = fstat(number, &status) == 0 ? FileKind(mode: status.st_mode) : .regular
        isSocket = kind == .socket
        own =
            kind == .fifo || kind == .characterDevice
            ? try? Descriptor.open("/proc/self/fd/\(number)", O_WRONLY | O_NONBLOCK | O_NOCTTY) : nil
    }

    /// What to wait for before writing on.
    var descriptor: Int32 {
        switch own {
        case .some(let own): own.rawValue
        case .none: number
        }
    }

    var isIdle: Bool { pending.isEmpty }

    /// Writes as much as is taken at once, and keeps the rest.
    mutating func write(_ bytes: ArraySlice<UInt8>) {
        if isGone { return }
        pending += bytes
        flush()
    }

    /// Writes on with what was kept.
    mutating func flush() {
        while !pending.isEmpty {
            let target = descriptor
            let count = pending.withUnsafeBytes { bytes in
                retryingOnInterrupt {
                    isSocket
                        ? send(target, bytes.baseAddress, bytes.count, Int32(MSG_DONTWAIT))
                        : CLinux.write(target, bytes.baseAddress, bytes.count)
                }
            }
            if count >= 0 {
                pending = pending.dropFirst(count)
            } else {
                if swn_errno() == EAGAIN { return }
                pending = []
                isGone = true
            }
        }
    }
}
