import CLinux
import CSeccomp
import ContainerRuntime
import Foundation

/// libseccomp's own program for a filter.
func libseccompProgram(_ filter: SeccompFilter) -> [UInt8] {
    guard let context = seccomp_init(value(filter.defaultAction)) else { return [] }
    defer { seccomp_release(context) }
    for architecture in filter.architectures {
        seccomp_arch_add(context, seccomp_arch_resolve_name(architecture.rawValue))
    }
    if !filter.architectures.isEmpty,
        !filter.architectures.contains(where: { seccomp_arch_resolve_name($0.rawValue) == seccomp_arch_native() })
    {
        seccomp_arch_remove(context, seccomp_arch_native())
    }
    for rule in filter.rules where rule.action != filter.defaultAction {
        for name in rule.names {
            let number = seccomp_syscall_resolve_name(name)
            if number == -1 { continue }
            let conditions = rule.arguments.map { argument in
                let masked = argument.comparison == .maskedEqual
                return scmp_arg_cmp(
                    arg: argument.index, op: operation(argument.comparison),
                    datum_a: masked ? argument.mask : argument.value, datum_b: masked ? argument.value : 0)
            }
            seccomp_rule_add_array(context, value(rule.action), number, UInt32(conditions.count), conditions)
        }
    }
    let file = memfd_create("oracle", 0)
    defer { close(file) }
    seccomp_export_bpf(context, file)
    var bytes = [UInt8](repeating: 0, count: Int(lseek(file, 0, SEEK_END)))
    pread(file, &bytes, bytes.count, 0)
    return bytes
}

private func value(_ action: SeccompFilter.Action) -> UInt32 {
    switch action {
    case .allow: 0x7fff_0000
    case .log: 0x7ffc_0000
    case .notify: 0x7fc0_0000
    case .trap: 0x0003_0000
    case .killThread: 0
    case .killProcess: 0x8000_0000
    case .errno(let number): 0x0005_0000 | UInt32(number)
    case .trace(let number): 0x7ff0_0000 | UInt32(number)
    }
}

private func operation(_ comparison: SeccompFilter.Argument.Comparison) -> scmp_compare {
    switch comparison {
    case .notEqual: SCMP_CMP_NE
    case .less: SCMP_CMP_LT
    case .lessOrEqual: SCMP_CMP_LE
    case .equal: SCMP_CMP_EQ
    case .greaterOrEqual: SCMP_CMP_GE
    case .greater: SCMP_CMP_GT
    case .maskedEqual: SCMP_CMP_MASKED_EQ
    }
}

/// Classic BPF on a call, as the kernel runs it: what the program answers.
struct Interpreter {
    private var instructions: [sock_filter]

    init(_ bytes: [UInt8]) {
        instructions = bytes.withUnsafeBytes { Array($0.bindMemory(to: sock_filter.self)) }
    }

    func answer(number: UInt32, architecture: UInt32, _ arguments: [UInt64] = []) -> UInt32? {
        var words: [UInt32] = [number, architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            words += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var (accumulator, position) = (UInt32(0), 0)
        while instructions.indices.contains(position) {
            let instruction = instructions[position]
            let operand = instruction.k
            position += 1
            let jump: Bool
            switch Int32(instruction.code) {
            case 0x20: accumulator = words[Int(operand) / 4]; continue
            case 0x54: accumulator &= operand; continue
            case 0x06: return operand
            case 0x05: position += Int(operand); continue
            case 0x15: jump = accumulator == operand
            case 0x25: jump = accumulator > operand
            case 0x35: jump = accumulator >= operand
            case 0x45: jump = accumulator & operand != 0
            default: return nil
            }
            position += Int(jump ? instruction.jt : instruction.jf)
        }
        return nil
    }
}
