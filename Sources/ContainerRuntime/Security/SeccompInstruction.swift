import CLinux

/// One instruction of classic BPF (Documentation/networking/filter.rst), of those that the kernel can evaluate when it
/// works out beforehand which calls are always allowed (`seccomp_is_const_allow` in kernel/seccomp.c).
struct SeccompInstruction: Hashable {
    var code: Int32
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    /// Reads a word of `struct seccomp_data`.
    static func load(_ offset: Int) -> Self { Self(code: BPF_LD | BPF_W | BPF_ABS, operand: UInt32(offset)) }
    static func and(_ mask: UInt32) -> Self { Self(code: BPF_ALU | BPF_AND | BPF_K, operand: mask) }
    static func jump(by distance: Int) -> Self { Self(code: BPF_JMP | BPF_JA, operand: UInt32(distance)) }
    static func answer(_ value: UInt32) -> Self { Self(code: BPF_RET | BPF_K, operand: value) }

    /// `struct sock_filter` in this machine's byte order.
    var bytes: [UInt8] {
        let code = UInt16(truncatingIfNeeded: self.code)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8)
        unsafe withUnsafeBytes(of: code) { unsafe bytes.append(contentsOf: $0) }
        bytes.append(ifTrue)
        bytes.append(ifFalse)
        unsafe withUnsafeBytes(of: operand) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }
}
