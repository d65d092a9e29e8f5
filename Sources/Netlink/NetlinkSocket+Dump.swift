import CLinux
import SystemPackage

extension NetlinkSocket {
    /// Asks for one object and returns what came, which is empty when the kernel acknowledged without a word.
    public mutating func get(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage] {
        let answers = try exchange([request])
        for answer in answers {
            if let error = answer.error { throw error }
        }
        return answers.flatMap(\.messages)
    }

    /// Asks for every object and returns them when the list is whole. `NLM_F_DUMP` is set here.
    ///
    /// A list that changed while it was read (`NLM_F_DUMP_INTR`) may miss objects that were there all along, so it is
    /// asked for again, up to ten times.
    public mutating func dump(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage] {
        for _ in 0..<10 {
            if let messages = try dumpOnce(request) { return messages }
        }
        throw NetlinkError(
            request.operation, request.object, errno: .resourceTemporarilyUnavailable,
            hint: "the list kept changing while it was read")
    }

    /// nil when the list changed meanwhile.
    private mutating func dumpOnce(_ request: NetlinkRequest) throws(NetlinkError) -> [NetlinkMessage]? {
        let sequence = takeSequenceNumbers()
        do throws(NetlinkError) {
            try send(try request.message.finished(sequence: sequence, extraFlags: NLM_F_DUMP))
        } catch {
            throw error.about(request.operation, request.object)
        }
        var result: [NetlinkMessage] = []
        var interrupted = false
        while true {
            guard let messages = try receive() else {
                throw NetlinkError(
                    request.operation, request.object, errno: Errno(rawValue: EPROTO),
                    hint: "the kernel ended the list without saying so")
            }
            for message in messages where message.sequence == sequence {
                if message.flags & NLM_F_DUMP_INTR != 0 { interrupted = true }
                switch message.type {
                case Int(NLMSG_DONE), Int(NLMSG_ERROR):
                    if let error = message.failure { throw request.refused(error) }
                    return interrupted ? nil : result
                case Int(NLMSG_NOOP), Int(NLMSG_OVERRUN): continue
                default: result.append(message)
                }
            }
        }
    }
}
