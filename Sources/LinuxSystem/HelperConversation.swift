import CLinux
import SystemPackage

/// A program of ours that is asked something and answers, in lines, and goes on until it is left.
public struct HelperConversation: ~Copyable {
    private let socket: Descriptor
    private let process: pid_t
    private let path: String

    /// Starts the program.
    ///
    /// - Parameters:
    ///   - words: Its arguments, with its own name first.
    ///   - environment: `NAME=VALUE`, and nothing else.
    /// - Throws: `SystemError` when it cannot be started. The corresponding C functions are `socketpair` and
    ///   `posix_spawn`.
    public init(_ path: String, _ words: [String], _ environment: [String]) throws(SystemError) {
        var ends: [Int32] = [-1, -1]
        guard unsafe socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw SystemError("make a pair of sockets", errno: .last)
        }
        let near = Descriptor(owning: ends[0])
        let far = Descriptor(owning: ends[1])
        process = try HelperProgram.start(path, words, environment, talkingAt: far.rawValue)
        socket = near
        self.path = path
    }

    /// Says something, which ends with a line break, and waits for the line that is the answer.
    ///
    /// - Throws: `SystemError`; EPIPE when the program ends without an answer.
    public borrowing func ask(_ line: [UInt8]) throws(SystemError) -> [UInt8] {
        try socket.writeAll(line)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while answer.last != UInt8(ascii: "\n") {
            let count = retryingOnInterrupt { unsafe read(socket.rawValue, &buffer, buffer.count) }
            guard count >= 0 else { throw SystemError("read the answer of", path, errno: .last) }
            guard count > 0, answer.count < 1 << 20 else {
                throw SystemError("wait for the answer of", path, errno: .brokenPipe, hint: "it ended without one")
            }
            answer += buffer[..<count]
        }
        return answer
    }

    deinit {
        // It ends when it has nobody to listen to.
        if shutdown(socket.rawValue, Int32(SHUT_RDWR)) != 0 { kill(process, SIGKILL) }
        var status: Int32 = 0
        _ = retryingOnInterrupt { unsafe waitpid(process, &status, 0) }
    }
}
