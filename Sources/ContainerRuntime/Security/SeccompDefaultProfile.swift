import CLinux

/// The filter that containers get when nobody asks for another: docker's default profile.
///
/// Its facts are those of moby's profile of May 2026 (moby/profiles, `seccomp/default.json`; the `socket` rules are from
/// moby pull requests 52494 and 52547 about CVE-2026-31431): an allow list, parts of which depend on capabilities,
/// architecture and kernel. What it does not name is refused with EPERM, what is newer than all it names with ENOSYS.
///
/// A 32-bit program can still reach every socket domain through `socketcall(2)` of x86, whose arguments no filter can
/// see; refusing that call would cut 32-bit programs off the network, so docker allows it too.
public struct SeccompDefaultProfile: Hashable, Sendable {
    public var architecture: SeccompFilter.Architecture
    /// The capabilities that the container may ever have (its bounding set), as `CAP_SYS_ADMIN`.
    public var capabilities: Set<String>
    /// Major and minor version.
    public var kernel: KernelVersion

    public init(architecture: SeccompFilter.Architecture, capabilities: Set<String>, kernel: KernelVersion) {
        self.architecture = architecture
        self.capabilities = capabilities
        self.kernel = kernel
    }

    /// A kernel's version as far as profiles ask for it.
    public struct KernelVersion: Hashable, Comparable, Sendable {
        public var major: Int
        public var minor: Int

        public init(_ major: Int, _ minor: Int) {
            self.major = major
            self.minor = minor
        }

        /// The running kernel's; 0.0 when it does not say, so that nothing is allowed that needs a newer one.
        /// The corresponding system call is `uname`.
        public static var running: KernelVersion {
            let numbers = release().split(maxSplits: 2) { !$0.isNumber }.prefix(2).map { Int($0) ?? 0 }
            return numbers.count == 2 ? KernelVersion(numbers[0], numbers[1]) : KernelVersion(0, 0)
        }

        /// `uname -r`, empty when the kernel does not say.
        static func release() -> String {
            var text = [CChar](repeating: 0, count: 65)
            guard unsafe swn_kernel_release(&text, text.count) == 0 else { return "" }
            return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        }

        public static func < (left: Self, right: Self) -> Bool {
            (left.major, left.minor) < (right.major, right.minor)
        }
    }

    /// The profile for this machine.
    ///
    /// - Parameter capabilities: The container's bounding set.
    public init(capabilities: Set<String>) {
        #if arch(x86_64)
        let architecture = SeccompFilter.Architecture.x86_64
        #elseif arch(arm64)
        let architecture = SeccompFilter.Architecture.aarch64
        #else
        #error("the default seccomp profile does not know this architecture")
        #endif
        self.init(architecture: architecture, capabilities: capabilities, kernel: .running)
    }

    /// The profile with its conditions decided.
    public var filter: SeccompFilter {
        var filter = SeccompFilter(defaultAction: .errno(1), architectures: Self.family(of: architecture))
        for group in SeccompCallGroup.all where applies(group) {
            filter.rules.append(.init(group.names, group.action, group.arguments))
        }
        return filter
    }

    private func applies(_ group: SeccompCallGroup) -> Bool {
        if let needed = group.capability, !capabilities.contains(needed) { return false }
        if let unwanted = group.withoutCapability, capabilities.contains(unwanted) { return false }
        if !group.architectures.isEmpty, !group.architectures.contains(architecture) { return false }
        if let least = group.kernel, kernel < least { return false }
        return true
    }

    /// The machine's architecture and that of 32-bit programs, which it runs as well.
    ///
    /// docker has x32 too, which no distribution's kernel has switched on; a table for it would make every container
    /// start later.
    private static func family(of architecture: SeccompFilter.Architecture) -> [SeccompFilter.Architecture] {
        switch architecture {
        case .x86_64: [.x86_64, .x86]
        case .aarch64: [.aarch64, .arm]
        default: [architecture]
        }
    }
}

/// Some system calls of the default profile and the conditions on which the profile has them.
struct SeccompCallGroup {
    var names: [String]
    var action = SeccompFilter.Action.allow
    var arguments: [SeccompFilter.Argument] = []
    var capability: String?
    var withoutCapability: String?
    var architectures: [SeccompFilter.Architecture] = []
    var kernel: SeccompDefaultProfile.KernelVersion?

    init(
        _ names: [String], _ action: SeccompFilter.Action = .allow, _ arguments: [SeccompFilter.Argument] = [],
        with capability: String? = nil, without withoutCapability: String? = nil,
        on architectures: [SeccompFilter.Architecture] = [], since kernel: SeccompDefaultProfile.KernelVersion? = nil
    ) {
        self.names = names
        self.action = action
        self.arguments = arguments
        self.capability = capability
        self.withoutCapability = withoutCapability
        self.architectures = architectures
        self.kernel = kernel
    }
}
