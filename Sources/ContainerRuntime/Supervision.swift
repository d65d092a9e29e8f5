import CLinux
public import LinuxSystem
import SystemPackage

/// The launcher's part while a container runs in the foreground: signals go to the container, its status comes back.
public struct Supervision: ~Copyable {
    private let process: ProcessHandle

    public init(_ container: consuming StartedContainer) {
        process = container.release()
    }

    /// Waits for the end of the container.
    ///
    /// - Returns: Its exit status as a shell reports it. The corresponding system calls are `signalfd` and `waitid`.
    public func run() throws(SystemError) -> Int32 {
        try process.wait()
    }
}
