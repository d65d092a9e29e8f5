import CLinux

/// A vector of C strings as `execve(2)` takes it, made before the clone so that the child need not allocate.
@safe final class CStringVector: @unchecked Sendable {
    // Written once in `init` and only read afterwards, hence safe to share.
    private let vector: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>
    private let count: Int

    convenience init(_ strings: [String]) { self.init(strings.map { Array($0.utf8) }) }

    init(_ strings: [[UInt8]]) {
        count = strings.count
        unsafe vector = .allocate(capacity: count + 1)
        for (index, string) in strings.enumerated() {
            unsafe vector[index] = unsafe strndup(string + [0], string.count)
        }
        unsafe vector[count] = nil
    }

    deinit {
        for index in 0..<count { unsafe free(vector[index]) }
        unsafe vector.deallocate()
    }

    /// Lends the vector, which ends with a null pointer.
    func withPointer<Result>(_ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result) -> Result {
        unsafe body(vector)
    }
}
