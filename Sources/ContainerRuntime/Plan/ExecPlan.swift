import CLinux
public import LinuxSystem
public import RuntimeSpec

/// A further process in a running container, decided beforehand like `InitPlan`.
public struct ExecPlan: Sendable {
    /// A pidfd of the container's first process: all its namespaces, and no chance to meet another process.
    let container: SharedDescriptor
    /// Its namespaces, where the pidfd is not enough to enter them.
    let namespaces: [NamespaceKind: SharedDescriptor]
    /// Its number.
    let containerNumber: Int32
    var cgroup: CgroupJoin
    /// Besides those that every container has, or shares without harm.
    var ownNamespaces: Set<NamespaceKind>
    /// Whether it is an ordinary user who has a user namespace to enter.
    var isOrdinary: Bool
    /// Whether its root is not that of its mount namespace, which is another's.
    var sharesMounts: Bool
    var process: ProcessPlan

    /// - Parameter process: What to run; who wants the container's own limits and capabilities, copies them from the
    ///   container's document.
    /// - Parameter container: The container's first process.
    /// - Parameter options: The bundle, the root and the loopback interface have no meaning here.
    /// - Throws: `SpecError` that names the field which cannot be done, or `SystemError`.
    public init(
        process: Spec.Process, in container: borrowing ProcessHandle, options: LaunchOptions
    ) throws {
        try process.validate()
        self.container = SharedDescriptor(try container.pidfd.duplicate())
        namespaces = options.namespaces
        containerNumber = container.processIdentifier
        cgroup = options.cgroup
        ownNamespaces = options.ownNamespaces
        sharesMounts = options.sharesMounts
        isOrdinary = ownNamespaces.contains(.user) && geteuid() != 0
        self.process = try ProcessPlan(process, options: options)
        try self.process.scheduling.setProcessors(process.execCPUAffinity)
    }
}

/// A descriptor that several values hold; the last one closes it.
final class SharedDescriptor: Sendable {
    let descriptor: Descriptor
    init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }
}

extension ExecPlan {
    /// What leads into a namespace of the container.
    func entrance(to kind: NamespaceKind) -> SharedDescriptor { namespaces[kind] ?? container }
}

extension ExecPlan: LaunchPlan {
    func error(_ record: InitRecord) -> LaunchError { process.error(record) }
    var asksForMounts: Bool { false }
}
