import NetworkModel
import Nftables

/// Whose the table is, and so all that is ours in this network namespace: one run root's.
///
/// To another, what that has made would be left over from a crash: its interfaces those of nobody, its ports to be taken
/// back. So the table says where the records are that it was built from, unless that is the usual place.
extension Firewall {
    static let usualRoot = "/run/swnet"
    private static let mark = "the records are in "
    /// A comment has 128 bytes.
    private static let longest = 100

    /// What a table that is built from the records in a directory says of it.
    static func mark(ofRoot path: String) -> String? {
        path == usualRoot ? nil : mark + String(decoding: path.utf8.suffix(longest), as: UTF8.self)
    }

    /// Refuses to take what belongs to another run root for what is left over.
    ///
    /// Where that has no table, because it has only networks that the host does not route for, its links say so (`LinkMark`).
    mutating func checkOwner() throws {
        let tables = [
            (FirewallTable.networks, Ruleset.table, Ruleset.raw), (.sources, SourceGuard.table, SourceGuard.first),
        ]
        for (kind, table, chain) in tables where try isBuilt(kind) {
            let present = try socket.chains(of: table).first { $0.reference == chain.reference }
            if let present { try checkOwner(present) }
        }
    }

    private func checkOwner(_ present: Chain) throws {
        guard present.comment != owner else { return }
        let root = present.comment.map { String($0.dropFirst(Self.mark.count)) } ?? Self.usualRoot
        throw NetworkError(
            .taken,
            "what is here belongs to another swnet, whose records are in \(root) (swnet --run-root \(root); a network "
                + "namespace has room for one)")
    }
}
