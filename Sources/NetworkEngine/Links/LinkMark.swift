import NetworkModel
import Rtnetlink

/// How an alias begins that tells what we have made from what others have: by it anything left over is recognised.
///
/// Several run roots may be in use in one network namespace as long as the host does not route for their networks. To one
/// of them, what another has made would be left over, so every root but the usual has a mark of its own.
struct LinkMark: Hashable {
    private static let usual = "swnet"
    private let word: String

    init(ofRoot path: String) {
        // FNV-1a, for the path may be longer than an alias (255 bytes).
        let number = path.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        word = path == Firewall.usualRoot ? Self.usual : "\(Self.usual)@\(String(number, radix: 16))"
    }

    func alias(of network: Network) -> String { "\(word) network \(network.name)" }

    func alias(of endpoint: Endpoint, _ sandbox: String) -> String { "\(word) \(endpoint.network) \(sandbox)" }

    /// Whether the link was made for this run root.
    func isOn(_ link: Link) -> Bool { link.alias?.hasPrefix("\(word) ") == true }

    /// Whether it was made for any.
    static func isOnAny(_ link: Link) -> Bool {
        link.alias.map { $0.hasPrefix("\(usual) ") || $0.hasPrefix("\(usual)@") } ?? false
    }
}
