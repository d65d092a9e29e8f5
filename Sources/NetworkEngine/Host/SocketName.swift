import Addressing
import CLinux

/// An address and a port as system calls take them: `struct sockaddr_in` or `sockaddr_in6`.
struct SocketName: Hashable {
    private(set) var bytes: [UInt8]

    init(_ address: IPAddress, port: UInt16) {
        switch address {
        case .v4(let address):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            name.sin_addr.s_addr = address.rawValue.bigEndian
            bytes = withUnsafeBytes(of: &name) { Array($0) }
        case .v6(let address):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            withUnsafeMutableBytes(of: &name.sin6_addr) { $0.copyBytes(from: address.bytes) }
            bytes = withUnsafeBytes(of: &name) { Array($0) }
        }
    }

    /// What a call has written; `capacity` bytes are enough for either family.
    init(bytes: [UInt8]) { self.bytes = bytes }

    static let capacity = MemoryLayout<sockaddr_in6>.size

    func withPointer<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        bytes.withUnsafeBytes { buffer in
            buffer.withMemoryRebound(to: sockaddr.self) { names in
                // An array of bytes begins where any structure may.
                guard let pointer = names.baseAddress else { preconditionFailure("a socket's name is never empty") }
                return body(pointer, socklen_t(buffer.count))
            }
        }
    }

    /// The corresponding system call is `bind`.
    func bind(_ socket: Int32) -> Int32 {
        withPointer { CLinux.bind(socket, __CONST_SOCKADDR_ARG(__sockaddr__: $0), $1) }
    }

    /// The corresponding system call is `connect`.
    func connect(_ socket: Int32) -> Int32 {
        withPointer { CLinux.connect(socket, __CONST_SOCKADDR_ARG(__sockaddr__: $0), $1) }
    }
}
