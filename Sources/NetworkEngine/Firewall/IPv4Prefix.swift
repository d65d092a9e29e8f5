import Addressing
import Nftables

/// Prefixes that rules name.
enum IPv4Prefix {
    /// 127.0.0.0/8 (RFC 1122, section 3.2.1.3).
    static let loopback = IPPrefix("127.0.0.0/8").map { Value.prefix($0) }
}
