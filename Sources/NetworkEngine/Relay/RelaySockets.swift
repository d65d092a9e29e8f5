import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink

/// What the kernel knows of the relays of this network namespace, whatever is recorded of them.
///
/// A socket belongs for ever to the user who has made it. Those of a relay are ours, who start it, and not nobody's, who
/// it is: a process that has such a socket of ::1 has it from us, whoever it is. A name everybody can give himself.
struct RelaySockets {
    /// A process that is a relay, with one of its sockets.
    struct Relay {
        let process: Int32
        let socket: BoundSocket

        /// Its name, or how that begins.
        var name: String { "\(socket.transport.rawValue)-\(socket.port)" }

        /// Whether the socket is one of the relay of a name.
        func isNamed(_ name: String) -> Bool { RelayPorts(name)?.contains(socket) == true }

        /// Opens the process, so that it cannot be taken for another that gets its number; nil when it is gone.
        func open() -> ProcessHandle? {
            guard let handle = try? ProcessHandle(processIdentifier: process),
                RelaySockets.relay(process, [socket.inode: socket]) != nil
            else { return nil }
            return handle
        }
    }

    /// Those of ::1 that are ours.
    private let sockets: [BoundSocket]

    init() throws {
        var diagnostics = try SocketDiagnostics()
        let own = geteuid()
        sockets = try diagnostics.boundSockets(families: [.v6])
            .filter { $0.address == .v6(.loopback) && $0.user == own }
    }

    /// Whether a process is the relay of a name.
    func `is`(_ process: Int32, _ name: String) -> Bool { Self.relay(process, inodes(of: [name])) != nil }

    /// The relay of a name.
    func relay(named name: String) -> Relay? { Self.relays(inodes(of: [name])).first }

    /// The relays of all ports but those of some names.
    func relays(besides names: some Collection<String>) -> [Relay] {
        let known = inodes(of: names)
        let others = sockets.filter { known[$0.inode] == nil }
        return Self.relays(Dictionary(others.map { ($0.inode, $0) }, uniquingKeysWith: { first, _ in first }))
    }

    /// The sockets of the ports of names, by inode.
    private func inodes(of names: some Collection<String>) -> [UInt32: BoundSocket] {
        let ports = names.compactMap(RelayPorts.init)
        let sockets = sockets.filter { socket in ports.contains { $0.contains(socket) } }
        return Dictionary(sockets.map { ($0.inode, $0) }, uniquingKeysWith: { first, _ in first })
    }

    // MARK: Processes

    /// Looks through all processes, 10 µs each, when there is anything to look for.
    private static func relays(_ sockets: [UInt32: BoundSocket]) -> [Relay] {
        guard !sockets.isEmpty, let processes = try? Descriptor.openDirectory("/proc").entries() else { return [] }
        return processes.compactMap { Int32($0) }.compactMap { relay($0, sockets) }
    }

    private static func relay(_ process: Int32, _ sockets: [UInt32: BoundSocket]) -> Relay? {
        guard let directory = try? Descriptor.openDirectory("/proc/\(process)"),
            let name = try? Descriptor.open("comm", relativeTo: directory.rawValue).readRecord(limit: 64),
            name.elementsEqual("\(RelayProcess.name)\n".utf8),
            let files = try? Descriptor.open("fd", O_RDONLY | O_DIRECTORY, relativeTo: directory.rawValue),
            let numbers = try? files.entries()
        else { return nil }
        // Those that it was born with have small numbers.
        for number in numbers.compactMap({ Int($0) }).sorted() {
            // `socket:[INODE]` (proc_pid_fd(5))
            guard let target = try? files.readSymbolicLink("\(number)"), target.hasPrefix("socket:["),
                let inode = UInt32(target.dropFirst(8).dropLast()), let socket = sockets[inode]
            else { continue }
            return Relay(process: process, socket: socket)
        }
        return nil
    }
}

/// The ports that the name of a relay says: `tcp-8080`, `udp-8000-8010`.
private struct RelayPorts {
    let transport: Substring
    let first: UInt16
    let last: UInt16

    init?(_ name: String) {
        let words = name.split(separator: "-")
        guard words.count >= 2, let first = UInt16(words[1]), let last = UInt16(words[words.count - 1]) else {
            return nil
        }
        transport = words[0]
        self.first = first
        self.last = last
    }

    func contains(_ socket: BoundSocket) -> Bool {
        socket.transport.rawValue == transport && first <= socket.port && socket.port <= last
    }
}
