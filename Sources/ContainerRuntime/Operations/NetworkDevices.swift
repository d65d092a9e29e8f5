public import RuntimeSpec
import LinuxSystem

/// Who can give interfaces of the host to a container. This module knows no network, so whoever wants documents with
/// `linux.netDevices` to be carried out hands it in. A class, of which an optional one is a pointer: of a structure the
/// runtime would have to put that type together in every start.
public final class NetworkDevices: Sendable {
    /// Moves devices into the network namespace at a path, all of them or none.
    public let move: @Sendable (_ devices: [String: Spec.Linux.NetDevice], _ path: String) throws -> Moved

    /// Devices that were moved, and the way back.
    public struct Moved: Sendable {
        public let restore: @Sendable () -> Void
        public init(restore: @escaping @Sendable () -> Void) { self.restore = restore }
    }

    public init(
        move: @escaping @Sendable (_ devices: [String: Spec.Linux.NetDevice], _ path: String) throws -> Moved
    ) {
        self.move = move
    }
}

extension OCIRuntime {
    /// Moves the devices that a document asks for into the container's network namespace, which exists by now.
    func moveDevices(_ spec: Spec, to container: borrowing CreatedContainer) throws -> NetworkDevices.Moved? {
        guard let linux = spec.linux, let devices = linux.netDevices, !devices.isEmpty else { return nil }
        guard let networkDevices else { throw SpecError("linux.netDevices", "is not supported here") }
        guard let namespace = linux.namespace(.network) else {
            throw SpecError("linux.netDevices", "needs a namespace of type network in linux.namespaces")
        }
        // One that is joined is entered by the container's process, perhaps later than now.
        let own = "/proc/\(container.processIdentifier)/ns/net"
        return try networkDevices.move(devices, namespace.path.flatMap { $0.isEmpty ? nil : $0 } ?? own)
    }
}
