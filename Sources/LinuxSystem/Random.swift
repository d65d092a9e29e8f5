import CLinux

/// Random bytes of the kernel's generator. The corresponding system call is `getrandom`.
public func randomBytes(_ count: Int) -> [UInt8] {
    var generator = SystemRandomNumberGenerator()
    return (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
}

/// `2 * count` hexadecimal digits of randomness, for identifiers.
public func randomHex(bytes count: Int) -> String {
    let digits = Array("0123456789abcdef")
    return String(randomBytes(count).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] })
}
