public import Addressing
import CLinux
public import LinuxSystem
import SystemPackage

/// How a table of the old packet filter is read and replaced: options of a raw socket.
extension LegacyTable {
    /// Reads a table of the calling thread's network namespace.
    ///
    /// - Returns: nil when there is none. None is made by asking: the kernel would, so its own list is read first.
    /// - Throws: `SystemError`. The corresponding system call is `getsockopt(IPT_SO_GET_INFO)`.
    public init?(reading name: String, _ family: IPFamily) throws(SystemError) {
        guard try Self.names(family).contains(name) else { return nil }
        let socket = try Self.socket(family)
        // Somebody may replace it between the two questions.
        for _ in 0..<16 {
            var info = [UInt8](repeating: 0, count: MemoryLayout<ipt_getinfo>.size)
            info.put(name, in: 0..<Int(XT_TABLE_MAXNAMELEN))
            try Self.ask(socket, family, IPT_SO_GET_INFO, &info, "read table", name)
            let words = stride(from: Int(XT_TABLE_MAXNAMELEN), to: info.count, by: 4).map {
                info.number(UInt32.self, at: $0)
            }
            let (count, size) = (words[11], words[12])
            var entries = [UInt8](repeating: 0, count: MemoryLayout<ipt_get_entries>.size + Int(size))
            entries.put(name, in: 0..<Int(XT_TABLE_MAXNAMELEN))
            entries.put(size, at: Int(XT_TABLE_MAXNAMELEN))
            do throws(SystemError) {
                try Self.ask(socket, family, IPT_SO_GET_ENTRIES, &entries, "read table", name)
            } catch {
                guard error.errno == .resourceTemporarilyUnavailable else { throw error }
                continue
            }
            self.init(
                family: family, name: name, hooks: words[0], beginnings: Array(words[1..<6]),
                policies: Array(words[6..<11]), bytes: Array(entries.dropFirst(MemoryLayout<ipt_get_entries>.size)),
                count: Int(count))
            return
        }
        throw SystemError("read table", Self.words(family, name), errno: .resourceTemporarilyUnavailable)
    }

    /// Reads, changes and replaces a table while no other program does: they all take one lock (iptables(8), `-w`).
    ///
    /// - Parameter change: Whether there is something to replace.
    /// - Throws: `SystemError`. The corresponding system call is `setsockopt(IPT_SO_SET_REPLACE)`.
    public static func edit(
        _ name: String, _ family: IPFamily, _ change: (inout LegacyTable) -> Bool
    ) throws(SystemError) {
        let lock = try lock()
        if var table = try LegacyTable(reading: name, family), change(&table) { try table.replace() }
        _ = consume lock
    }

    private static let lockPath = "/run/xtables.lock"

    private static func lock() throws(SystemError) -> FileLock {
        // Five seconds: a firewall that is being loaded takes less.
        for _ in 0..<100 {
            if let lock = try FileLock.attempt(lockPath) { return lock }
            usleep(50_000)
        }
        throw SystemError(
            "lock", lockPath, errno: .resourceTemporarilyUnavailable, hint: "another program changes the firewall")
    }

    private func replace() throws(SystemError) {
        let places = self.places
        let socket = try Self.socket(family)
        // struct ipt_replace: what the table is to be, and room for the counters of the rules that there were.
        var request = unsafe [UInt8](repeating: 0, count: MemoryLayout<ipt_replace>.size)
        request.put(name, in: 0..<Int(XT_TABLE_MAXNAMELEN))
        let words =
            [hooks, UInt32(places.count), UInt32(bytes.count)] + beginnings + policies + [UInt32(originalCount)]
        for (index, word) in words.enumerated() { request.put(word, at: Int(XT_TABLE_MAXNAMELEN) + index * 4) }
        let pointer = unsafe MemoryLayout<ipt_replace>.offset(of: \ipt_replace.counters) ?? 0
        request += bytes
        var counters = [UInt8](repeating: 0, count: originalCount * MemoryLayout<xt_counters>.size)
        let status = unsafe counters.withUnsafeMutableBytes { room in
            request.put(UInt(bitPattern: room.baseAddress), at: pointer)
            return unsafe request.withUnsafeBytes {
                unsafe setsockopt(
                    socket.rawValue, Self.level(family), IPT_SO_SET_REPLACE, $0.baseAddress, socklen_t($0.count))
            }
        }
        guard status == 0 else { throw SystemError("replace table", Self.words(family, name), errno: .last) }
        // The kernel begins to count anew; what was counted is added, rule by rule, as the programs of others do it.
        var addition = [UInt8](repeating: 0, count: MemoryLayout<xt_counters_info>.size)
        addition.put(name, in: 0..<Int(XT_TABLE_MAXNAMELEN))
        addition.put(UInt32(places.count), at: Int(XT_TABLE_MAXNAMELEN))
        let layout = LegacyLayout(family: family)
        for (_, entry) in places {
            addition += entry.bytes[layout.counters..<(layout.counters + MemoryLayout<xt_counters>.size)]
        }
        _ = unsafe addition.withUnsafeBytes {
            unsafe setsockopt(
                socket.rawValue, Self.level(family), IPT_SO_SET_ADD_COUNTERS, $0.baseAddress, socklen_t($0.count))
        }
    }

    /// The tables that there are. Loading a kernel module is not our business.
    private static func names(_ family: IPFamily) throws(SystemError) -> [String] {
        let path = "/proc/self/net/\(family == .v4 ? "ip" : "ip6")_tables_names"
        do throws(SystemError) {
            let text = String(decoding: try Descriptor.open(path, O_RDONLY).readAll(), as: UTF8.self)
            return text.split(separator: "\n").map(String.init)
        } catch {
            guard error.errno == .noSuchFileOrDirectory else { throw error }
            return []
        }
    }

    private static func socket(_ family: IPFamily) throws(SystemError) -> Descriptor {
        let descriptor = CLinux.socket(
            family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue),
            Int32(IPPROTO_RAW))
        guard descriptor >= 0 else { throw SystemError("open a raw socket for", family.rawValue, errno: .last) }
        return Descriptor(owning: descriptor)
    }

    private static func level(_ family: IPFamily) -> Int32 { Int32(family == .v4 ? IPPROTO_IP : IPPROTO_IPV6) }

    private static func words(_ family: IPFamily, _ name: String) -> String {
        "\(family == .v4 ? "ip" : "ip6") \(name) (iptables-legacy)"
    }

    private static func ask(
        _ socket: borrowing Descriptor, _ family: IPFamily, _ option: Int32, _ answer: inout [UInt8],
        _ operation: String, _ name: String
    ) throws(SystemError) {
        let number = socket.rawValue
        var length = socklen_t(answer.count)
        let status = unsafe answer.withUnsafeMutableBytes {
            unsafe getsockopt(number, level(family), option, $0.baseAddress, &length)
        }
        guard status == 0 else { throw SystemError(operation, words(family, name), errno: .last) }
    }
}
