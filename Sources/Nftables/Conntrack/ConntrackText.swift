public import Addressing
import LinuxSystem

/// What the kernel's text about tracked connections answers quickly: whether any is worth a list.
///
/// A list through netlink takes a lock for each bucket of the whole table, also for the empty ones: 10 ms of 262,144. The
/// text is read without them, in 0.3 ms and 1.5 µs for each connection (Linux 6.18), until that is more than the list's.
///
/// Source: `nf_conntrack_standalone.c`. Equivalent to `grep … /proc/net/nf_conntrack`.
extension ConntrackSocket {
    private static let path = "/proc/thread-self/net/nf_conntrack"
    private static let longest = 4096

    /// Whether a connection may come from one of these addresses, or go to one of these ports, in one of its directions.
    ///
    /// Of the calling thread's network namespace, which is to be the socket's. True when nobody knows: of a kernel without
    /// this text, which is built without `CONFIG_NF_CONNTRACK_PROCFS`, and of many connections.
    public mutating func mayHold(from addresses: Set<IPAddress>, to ports: Set<UInt16>) -> Bool {
        guard let count = try? count(), count <= Self.longest,
            let text = try? Descriptor.open(Self.path).readAll()
        else { return true }
        return Self.mentions(text, addresses, ports)
    }

    /// The tracked connections whose first packet came from one of these addresses.
    ///
    /// Each list is a walk through the whole table, so of few connections there is one of all; of many it is asked for
    /// each address, because what the kernel tells of them costs more.
    public mutating func connections(from addresses: Set<IPAddress>) throws(NftablesError) -> [TrackedConnection] {
        if addresses.count > 1, try count() <= Self.longest {
            let all = try connections()
            return all.filter { addresses.contains($0.original.source) }
        }
        var found: [TrackedConnection] = []
        for address in addresses { found += try connections(ConntrackFilter(source: address)) }
        return found
    }

    static func mentions(_ text: [UInt8], _ addresses: Set<IPAddress>, _ ports: Set<UInt16>) -> Bool {
        text.split(whereSeparator: { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\n") }).contains { word in
            if word.starts(with: "src=".utf8) {
                IPAddress(value(word)).map(addresses.contains) ?? true
            } else if word.starts(with: "dport=".utf8) {
                UInt16(value(word)).map(ports.contains) ?? true
            } else {
                false
            }
        }
    }

    private static func value(_ word: ArraySlice<UInt8>) -> String {
        String(decoding: word.drop { $0 != UInt8(ascii: "=") }.dropFirst(), as: UTF8.self)
    }
}
