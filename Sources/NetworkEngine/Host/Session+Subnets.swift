import Addressing
import CLinux
import JSONCoding
import LinuxSystem
import NetworkModel
import SystemPackage

/// Subnets for networks whose makers name none.
extension Session {
    /// One of each family that this host has, which nothing uses.
    ///
    /// - Throws: `NetworkError` when every subnet of the pools is in use, or the configuration cannot be read.
    func choosePrefixes(_ request: NetworkRequest, avoiding occupied: [IPPrefix]) throws -> [IPPrefix] {
        let configuration = try NetworkConfiguration(path: configurationPath)
        let own = configuration.pools(.v4)
        // A host that routes most of the private ranges elsewhere has no large subnet left, and small ones.
        let builtIn: [SubnetPool] = request.name == NetworkName.default ? [.defaultNetwork, .networks] : [.networks]
        let candidates = own.isEmpty ? builtIn : own
        guard let choice = candidates.lazy.compactMap({ $0.first(avoiding: occupied) }).first else {
            throw exhausted(candidates)
        }
        guard try Sysctl.read("net/ipv6/conf/default/disable_ipv6") == "0" else { return [choice] }
        let pools = try configuration.pools(.v6).isEmpty ? [uniqueLocalPool()] : configuration.pools(.v6)
        guard let local = pools.lazy.compactMap({ $0.first(avoiding: occupied) }).first else { throw exhausted(pools) }
        return [choice, local]
    }

    private func exhausted(_ pools: [SubnetPool]) -> NetworkError {
        let ranges = pools.flatMap { pool in pool.ranges.map { "\($0) in /\(pool.length)s" } }.joined(separator: ", ")
        return NetworkError(
            .taken,
            "every subnet of the pools is in use by networks or by the host's routes (\(ranges)): name one (--subnet), "
                + "or give it more (default-address-pools in \(configurationPath ?? NetworkConfiguration.standardPath))"
        )
    }

    /// The /64s of this host's own unique local /48, which is chosen at random once (RFC 4193, section 3.2).
    private func uniqueLocalPool() throws -> SubnetPool {
        let prefix: IPPrefix
        if let known = try store.uniqueLocalPrefix() {
            prefix = known
        } else {
            guard let chosen = SubnetPool.uniqueLocal(random: randomBytes(5)) else {
                throw NetworkError(.failed, "there is no unique local prefix")
            }
            if planned == nil { try store.setUniqueLocalPrefix(chosen) }
            prefix = chosen
        }
        return SubnetPool(ranges: [prefix], length: 64)
    }
}

extension NetworkConfiguration {
    /// Where it is when nobody says otherwise; it need not be there.
    static let standardPath = "/etc/swnet/config.json"

    /// Reads a file, or the standard one if there is one.
    ///
    /// - Throws: `NetworkError` that names the file, and the line or field that is wrong.
    init(path: String?) throws {
        let file = path ?? Self.standardPath
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try Descriptor.open(file, O_RDONLY | O_NONBLOCK).readAll(limit: 1 << 20)
        } catch {
            if path == nil, error.errno == .noSuchFileOrDirectory || error.errno == .notDirectory {
                self.init()
                return
            }
            let error = SystemError(error.operation, file, errno: error.errno)
            throw NetworkError(.invalid, "read the configuration: \(error)")
        }
        do {
            try self.init(JSONValue(parsing: bytes))
        } catch {
            throw NetworkError(.invalid, "\(file): \(error)")
        }
    }
}

extension Store {
    private static var prefixFile: String { "../unique-local" }

    /// The unique local prefix of this host; nil before one was chosen, and for a file that says something else.
    borrowing func uniqueLocalPrefix() throws -> IPPrefix? {
        guard let bytes = try definitions.readFile(Self.prefixFile) else { return nil }
        let text = String(decoding: bytes.filter { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        return IPPrefix(text).flatMap { $0.family == .v6 && $0.length == 48 && $0.isNetwork ? $0 : nil }
    }

    borrowing func setUniqueLocalPrefix(_ prefix: IPPrefix) throws {
        try definitions.replace(Self.prefixFile, with: Array("\(prefix)\n".utf8))
    }
}
