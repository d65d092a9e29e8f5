public import ImageStore

/// Containers without a daemon: the one place where images, networks and the runtime meet.
///
/// Everything it knows is in files and in the kernel, so every process that makes one of these sees the same
/// containers. A container belongs to the process that supervises it: the command that runs it in the foreground, or
/// the monitor that a detached one leaves behind.
public struct Engine: Sendable {
    public let roots: EngineRoots
    public let containers: ContainerStore
    public let images: ImageStore
    /// Gets what a person should know and what is no error.
    let notice: @Sendable (String) -> Void

    public init(roots: EngineRoots = EngineRoots(), notice: @escaping @Sendable (String) -> Void = { _ in }) {
        self.roots = roots
        self.notice = notice
        containers = ContainerStore(root: roots.state, runRoot: roots.run)
        images = ImageStore(root: roots.state)
    }
}

/// Where the engine keeps its files.
public struct EngineRoots: Hashable, Sendable {
    /// What lasts: images, containers, volumes.
    public var state: String
    /// What dies with a boot: who runs, compiled filters.
    public var run: String
    /// The network engine's.
    public var networkState: String
    public var networkRun: String

    public init(
        state: String = "/var/lib/swbox", run: String = "/run/swbox", networkState: String = "/var/lib/swnet",
        networkRun: String = "/run/swnet"
    ) {
        self.state = state
        self.run = run
        self.networkState = networkState
        self.networkRun = networkRun
    }
}
