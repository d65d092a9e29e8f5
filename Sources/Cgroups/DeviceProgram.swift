import CLinux
import LinuxSystem
import SystemPackage

/// Device rules as the BPF program that cgroup v2 has instead of a devices controller
/// (Documentation/admin-guide/cgroup-v2.rst, "Device controller").
///
/// The kernel runs it when a device node is made or opened, with `struct bpf_cgroup_dev_ctx` (linux/bpf.h), and refuses
/// with EPERM what it answers 0 to.
struct DeviceProgram: Hashable {
    private var program = BPFProgram()
    /// `struct bpf_insn`, one in each word.
    var instructions: [UInt64] { program.instructions }

    // r1 is the context at first; r2 to r5 are what is asked for, r0 is the answer.
    private static let (answer, context, kind, access, major, minor, scratch) = (0, 1, 2, 3, 4, 5, 6)

    init(_ rules: [DeviceRule]) {
        let word = BPF_LDX | BPF_MEM | BPF_W
        program.put(word, Self.kind, Self.context, offset: 0)
        program.put(BPF_ALU | BPF_MOV | BPF_X, Self.access, Self.kind)
        program.put(BPF_ALU | BPF_AND | BPF_K, Self.kind, immediate: 0xffff)
        program.put(BPF_ALU | BPF_RSH | BPF_K, Self.access, immediate: 16)
        program.put(word, Self.major, Self.context, offset: 4)
        program.put(word, Self.minor, Self.context, offset: 8)
        // The last rule that matches decides, so they are asked from the last one on; what none matches is allowed.
        for rule in rules.reversed() {
            // A rule that always matches is the last one asked: the verifier refuses what can never be reached.
            if put(rule) { return }
        }
        answer(true)
    }

    /// Returns whether the rule matches everything.
    private mutating func put(_ rule: DeviceRule) -> Bool {
        // Where each "does not match" jumps to is known at the end of the rule.
        var jumps: [Int] = []
        func test(_ register: Int, is value: UInt32) {
            jumps.append(program.count)
            program.put(BPF_JMP | BPF_JNE | BPF_K, register, immediate: Int32(truncatingIfNeeded: value))
        }
        switch rule.kind {
        case .all: break
        case .block: test(Self.kind, is: UInt32(BPF_DEVCG_DEV_BLOCK))
        case .character: test(Self.kind, is: UInt32(BPF_DEVCG_DEV_CHAR))
        }
        if rule.access != .all {
            program.put(BPF_ALU | BPF_MOV | BPF_X, Self.scratch, Self.access)
            program.put(BPF_ALU | BPF_AND | BPF_K, Self.scratch, immediate: Int32(rule.access.rawValue))
            jumps.append(program.count)
            // All that is asked for has to be allowed; any of it may be refused.
            if rule.allow {
                program.put(BPF_JMP | BPF_JNE | BPF_X, Self.scratch, Self.access)
            } else {
                program.put(BPF_JMP | BPF_JEQ | BPF_K, Self.scratch, immediate: 0)
            }
        }
        if let major = rule.major { test(Self.major, is: major) }
        if let minor = rule.minor { test(Self.minor, is: minor) }
        answer(rule.allow)
        for jump in jumps {
            program.land(jump)
        }
        return jumps.isEmpty
    }

    private mutating func answer(_ allow: Bool) {
        program.put(BPF_ALU64 | BPF_MOV | BPF_K, Self.answer, immediate: allow ? 1 : 0)
        program.put(BPF_JMP | BPF_EXIT, 0)
    }

    /// Makes the kernel ask the program about the processes of a cgroup.
    ///
    /// - Throws: `CgroupError`; EINVAL or EPERM also where the kernel was built without `CONFIG_CGROUP_BPF`.
    ///   The corresponding system calls are `bpf(BPF_PROG_LOAD)` and `bpf(BPF_PROG_ATTACH)`.
    func attach(to directory: CgroupDirectory) throws(CgroupError) {
        do throws(SystemError) {
            // The cgroup keeps the program when this descriptor closes.
            let program = try program.load(BPF_PROG_TYPE_CGROUP_DEVICE, "device program")
            let cgroup = try Descriptor.open(directory.path, O_RDONLY | O_DIRECTORY)
            guard swn_bpf_attach_device_program(cgroup.rawValue, program.rawValue) == 0 else {
                throw SystemError("attach device program", errno: .last)
            }
        } catch {
            throw CgroupError(error.operation, directory.name, controller: .devices, errno: error.errno)
        }
    }
}
