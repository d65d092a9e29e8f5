import CLinux
import LinuxSystem
import Netlink
import Rtnetlink
import SystemPackage

/// What keeps an interface that leads to sandboxes shut when the firewall is gone: after `nft flush ruleset`, or the reload
/// of somebody else's firewall, until our table is there again (CVE-2025-54388, CVE-2025-54410).
///
/// Two programs at the interface itself (tc-bpf(8)), which no flush of rules takes along. What the host passes on to a
/// sandbox is let through only when our table has seen it, which marks such packets: without the table nothing is, and
/// with it the table alone decides. And 127.0.0.0/8 never comes in.
enum FirewallGate {
    /// The mark, in `skb->priority`: it reads `swn`, and `nft` prints it as 7377:6e00.
    ///
    /// Not in `skb->mark`, which others' rules and routes go by. No sandbox can set it: a pair hands packets over without
    /// (`____dev_forward_skb`, linux/netdevice.h). It is set back before a packet leaves to a sandbox; whatever else may
    /// leave with it is queued as what has no priority is, for which the last four bits count.
    static let seen: UInt32 = 0x7377_6e00

    /// Where a program hangs, and what it is.
    private enum Way: String, CaseIterable {
        case incoming = "in"
        case outgoing = "out"

        /// With a number that changes whenever the program does.
        var name: String { "swnet-gate-1-\(rawValue)" }
        var parent: TrafficHandle { self == .incoming ? .incoming : .outgoing }
        var program: BPFProgram { self == .incoming ? FirewallGate.incoming : FirewallGate.outgoing }
    }

    /// It is asked first: behind the redirection of a limit (`TrafficLimiter`) nothing would be.
    private static let priority: UInt16 = 1

    /// What is at an interface.
    private enum State {
        case incomplete(missing: [Way], hasHook: Bool)
        /// Somebody else's filter comes first, or another hook is there than ours: that is left alone.
        case taken
    }

    private static func state(_ link: UInt32, _ host: inout Rtnetlink) throws(NetlinkError) -> State {
        var missing: [Way] = []
        for way in Way.allCases {
            let first = try host.filters(link: link, on: way.parent).filter { $0.priority == priority }
            if first.isEmpty { missing.append(way) }
            let wanted = TrafficFilter.Classifier.bpf(.init(way.name, descriptor: nil))
            if first.contains(where: { $0.classifier != wanted }) { return .taken }
        }
        if missing.isEmpty { return .incomplete(missing: [], hasHook: true) }
        let hooks = try host.qdiscs(link: link).filter { $0.parent == .ingress }
        if hooks.contains(where: { $0.kind != .clsact }) { return .taken }
        return .incomplete(missing: missing, hasHook: !hooks.isEmpty)
    }

    /// Sets up at an interface what is missing there.
    static func set(_ link: UInt32, _ host: inout Rtnetlink) throws {
        guard case .incomplete(let missing, let hasHook) = try state(link, &host) else { return }
        try add(missing, hasHook: hasHook, link, &host)
    }

    /// The same of an interface that was just made, where nobody has put anything yet.
    static func set(new link: UInt32, _ host: inout Rtnetlink) throws {
        try add(Way.allCases, hasHook: false, link, &host)
    }

    /// A kernel without such programs is no error: there the firewall is all there is.
    /// Equivalent to `tc filter add dev $link ingress pref 1 bpf direct-action …`, and the same for `egress`.
    private static func add(_ ways: [Way], hasHook: Bool, _ link: UInt32, _ host: inout Rtnetlink) throws {
        for way in ways {
            guard let program = try load(way) else { return }
            let classifier = TrafficFilter.Program(way.name, descriptor: program.rawValue)
            let filter = TrafficFilter(.bpf(classifier), on: way.parent, link: link, priority: priority)
            do throws(NetlinkError) {
                if !hasHook, way == ways.first { try host.apply(.add(Qdisc(.clsact, link: link))) }
                try host.apply(.add(filter))
            } catch {
                // The kernel lacks the discipline or the classifier.
                if error.errno == .noSuchFileOrDirectory, error.hint != nil { return }
                throw error
            }
        }
    }

    /// What `check` says of an interface, and what can be done about it by a person alone.
    static func problem(
        _ link: Link, _ host: inout Rtnetlink
    ) throws -> (problem: String, advice: String?)? {
        let open = "\(link.name) would be open while the firewall is gone"
        switch try state(link.index, &host) {
        case .incomplete(let missing, _):
            guard let way = missing.first, try load(way) != nil else { return nil }
            return (open, nil)
        case .taken:
            let lines = "tc filter show dev \(link.name) ingress; tc filter show dev \(link.name) egress"
            return ("\(open): somebody else's filters come first", "make room at pref 1 and repair: \(lines)")
        }
    }

    /// nil where the kernel has no such programs, or allows us none.
    private static func load(_ way: Way) throws -> Descriptor? {
        do throws(SystemError) {
            return try way.program.load(BPF_PROG_TYPE_SCHED_CLS, way.name)
        } catch {
            if [.notPermitted, .noFunction, .permissionDenied].contains(error.errno) { return nil }
            throw error
        }
    }
}

// MARK: - The programs

extension FirewallGate {
    // Registers: the answer, the arguments of a call, and the frame of the stack.
    private static let (answer, first, second, third, fourth, frame) = (0, 1, 2, 3, 4, 10)
    /// Members of `struct __sk_buff` (linux/bpf.h), by their offset.
    private static let (protocolMember, priorityMember, arrivalMember): (Int16, Int16, Int16) = (16, 32, 36)
    private static let word = BPF_LDX | BPF_MEM | BPF_W
    private static let byte = BPF_LDX | BPF_MEM | BPF_B

    /// As the program reads it: a number in network order.
    private static func type(_ number: Int32) -> Int32 { Int32(UInt16(number).bigEndian) }

    private static func finish(_ program: inout BPFProgram, _ answer: Int32) {
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, Self.answer, immediate: answer)
        program.put(BPF_JMP | BPF_EXIT, 0)
    }

    /// Drops what has an address of 127.0.0.0/8, unless our table has seen it: with br_netfilter an answer to what the host
    /// has sent from 127.0.0.1 has been translated back when it comes in here.
    ///
    /// The address is asked for with a call that finds it in a packet of any form; who reads only what lies in one piece
    /// would miss it in one that a raw socket has put together of pages. What is still tagged as of a VLAN here, behind the
    /// one tag that the kernel takes off, would have its second taken off when nobody looks any more (VLAN 0,
    /// `__netif_receive_skb_core`, net/core/dev.c).
    private static var incoming: BPFProgram {
        var program = BPFProgram()
        var drops: [Int] = []
        func drop(if code: Int32, _ register: Int, _ value: Int32) {
            drops.append(program.count)
            program.put(BPF_JMP | code | BPF_K, register, immediate: value)
        }
        program.put(word, second, first, offset: protocolMember)
        drop(if: BPF_JEQ, second, type(ETH_P_8021Q))
        drop(if: BPF_JEQ, second, type(ETH_P_8021AD))
        let isOther = program.count
        program.put(BPF_JMP | BPF_JNE | BPF_K, second, immediate: type(ETH_P_IP))
        program.put(word, second, first, offset: priorityMember)
        let isSeen = program.count
        program.put(BPF_JMP | BPF_JEQ | BPF_K, second, immediate: Int32(bitPattern: seen))
        // Both addresses: 8 bytes, 12 behind the Ethernet header.
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, second, immediate: ETH_HLEN + 12)
        program.put(BPF_ALU64 | BPF_MOV | BPF_X, third, frame)
        program.put(BPF_ALU64 | BPF_ADD | BPF_K, third, immediate: -8)
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, fourth, immediate: 8)
        program.put(BPF_JMP | BPF_CALL, 0, immediate: Int32(BPF_FUNC_skb_load_bytes.rawValue))
        drop(if: BPF_JNE, answer, 0)
        for address: Int16 in [-8, -4] {
            program.put(byte, second, frame, offset: address)
            drop(if: BPF_JEQ, second, 127)
        }
        for jump in [isOther, isSeen] { program.land(jump) }
        finish(&program, TC_ACT_UNSPEC)
        for jump in drops { program.land(jump) }
        finish(&program, Int32(TC_ACT_SHOT))
        return program
    }

    /// Drops what the host passes on and our table has not seen. What it sends itself has come in nowhere.
    private static var outgoing: BPFProgram {
        var program = BPFProgram()
        program.put(word, second, first, offset: arrivalMember)
        let isOwn = program.count
        program.put(BPF_JMP | BPF_JEQ | BPF_K, second, immediate: 0)
        program.put(word, second, first, offset: protocolMember)
        let isIPv4 = program.count
        program.put(BPF_JMP | BPF_JEQ | BPF_K, second, immediate: type(ETH_P_IP))
        let isOther = program.count
        program.put(BPF_JMP | BPF_JNE | BPF_K, second, immediate: type(ETH_P_IPV6))
        program.land(isIPv4)
        program.put(word, second, first, offset: priorityMember)
        let isUnseen = program.count
        program.put(BPF_JMP | BPF_JNE | BPF_K, second, immediate: Int32(bitPattern: seen))
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, second, immediate: 0)
        program.put(BPF_STX | BPF_MEM | BPF_W, first, second, offset: priorityMember)
        for jump in [isOwn, isOther] { program.land(jump) }
        finish(&program, TC_ACT_UNSPEC)
        program.land(isUnseen)
        finish(&program, Int32(TC_ACT_SHOT))
        return program
    }
}
