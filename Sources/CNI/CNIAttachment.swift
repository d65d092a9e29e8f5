public import Addressing

/// What a runtime knows an attachment by: the container and the interface in it (section 3).
public struct CNIAttachment: Hashable, Sendable {
    /// A letter or digit, then letters, digits, `_`, `.`, `-`; at most 200, because it is a file's name here.
    public let container: String
    public let interface: InterfaceName

    static let longestContainer = 200

    /// - Returns: nil when either cannot be what it is.
    public init?(container: String, interface: String) {
        guard Self.isIdentifier(container), container.utf8.count <= Self.longestContainer,
            let interface = InterfaceName(interface)
        else { return nil }
        self.container = container
        self.interface = interface
    }

    /// Whether a text may name a container or a network: section 1, `name`; section 2, `CNI_CONTAINERID`.
    static func isIdentifier(_ text: String) -> Bool {
        let isAlphanumeric = { (byte: UInt8) in
            switch byte {
            case 0x30...0x39, 0x41...0x5a, 0x61...0x7a: true
            default: false
            }
        }
        guard let first = text.utf8.first, isAlphanumeric(first) else { return false }
        return text.utf8.allSatisfy { isAlphanumeric($0) || "_.-".utf8.contains($0) }
    }
}
