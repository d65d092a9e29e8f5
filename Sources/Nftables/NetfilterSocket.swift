import LinuxSystem
import Netlink

/// How every connection to netfilter is opened.
extension NetlinkSocket {
    /// In the calling thread's network namespace.
    static func netfilter() throws(NftablesError) -> NetlinkSocket {
        do throws(NetlinkError) {
            return try NetlinkSocket(.netfilter)
        } catch {
            throw NftablesError(error)
        }
    }

    /// In another network namespace.
    ///
    /// - Throws: `NftablesError`, or `SystemError` when the namespace cannot be entered.
    static func netfilter(in namespace: borrowing Namespace) throws -> NetlinkSocket {
        do {
            return try NetlinkSocket(.netfilter, in: namespace)
        } catch let error as NetlinkError {
            throw NftablesError(error)
        }
    }
}
