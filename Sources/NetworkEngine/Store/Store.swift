import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import SystemPackage
import JSONCoding

/// The engine's files, under a lock that is held as long as this value lives.
///
///     /var/lib/swnet/networks/NAME.json             a network's definition
///     /var/lib/swnet/unique-local                   this host's unique local IPv6 prefix
///     /run/swnet/lock                               held by whoever changes anything
///     /run/swnet/boot → BOOT@COOKIE                 the boot and the network namespace that everything below is of
///     /run/swnet/pending                            the plan that is being carried out
///     /run/swnet/ports                              who has which port of the host
///     /run/swnet/names/, dhcp/                      what others serve for us, in files of theirs
///     /run/swnet/relays/TRANSPORT-PORTS → PID-START the process that carries a port of ::1
///     /run/swnet/foreign                            there when rules of ours are wanted in chains of others
///     /run/swnet/forwarding                         what was switched on so that the host forwards
///     /run/swnet/sandboxes/KEY                      a sandbox's record
///     /run/swnet/namespaces/INODE → KEY             which sandbox a namespace is
///     /run/swnet/networks/NAME/                     exists while the network has its bridge
///     /run/swnet/networks/NAME/bridge → INDEX       the index of its bridge, once that was seen to be ours
///     /run/swnet/networks/NAME/strangers/ADDRESS    an address whose owner had an Ethernet address of its own choice
///     /run/swnet/networks/NAME/leases/ADDRESS → KEY who has an address
///     /run/swnet/networks/NAME/cursor4, cursor6 → N the offset of the address handed out last
///
/// Facts of one word are symbolic links: made, read and refused as taken in one system call each.
struct Store: ~Copyable {
    let run: StateDirectory
    let definitions: StateDirectory
    /// nil where nothing can be written and nobody has ever written anything: there is nothing to guard.
    private let lock: FileLock?
    /// Whether what dies with the boot is on a file system that is read-only: then it can be looked at and no more.
    let isReadOnly: Bool
    /// One of the run root's folders in whose place something else lies.
    let strangeFolder: String?
    /// As long as others may wait.
    private let boost: PriorityBoost
    let memory = Memory()

    /// What was read under the lock, and so is true until it is written.
    final class Memory {
        /// The network whose definition was read last: an operation asks for one again and again.
        fileprivate var network: Network?
        /// What a dry run takes for done.
        var pretence = StorePretence()
    }

    /// - Parameter waiting: Is told who has the lock when that takes long.
    init(
        runRoot: String, stateRoot: String, waiting: (String) -> Void = { _ in }
    ) throws(SystemError) {
        let run = try StateDirectory(runRoot, orElse: "rm \(runRoot); swnet repair")
        let definitions = try StateDirectory(
            "\(stateRoot)/networks", orElse: "put the folder back, which has the definitions of all networks")
        let boost = PriorityBoost()
        var isReadOnly = false
        if !run.contains("lock") { try Self.checkNobodyElseHas(run) }
        let lock = try Self.lock(run, &isReadOnly, waiting)
        try Self.makeFolders(in: run)
        strangeFolder = Self.strangeFolders(in: run).first
        self.run = run
        self.definitions = definitions
        self.lock = lock
        self.isReadOnly = isReadOnly
        self.boost = boost
    }

    private static func lock(
        _ run: borrowing StateDirectory, _ isReadOnly: inout Bool, _ waiting: (String) -> Void
    ) throws(SystemError) -> FileLock? {
        let file: Descriptor
        do throws(SystemError) {
            file = try run.open("lock", O_RDWR | O_CREAT, mode: 0o600)
        } catch {
            guard error.errno == .readOnlyFileSystem else { throw error }
            isReadOnly = true
            guard run.contains("lock") else { return nil }
            file = try run.open("lock", O_RDONLY)
        }
        let path = run.file("lock")
        return try FileLock(locking: file, path, patience: 2) { holder in
            let words = holder?.description ?? "another process"
            let help = holder.flatMap { $0.isStopped ? "; it is stopped: kill -CONT \($0.processIdentifier)" : nil }
            waiting("waiting for \(path), which \(words) has\(help ?? "")")
        }
    }

    borrowing func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        try run.replace(path, with: bytes)
    }

    /// What a file of a directory records; nil when there is none.
    ///
    /// - Parameters:
    ///   - path: The file's whole path.
    ///   - remedy: What to do about one that cannot be read.
    static func read<Value: JSONRepresentable>(
        _ name: String, in directory: borrowing StateDirectory, _ path: String, _ remedy: String
    ) throws -> Value? {
        do {
            guard let bytes = try directory.readFile(name) else { return nil }
            return try Value(json: JSONValue(parsing: bytes))
        } catch let error as JSONCodingError {
            throw NetworkError(.failed, "read \(path): \(error) (\(remedy))")
        } catch let error as SystemError {
            guard let damage = error.damage else { throw error }
            throw NetworkError(.failed, "read \(path): \(damage) (\(remedy))")
        }
    }
}

// MARK: - Networks

extension Store {
    /// A network's definition; nil when there is none.
    borrowing func network(_ name: String) throws -> Network? {
        if let pretended = memory.pretence.networks[name] { return pretended }
        if let known = memory.network, known.name == name { return known }
        let path = definitions.file("\(name).json")
        let network: Network? = try Self.read(
            "\(name).json", in: definitions, path,
            "write it again, or give the network up: rm -r \(path); swnet repair")
        if let network { memory.network = network }
        return network
    }

    borrowing func networkNames() throws -> [String] {
        try definitions.entries().filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.map { String($0.dropLast(5)) }
            .filter { memory.pretence.networks[$0] != .some(nil) }
    }

    borrowing func define(_ network: Network) throws {
        memory.network = nil
        try definitions.replace("\(network.name).json", with: network.json.bytes)
    }

    borrowing func undefine(_ name: String) throws {
        memory.network = nil
        try definitions.remove("\(name).json")
    }

    /// Whether the network was raised in this boot.
    borrowing func isRaised(_ name: String) -> Bool { run.contains("networks/\(name)/leases") && !isLowered(name) }

    borrowing func raisedNetworks() throws -> [String] {
        try run.entries(of: "networks").filter { !isLowered($0) }
    }

    /// The raised networks that the host routes for, and so the ones that the firewall is there for.
    borrowing func routedNetworks() throws -> [String] {
        var names: [String] = []
        for name in try raisedNetworks() where try network(name)?.driver.isRoutedByHost != false { names.append(name) }
        return names
    }

    borrowing func markRaised(_ name: String) throws {
        try run.makeDirectory("networks/\(name)")
        try run.makeDirectory("networks/\(name)/leases")
    }

    /// The index of a network's bridge; nil when nobody has looked yet whether it is ours.
    borrowing func bridgeIndex(network name: String) throws(SystemError) -> UInt32? {
        try run.readSymbolicLink("networks/\(name)/bridge").flatMap { UInt32($0) }
    }

    borrowing func setBridgeIndex(_ index: UInt32, network name: String) throws(SystemError) {
        try run.remove("networks/\(name)/bridge")
        try run.makeSymbolicLink("networks/\(name)/bridge", to: "\(index)")
    }

    borrowing func markLowered(_ name: String) throws {
        try run.removeTree(name, in: "networks")
    }
}

// MARK: - Sandboxes

extension Store {
    borrowing func sandbox(key: String) throws -> Sandbox? {
        if let pretended = memory.pretence.sandboxes[key] { return pretended }
        if key.isEmpty { return nil }
        let path = run.file("sandboxes/\(key)")
        return try Self.read(
            "sandboxes/\(key)", in: run, path, "give up what it has: rm -r \(path); swnet repair")
    }

    borrowing func sandboxKeys() throws -> [String] {
        try run.entries(of: "sandboxes").filter { !isReleased($0) }
    }

    borrowing func sandboxes() throws -> [Sandbox] {
        var sandboxes: [Sandbox] = []
        for key in try sandboxKeys() {
            if let sandbox = try sandbox(key: key) { sandboxes.append(sandbox) }
        }
        return sandboxes
    }

    /// Those whose records can be read.
    ///
    /// - Parameter isBad: Is told of a record that cannot, and why.
    borrowing func sandboxes(_ isBad: (_ key: String, _ error: NetworkError) -> Void) throws -> [Sandbox] {
        var sandboxes: [Sandbox] = []
        for key in try sandboxKeys() {
            do {
                if let sandbox = try sandbox(key: key) { sandboxes.append(sandbox) }
            } catch let error as NetworkError {
                isBad(key, error)
            }
        }
        return sandboxes
    }

    /// The sandbox that a namespace was recorded as.
    borrowing func sandboxKey(namespace inode: UInt64) throws -> String? {
        try run.readSymbolicLink("namespaces/\(inode)").flatMap { isReleased($0) ? nil : $0 }
    }

    /// Namespaces that are recorded as sandboxes of which there is no record, as names of links.
    borrowing func orphanedNamespaces() throws -> [String] {
        let keys = Set(try sandboxKeys())
        return try run.entries(of: "namespaces").filter { name in
            try run.readSymbolicLink("namespaces/\(name)").map { !keys.contains($0) } ?? false
        }
    }

    /// Records which sandbox a namespace is.
    borrowing func noteNamespace(_ inode: UInt64, of key: String) throws {
        let link = "namespaces/\(inode)"
        if try run.readSymbolicLink(link) == key { return }
        try run.remove(link)
        try run.makeSymbolicLink(link, to: key)
    }

    borrowing func forgetNamespace(_ name: String) throws { try run.remove("namespaces/\(name)") }

    /// Replaces a record. The namespace's link is made first and removed last, so that a record is always found.
    borrowing func record(key: String, before: Sandbox?, after: Sandbox?) throws {
        if let after {
            if before?.identity.inode != after.identity.inode { try noteNamespace(after.identity.inode, of: key) }
            try replace("sandboxes/\(key)", with: after.json.bytes)
        } else {
            try run.remove("sandboxes/\(key)")
        }
        if let before, before.identity.inode != after?.identity.inode {
            let link = "namespaces/\(before.identity.inode)"
            if try run.readSymbolicLink(link) == key { try run.remove(link) }
        }
    }
}

// MARK: - Leases

extension Store {
    /// The key of the sandbox that has an address; nil when it is free.
    borrowing func owner(of address: IPAddress, network: String) throws(SystemError) -> String? {
        let path = "networks/\(network)/leases/\(address)"
        if isPretending && memory.pretence.freed.contains(path) { return nil }
        return try run.readSymbolicLink(path).flatMap { isReleased($0) ? nil : $0 }
    }

    borrowing func leases(network: String) throws -> [String] {
        isRaised(network) ? try run.entries(of: "networks/\(network)/leases") : []
    }

    /// Whether more than so many addresses of a network are given.
    borrowing func hasMoreLeases(than count: Int, network: String) throws(SystemError) -> Bool {
        try run.hasMoreEntries(than: count, in: "networks/\(network)/leases")
    }

    /// Gives an address to a sandbox; one that it has already is fine, one of another sandbox is EEXIST.
    borrowing func lease(_ address: IPAddress, network: String, owner: String) throws(SystemError) {
        let path = "networks/\(network)/leases/\(address)"
        do throws(SystemError) {
            try run.makeSymbolicLink(path, to: owner)
        } catch {
            guard error.errno == .fileExists, try run.readSymbolicLink(path) == owner else { throw error }
        }
    }

    /// Takes an address back from a sandbox; one that another sandbox has stays with it.
    borrowing func free(_ address: IPAddress, network: String, owner: String) throws(SystemError) {
        let path = "networks/\(network)/leases/\(address)"
        if try run.readSymbolicLink(path) == owner { try run.remove(path) }
    }

    /// The offset in a subnet of the address that was handed out last; 0 when none was.
    borrowing func cursor(_ subnet: Subnet, network: String) throws(SystemError) -> UInt64 {
        UInt64(try run.readSymbolicLink(Self.cursorPath(subnet, network)) ?? "") ?? 0
    }

    private static func cursorPath(_ subnet: Subnet, _ network: String) -> String {
        "networks/\(network)/cursor-\(subnet.prefix.address)"
    }

    borrowing func setCursor(_ subnet: Subnet, network: String, to offset: UInt64) throws(SystemError) {
        let path = Self.cursorPath(subnet, network)
        try run.remove(path)
        try run.makeSymbolicLink(path, to: "\(offset)")
    }
}

// MARK: - Intent

extension Store {
    /// The plan that a process was carrying out when it was killed; nil when none was.
    ///
    /// Whoever holds the lock is the only one who carries out anything, so a plan that lies here has lost its process.
    borrowing func interruptedPlan() throws -> NetworkPlan? {
        try Self.read("pending", in: run, run.file("pending"), "it was cut short before it began")
    }

    borrowing func begin(_ plan: NetworkPlan) throws { try replace("pending", with: plan.json.bytes) }

    borrowing func end() throws { try run.remove("pending") }
}
