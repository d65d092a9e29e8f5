import CLinux
import CSeccomp

extension SeccompFilter {
    /// Instructions before the filter that answer ENOSYS to calls with larger numbers than any that it names.
    ///
    /// A filter cannot know what came after it. libc falls back to an older call on ENOSYS, as on an older kernel, but
    /// takes EPERM for an answer; runc has done the same since 1.0.0-rc93 (`libcontainer/seccomp/patchbpf`).
    ///
    /// - Parameter tokens: The architectures as libseccomp numbers them.
    func answerToNewCalls(_ tokens: [UInt32]) -> [UInt8] {
        let x86_64 = unsafe seccomp_arch_resolve_name(Architecture.x86_64.rawValue)
        let x32 = unsafe seccomp_arch_resolve_name(Architecture.x32.rawValue)
        let arm = unsafe seccomp_arch_resolve_name(Architecture.arm.rawValue)
        // The kernel gives x86_64 and x32 one architecture and tells them apart by a bit of the number.
        let x32Bit: UInt32 = 0x4000_0000
        // arm has calls of its own far above the others (`__ARM_NR_BASE`).
        let armBase: UInt32 = 0x0f_0000
        var blocks: [(architecture: UInt32, instructions: [Instruction])] = []
        for token in tokens where token != x32 {
            let end = token == x86_64 ? x32Bit : token == arm ? armBase : nil
            var block = [Instruction.loadNumber]
            if let largest = largestNumber(token, below: end) {
                block += Instruction.answer(from: largest + 1, to: end)
            }
            if token == x86_64, tokens.contains(x32), let largest = largestNumber(x32, below: nil) {
                block += Instruction.answer(from: largest + 1, to: nil)
            }
            blocks.append((token, block))
        }
        var program = [Instruction.loadArchitecture]
        for (index, block) in blocks.enumerated() {
            // For another architecture: past the block, and past the jump to the end after it.
            program.append(.jump(ifEqual: block.architecture, then: 0, else: UInt8(block.instructions.count + 1)))
            program += block.instructions
            program.append(.jump(by: blocks[(index + 1)...].reduce(0) { $0 + UInt32($1.instructions.count) + 2 }))
        }
        return program.flatMap(\.bytes)
    }

    private func largestNumber(_ token: UInt32, below end: UInt32?) -> UInt32? {
        var largest: UInt32?
        for rule in rules {
            for name in rule.names {
                let number = unsafe seccomp_syscall_resolve_name_arch(token, name)
                // Negative: libseccomp's stand-in for a call that this architecture does not have.
                guard number >= 0, end.map({ UInt32(number) < $0 }) ?? true else { continue }
                largest = max(largest ?? 0, UInt32(number))
            }
        }
        return largest
    }
}

/// One instruction of classic BPF (Documentation/networking/filter.rst), of those that the kernel can evaluate when it
/// works out beforehand which calls are always allowed (`seccomp_is_const_allow` in kernel/seccomp.c).
private struct Instruction {
    var code: Int32
    var ifTrue: UInt8 = 0
    var ifFalse: UInt8 = 0
    var operand: UInt32

    static let loadNumber = Instruction(code: BPF_LD | BPF_W | BPF_ABS, operand: 0)
    static let loadArchitecture = Instruction(
        code: BPF_LD | BPF_W | BPF_ABS, operand: UInt32(MemoryLayout<seccomp_data>.offset(of: \.arch) ?? 4))

    static func jump(by distance: UInt32) -> Instruction { Instruction(code: BPF_JMP | BPF_JA, operand: distance) }

    static func jump(ifEqual value: UInt32, then: UInt8, else other: UInt8) -> Instruction {
        Instruction(code: BPF_JMP | BPF_JEQ | BPF_K, ifTrue: then, ifFalse: other, operand: value)
    }

    /// ENOSYS for numbers from `start` on, up to but not including `end`; on to the next instruction for others.
    static func answer(from start: UInt32, to end: UInt32?) -> [Instruction] {
        let enosys = Instruction(
            code: BPF_RET | BPF_K, operand: SeccompFilter.Action.errno(UInt16(ENOSYS)).value)
        guard let end else {
            return [Instruction(code: BPF_JMP | BPF_JGE | BPF_K, ifFalse: 1, operand: start), enosys]
        }
        return [
            Instruction(code: BPF_JMP | BPF_JGE | BPF_K, ifFalse: 2, operand: start),
            Instruction(code: BPF_JMP | BPF_JGE | BPF_K, ifTrue: 1, operand: end),
            enosys,
        ]
    }

    /// `struct sock_filter` in this machine's byte order.
    var bytes: [UInt8] {
        let code = UInt16(truncatingIfNeeded: self.code)
        var bytes: [UInt8] = []
        unsafe withUnsafeBytes(of: code) { unsafe bytes.append(contentsOf: $0) }
        bytes += [ifTrue, ifFalse]
        unsafe withUnsafeBytes(of: operand) { unsafe bytes.append(contentsOf: $0) }
        return bytes
    }
}
