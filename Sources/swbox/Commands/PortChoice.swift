import Addressing
import CLinux
import CommandSupport
import NetworkModel

/// `-p` as docker has it, which may leave the host's port open: `80`, `127.0.0.1::80`.
enum PortChoice {
    static func mapping(parsing text: String) throws -> PortMapping {
        guard let choice = withoutHostPort(text) else { return try PortMapping(parsing: text) }
        // Parsed with any port first, so that everything else of it is checked before a port is looked for.
        _ = try PortMapping(parsing: choice.text(1))
        for _ in 0..<16 {
            guard let port = freePort(isDatagram: choice.isDatagram) else { break }
            return try PortMapping(parsing: choice.text(port))
        }
        throw CommandFailure("port '\(text)': the host has no free port", status: .engineFailure)
    }

    private struct Choice {
        var host: String
        var port: String
        var suffix: String
        var isDatagram: Bool { suffix == "/udp" }

        func text(_ hostPort: UInt16) -> String { "\(host)\(hostPort):\(port)\(suffix)" }
    }

    private static func withoutHostPort(_ text: String) -> Choice? {
        let slash = text.lastIndex(of: "/")
        let suffix = slash.map { String(text[$0...]) } ?? ""
        let rest = slash.map { text[..<$0] } ?? text[...]
        if UInt16(rest) != nil { return Choice(host: "", port: String(rest), suffix: suffix) }
        guard let gap = rest.range(of: "::", options: .last), !rest[..<gap.lower].isEmpty,
            UInt16(rest[gap.upper...]) != nil, !rest[..<gap.lower].contains(":") || rest[..<gap.lower].hasSuffix("]")
        else { return nil }
        return Choice(host: "\(rest[..<gap.lower]):", port: String(rest[gap.upper...]), suffix: suffix)
    }

    /// A port of the host that nobody is bound to now. The corresponding system call is `bind` with port 0.
    private static func freePort(isDatagram: Bool) -> UInt16? {
        let type = Int32(isDatagram ? SOCK_DGRAM.rawValue : SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let socket = socket(AF_INET, type, 0)
        guard socket >= 0 else { return nil }
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            bind(socket, __CONST_SOCKADDR_ARG(__sockaddr_in__: pointer), length) == 0
                && getsockname(socket, __SOCKADDR_ARG(__sockaddr_in__: pointer), &length) == 0
        }
        return isBound ? UInt16(bigEndian: address.sin_port) : nil
    }
}

extension Substring {
    fileprivate enum Search { case last }

    fileprivate func range(of text: String, options: Search) -> (lower: Index, upper: Index)? {
        var found: (Index, Index)?
        var index = startIndex
        while index < endIndex {
            if self[index...].hasPrefix(text) { found = (index, self.index(index, offsetBy: text.count)) }
            index = self.index(after: index)
        }
        return found
    }
}
