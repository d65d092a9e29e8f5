public import CLinux
import SystemPackage

/// A program for the kernel's own machine (Documentation/bpf/standardization/instruction-set.rst), put together
/// instruction by instruction.
public struct BPFProgram: Hashable, Sendable {
    /// `struct bpf_insn`, one in each word.
    public private(set) var instructions: [UInt64] = []

    public init() {}

    public var count: Int { instructions.count }

    /// Adds an instruction: its code, the numbers of two registers, an offset and a constant.
    public mutating func put(
        _ code: Int32, _ destination: Int, _ source: Int = 0, offset: Int16 = 0, immediate: Int32 = 0
    ) {
        instructions.append(
            UInt64(UInt8(truncatingIfNeeded: code)) | UInt64(destination) << 8 | UInt64(source) << 12
                | UInt64(UInt16(bitPattern: offset)) << 16 | UInt64(UInt32(bitPattern: immediate)) << 32)
    }

    /// Has an earlier jump lead to the instruction that comes next.
    public mutating func land(_ jump: Int) {
        // The offset is 16 bits after the code and the registers, counted from the next instruction.
        instructions[jump] |= UInt64(UInt16(instructions.count - jump - 1)) << 16
    }

    /// Hands it to the kernel, which looks at every way through it first. It is there until the last who holds it lets go.
    ///
    /// - Parameters:
    ///   - kind: Where it can be hooked to, which says what it is called with and what it may do.
    ///   - name: What errors call it.
    /// - Throws: `SystemError`; EPERM without CAP_BPF, ENOSYS where the kernel was built without `CONFIG_BPF_SYSCALL`.
    ///   The corresponding system call is `bpf(BPF_PROG_LOAD)`.
    public func load(_ kind: bpf_prog_type, _ name: String) throws(SystemError) -> Descriptor {
        let number = unsafe swn_bpf_load(kind.rawValue, instructions, UInt32(instructions.count))
        guard number >= 0 else { throw SystemError("load", name, errno: .last) }
        return Descriptor(owning: number)
    }
}
