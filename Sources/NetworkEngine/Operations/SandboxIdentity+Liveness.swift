import LinuxSystem
import NetworkModel
import SystemPackage

extension SandboxIdentity {
    /// The namespace of a running process.
    ///
    /// - Throws: `NetworkError` when there is no such process.
    init(process: Int32) throws {
        guard let start = ProcessHandle.startTime(of: process) else {
            throw NetworkError(.notFound, "there is no process \(process)")
        }
        let namespace: NamespaceIdentity
        do throws(SystemError) {
            namespace = try Namespace.of(process: process, .net).identity
        } catch {
            guard error.errno == .noSuchProcess else { throw error }
            throw NetworkError(.notFound, "there is no process \(process)")
        }
        self.init(
            source: .process(process, startTime: start), device: namespace.device, inode: namespace.inode)
    }

    /// The namespace of a file.
    init(path: String) throws {
        let namespace = try Namespace(path: path, kind: .net).identity
        self.init(source: .path(path), device: namespace.device, inode: namespace.inode)
    }

    /// Whether the namespace is still there, and still the same.
    var isAlive: Bool { living != nil }

    /// The namespace; nil when it is not there any more, or another.
    var living: Namespace? {
        if case .process(let process, let start) = source, ProcessHandle.startTime(of: process) != start {
            return nil
        }
        guard let namespace = try? Namespace(path: path), namespace.identity.inode == inode,
            namespace.identity.device == device
        else { return nil }
        return namespace
    }

    /// What is wrong when it is not alive.
    var loss: String {
        switch source {
        case .process(let process, _): "process \(process) has ended, which its network namespace was known by"
        case .path: "its network namespace is gone"
        }
    }

    var isOfProcess: Bool {
        if case .process = source { true } else { false }
    }
}
