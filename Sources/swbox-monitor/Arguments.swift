import CLinux

/// This process's arguments, read from `/proc/self/cmdline` (proc(5)): Embedded Swift has no `CommandLine`.
struct Arguments {
    /// The arguments one after the other, each ended by a zero byte.
    private var bytes: [CChar] = []
    private var starts: [Int] = []

    init() {
        let file = swn_openat(AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0)
        var chunk = [CChar](repeating: 0, count: 4096)
        while true {
            let length = read(file, &chunk, chunk.count)
            if length <= 0 { break }
            bytes.append(contentsOf: chunk[..<length])
        }
        close(file)
        var start = 0
        for (index, byte) in bytes.enumerated() where byte == 0 {
            starts.append(start)
            start = index + 1
        }
    }

    var count: Int { starts.count }

    /// An argument in decimal; nil when it is no number.
    func number(_ index: Int) -> Int32? {
        bytes.withUnsafeBufferPointer { text in
            guard let start = text.baseAddress.map({ $0 + starts[index] }) else { return nil }
            var end: UnsafeMutablePointer<CChar>?
            let value = strtol(start, &end, 10)
            guard let end, end != start, end.pointee == 0 else { return nil }
            return Int32(truncatingIfNeeded: value)
        }
    }

    /// Executes an open program with the arguments from an index on and one more: a status of 0 to 255. It returns
    /// only when that fails. The corresponding system call is `execveat(AT_EMPTY_PATH)`.
    mutating func execute(program: Int32, from index: Int, appending status: Int32) {
        starts.append(bytes.count)
        for divisor: Int32 in [100, 10, 1] where status >= divisor || divisor == 1 {
            bytes.append(CChar(truncatingIfNeeded: 48 + status / divisor % 10))
        }
        bytes.append(0)
        bytes.withUnsafeMutableBufferPointer { text in
            var vector: [UnsafeMutablePointer<CChar>?] = []
            for start in starts[index...] { vector.append(text.baseAddress.map { $0 + start }) }
            vector.append(nil)
            var environment: [UnsafeMutablePointer<CChar>?] = [nil]
            _ = swn_execveat(program, "", vector, &environment, AT_EMPTY_PATH)
        }
    }
}
