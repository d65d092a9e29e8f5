public import JSONCoding

/// Something that happened to the networks of a host, whoever did it.
public struct NetworkEvent: Hashable, Sendable {
    public enum Kind: String, CaseIterable, Hashable, Sendable {
        case networkCreated = "network-created"
        case networkRemoved = "network-removed"
        case connected
        case disconnected
        case published
        case unpublished
        /// Somebody else has changed our table of the firewall.
        case interfered
        /// The kernel is not as it is recorded any more.
        case damaged
        /// What was damaged is right again.
        case mended
        /// `swnet repair` or `swnet watch` has made something right.
        case repaired
        /// There was more than could be heard; everything was read anew.
        case lost
    }

    public var kind: Kind
    public var network: String?
    public var sandbox: String?
    /// In the sandbox.
    public var interface: String?
    public var addresses: [String] = []
    public var port: String?
    /// What is damaged, mended or repaired: `network lab`, `web on lab`, `firewall`.
    public var object: String?
    public var problem: String?
    /// Who interfered, where the kernel says it.
    public var process: Int32?
    public var command: String?

    public init(_ kind: Kind) { self.kind = kind }

    public init(_ kind: Kind, _ object: String, _ problem: String) {
        self.kind = kind
        self.object = object
        self.problem = problem
    }
}

extension NetworkEvent: CustomStringConvertible {
    public var description: String {
        switch kind {
        case .networkCreated: "network \(network ?? "") created"
        case .networkRemoved: "network \(network ?? "") removed"
        case .connected:
            "\(sandbox ?? "") connected to \(network ?? ""): \(([interface ?? ""] + addresses).joined(separator: " "))"
        case .disconnected: "\(sandbox ?? "") disconnected from \(network ?? ""): \(interface ?? "")"
        case .published: "\(sandbox ?? "") publishes \(port ?? "")"
        case .unpublished: "\(sandbox ?? "") no longer publishes \(port ?? "")"
        case .interfered, .damaged, .mended, .repaired:
            "\(kind.rawValue): \(object ?? ""): \(problem ?? "")" + (who.map { " by \($0)" } ?? "")
        case .lost: "lost: more happened than could be heard; everything was read anew"
        }
    }

    private var who: String? {
        guard process != nil || command != nil else { return nil }
        guard let process else { return command }
        return command.map { "\($0) (process \(process))" } ?? "process \(process)"
    }
}

extension NetworkEvent {
    /// - Parameter time: RFC 3339.
    public func json(time: String) -> JSONValue {
        JSONValue([
            "time": .string(time), "event": .string(kind.rawValue), "network": network.map { .string($0) },
            "sandbox": sandbox.map { .string($0) }, "interface": interface.map { .string($0) },
            "addresses": addresses.isEmpty ? nil : .array(addresses.map { .string($0) }),
            "port": port.map { .string($0) }, "object": object.map { .string($0) },
            "problem": problem.map { .string($0) }, "pid": process.map { .integer(Int($0)) },
            "command": command.map { .string($0) },
        ])
    }
}
