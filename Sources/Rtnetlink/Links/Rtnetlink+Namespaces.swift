import CLinux
public import Netlink
import SystemPackage

extension Rtnetlink {
    /// The id by which this namespace knows another one, given as an open namespace file; it gets one when it has none.
    ///
    /// It is what `Link.peerNamespace` says. Equivalent to `ip netns set $name auto; ip netns list-id`.
    ///
    /// - Throws: `NetlinkError`; EINVAL when the file is no network namespace.
    public mutating func namespaceIdentifier(of descriptor: Int32) throws(NetlinkError) -> Int32 {
        func message(_ type: Int) -> MessageBuilder {
            var message = MessageBuilder(type: type)
            message.put(header: rtgenmsg())
            message.put(NETNSA_FD, UInt32(bitPattern: descriptor))
            return message
        }
        var assignment = message(RTM_NEWNSID)
        assignment.put(NETNSA_NSID, NETNSA_NSID_NOT_ASSIGNED)
        let answers = try socket.exchange([
            NetlinkRequest(assignment, "name namespace", "\(descriptor)"),
            NetlinkRequest(message(RTM_GETNSID), "look up namespace", "\(descriptor)"),
        ])
        // EEXIST: it has one.
        if let error = answers.lazy.compactMap(\.error).first(where: { $0.errno != .fileExists }) { throw error }
        let found = answers.last?.messages.first.flatMap { $0.attributes(after: rtgenmsg.self)[NETNSA_NSID]?.i32 }
        guard let found, found >= 0 else {
            throw NetlinkError("look up namespace", "\(descriptor)", errno: Errno(rawValue: EPROTO))
        }
        return found
    }
}
