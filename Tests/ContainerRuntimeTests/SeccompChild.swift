import CLinux
import ContainerRuntime
import Foundation
import LinuxSystem
import SystemPackage

/// A Python program under a filter, which reports what system calls answered.
enum SeccompChild {
    /// Makes system calls under a filter.
    ///
    /// - Parameter calls: Python expressions, in which `call(NUMBER, …)` is the errno or 0 and `call32(NUMBER)` what the
    ///   call of the 32-bit table with one argument of 0 returns (x86).
    /// - Returns: What each gave, or what the program said instead.
    static func results(of calls: [String], under program: SeccompProgram) throws -> [Int32] {
        let script = """
            import ctypes, mmap
            libc = ctypes.CDLL(None, use_errno=True)
            def call(number, *arguments):
                ctypes.set_errno(0)
                return ctypes.get_errno() if libc.syscall(*map(ctypes.c_long, (number,) + arguments)) < 0 else 0
            def call32(number):
                # push rbx; mov eax, number; mov ebx, 0; int 0x80; pop rbx; ret
                code = b'\\x53\\xb8' + number.to_bytes(4, 'little') + b'\\xbb\\0\\0\\0\\0\\xcd\\x80\\x5b\\xc3'
                page = mmap.mmap(-1, 4096, prot=7)
                page.write(code)
                start = ctypes.addressof(ctypes.c_char.from_buffer(page))
                return ctypes.CFUNCTYPE(ctypes.c_int)(start)()
            for result in [\(calls.joined(separator: ", "))]: print(result)
            """
        let (status, output) = try run(script, under: program)
        let results = output.split(separator: "\n").compactMap { Int32($0) }
        guard status == 0, results.count == calls.count else {
            throw SystemError("run python3, status \(status):", output, errno: .invalidArgument)
        }
        return results
    }

    /// Runs a script to its end. Everything is ready before the clone: the child of a process with threads must not
    /// allocate.
    static func run(_ script: String, under program: SeccompProgram) throws -> (status: Int32, output: String) {
        var ends: [Int32] = [-1, -1]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw SystemError("make pipe", errno: .last) }
        let reading = Descriptor(owning: ends[0])
        let output = ends[1]
        var arguments: [UnsafeMutablePointer<CChar>?] = []
        for argument in ["python3", "-c", script] { arguments.append(strdup(argument)) }
        arguments.append(nil)
        defer { for argument in arguments { free(argument) } }
        var pidfd: Int32 = -1
        let identifier = arguments.withUnsafeMutableBufferPointer { list in
            let result = swn_clone3(0, SIGCHLD, &pidfd, -1)
            if result == 0 {
                dup2(output, 1)
                dup2(output, 2)
                guard swn_prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, program.load() >= 0 else { _exit(99) }
                if let start = list.baseAddress { execv("/usr/bin/python3", start) }
                _exit(127)
            }
            return result
        }
        close(output)
        guard identifier > 0 else { throw SystemError("clone", errno: .last) }
        let process = ProcessHandle(owning: Descriptor(owning: pidfd), processIdentifier: identifier)
        let text = String(decoding: try reading.readAll(), as: UTF8.self)
        return (try process.wait(), text)
    }
}
