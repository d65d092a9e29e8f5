import CLinux
import CommandSupport

/// A POSIX extended regular expression, regex(7).
struct RegularExpression: ~Copyable {
    private var compiled = regex_t()

    /// - Throws: `CommandFailure` with the library's words. The corresponding C function is `regcomp`.
    init(_ pattern: String) throws(CommandFailure) {
        let code = unsafe regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB)
        guard code == 0 else {
            var words = [CChar](repeating: 0, count: 128)
            let length = unsafe regerror(code, &compiled, &words, words.count)
            let text = String(
                decoding: words.prefix(max(0, min(length, words.count) - 1)).map(UInt8.init), as: UTF8.self)
            throw CommandFailure("'\(pattern)' is no regular expression: \(text.lowercased())")
        }
    }

    deinit {
        var compiled = compiled
        unsafe regfree(&compiled)
    }

    func matches(_ text: String) -> Bool {
        withUnsafePointer(to: compiled) { unsafe regexec($0, text, 0, nil, 0) == 0 }
    }
}
