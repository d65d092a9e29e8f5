import CLinux
import CSeccomp

/// What happens to each system call of one architecture.
struct SeccompTable {
    /// What happens to a call: one answer, or one that depends on its arguments.
    enum Decision: Hashable {
        case answer(UInt32)
        /// The first whose arguments all hold decides, otherwise the default action.
        case depends([Condition])
    }

    struct Condition: Hashable {
        var arguments: [SeccompFilter.Argument]
        var answer: UInt32
    }

    /// Numbers from `start` on, up to the next range, that share a decision.
    struct Range: Hashable {
        var start: UInt32
        var decision: Decision
    }

    private var decisions: [UInt32: Decision] = [:]

    /// Reads the rules. Names that the architecture does not have mean nothing in its table.
    ///
    /// - Parameter token: The architecture as libseccomp numbers it.
    init(_ filter: SeccompFilter, token: UInt32) {
        let isX86 = unsafe token == seccomp_arch_resolve_name(SeccompFilter.Architecture.x86.rawValue)
        for rule in filter.rules where rule.action != filter.defaultAction {
            for name in rule.names {
                let number = unsafe seccomp_syscall_resolve_name_arch(token, name)
                if number >= 0 {
                    add(UInt32(number), rule.arguments, rule.action)
                } else if isX86, let call = MultiplexedCall(name: name, standIn: number) {
                    if let direct = call.direct { add(direct, rule.arguments, rule.action) }
                    // Its arguments are behind a pointer or in other places: only the call itself can be told.
                    add(call.multiplexer, [.init(0, .equal, UInt64(call.selector))], rule.action)
                }
            }
        }
    }

    /// A rule without conditions stands above those with, as in libseccomp; among equals the first one stands.
    private mutating func add(
        _ number: UInt32, _ arguments: [SeccompFilter.Argument], _ action: SeccompFilter.Action
    ) {
        if case .answer = decisions[number] { return }
        if arguments.isEmpty {
            decisions[number] = .answer(action.value)
        } else {
            var conditions: [Condition] = []
            if case .depends(let present) = decisions[number] { conditions = present }
            decisions[number] = .depends(conditions + [Condition(arguments: arguments, answer: action.value)])
        }
    }

    /// The table as ranges from 0 on.
    ///
    /// - Parameters:
    ///   - other: What happens to calls that no rule names.
    ///   - newer: What happens to those with a larger number than all that rules name.
    ///   - end: The first number that is not of this kind, where a number below that counts as newest: arm has calls
    ///     of its own far above the others.
    func ranges(other: UInt32, newer: UInt32, privateFrom end: UInt32 = .max) -> [Range] {
        var ranges: [Range] = []
        func append(_ start: UInt32, _ decision: Decision) {
            if ranges.last?.decision == decision { return }
            if ranges.last?.start == start { ranges.removeLast() }
            if ranges.last?.decision != decision { ranges.append(Range(start: start, decision: decision)) }
        }
        append(0, .answer(other))
        let numbers = decisions.keys.sorted()
        let newest = numbers.last { $0 < end }
        for number in numbers {
            guard let decision = decisions[number] else { continue }
            append(number, decision)
            append(number + 1, .answer(number == newest ? newer : other))
        }
        return ranges
    }
}

/// A call that 32-bit x86 has behind `socketcall` or `ipc`, and later got a number of its own for.
private struct MultiplexedCall {
    /// The number of `socketcall` or of `ipc`.
    var multiplexer: UInt32
    /// Its first argument.
    var selector: UInt32
    /// The number of its own, since Linux 4.3 and 5.1 (arch/x86/entry/syscalls/syscall_32.tbl).
    var direct: UInt32?

    /// - Parameter standIn: The negative number that libseccomp has for it: -100 and -200 less the selector.
    init?(name: String, standIn: Int32) {
        switch standIn {
        case -120 ... -101: (multiplexer, selector) = (102, UInt32(-standIn - 100))
        case -224 ... -201: (multiplexer, selector) = (117, UInt32(-standIn - 200))
        default: return nil
        }
        direct = Self.directNumbers[name]
    }

    private static let directNumbers: [String: UInt32] = [
        "socket": 359, "socketpair": 360, "bind": 361, "connect": 362, "listen": 363, "accept4": 364, "getsockopt": 365,
        "setsockopt": 366, "getsockname": 367, "getpeername": 368, "sendto": 369, "sendmsg": 370, "recvfrom": 371,
        "recvmsg": 372, "shutdown": 373, "recvmmsg": 337, "sendmmsg": 345, "semget": 393, "semctl": 394, "shmget": 395,
        "shmctl": 396, "shmat": 397, "shmdt": 398, "msgget": 399, "msgsnd": 400, "msgrcv": 401, "msgctl": 402,
    ]
}
