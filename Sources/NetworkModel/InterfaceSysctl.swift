import Addressing

/// A kernel parameter of one interface, in docker's words: `net.ipv4.conf.IFNAME.forwarding=1`.
///
/// IFNAME stands for the interface, whatever its name turns out to be; no other interface can be named.
public struct InterfaceSysctl: Hashable, Sendable {
    /// `net.ipv4.conf`, one of `groups`.
    public let group: String
    /// `forwarding`.
    public let parameter: String
    public let value: String

    /// Directories of /proc/sys that have one for each interface.
    public static let groups = ["net.ipv4.conf", "net.ipv6.conf", "net.ipv4.neigh", "net.ipv6.neigh", "net.mpls.conf"]

    /// The word that stands for the interface.
    public static let placeholder = "IFNAME"

    /// The parameter's file below /proc/sys.
    public func path(interface: String) -> String {
        "\(group.split(separator: ".").joined(separator: "/"))/\(interface)/\(parameter)"
    }

    /// Whether two values are the same to the kernel, which separates numbers by tabs.
    public static func isSame(_ a: String, _ b: String) -> Bool {
        if a.split(whereSeparator: { $0 == " " || $0 == "\t" }) == b.split(whereSeparator: { $0 == " " || $0 == "\t" })
        {
            return true
        }
        // The kernel writes an address of IPv6 in full (`stable_secret`).
        return IPAddress(a).map { $0 == IPAddress(b) } ?? false
    }

    /// The same parameter, whatever the value.
    public var name: String { "\(group).\(Self.placeholder).\(parameter)" }
}

extension InterfaceSysctl: LosslessStringConvertible {
    public init?(_ text: String) { try? self.init(parsing: text) }

    /// - Throws: `NetworkError` that says which part is not what it should be.
    public init(parsing text: String) throws(NetworkError) {
        let parts = text.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 2 else { throw Self.wrong(text, "it is not NAME=VALUE") }
        let words = parts[0].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        let group = words.prefix(3).joined(separator: ".")
        guard words.count == 5, Self.groups.contains(group) else {
            throw Self.wrong(
                text, "its name is none of " + Self.groups.map { "\($0).IFNAME.…" }.joined(separator: ", "))
        }
        guard words[3] == Self.placeholder else {
            throw Self.wrong(text, "'\(words[3])' stands where IFNAME should")
        }
        let isName = words[4].utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"): true
            default: false
            }
        }
        guard !words[4].isEmpty, isName else { throw Self.wrong(text, "'\(words[4])' is no parameter's name") }
        let value = parts[1]
        guard (1...256).contains(value.utf8.count), value.utf8.allSatisfy({ (0x20..<0x7f).contains($0) }) else {
            throw Self.wrong(text, "its value is empty, too long or not printable")
        }
        self.group = group
        parameter = words[4]
        self.value = value
    }

    private static func wrong(_ text: String, _ what: String) -> NetworkError {
        NetworkError(.invalid, "sysctl '\(text)': \(what)")
    }

    public var description: String { "\(name)=\(value)" }
}
