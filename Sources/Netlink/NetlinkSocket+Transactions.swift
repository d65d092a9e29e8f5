import CLinux
import SystemPackage

extension NetlinkSocket {
    /// Sends one request and waits for its acknowledgement.
    public mutating func transact(_ request: NetlinkRequest) throws(NetlinkError) {
        try transact([request])
    }

    /// Sends one request and waits for its acknowledgement.
    public mutating func transact(_ message: MessageBuilder, operation: String, object: String) throws(NetlinkError) {
        try transact([NetlinkRequest(message, operation, object)])
    }

    /// Sends many requests in as few system calls as there can be, and fails with the first that the kernel refused.
    ///
    /// The kernel works through all of them in order; a refusal does not stop the ones behind it.
    public mutating func transact(_ requests: [NetlinkRequest]) throws(NetlinkError) {
        for result in try exchange(requests) {
            if let error = result.error { throw error }
        }
    }

    /// What came back for one request.
    public struct Answer: Sendable {
        /// nil when the kernel did as it was asked.
        public var error: NetlinkError?
        /// The messages that a get or an echo was answered with.
        public var messages: [NetlinkMessage] = []
    }

    /// Sends many requests in as few system calls as there can be, and returns an answer for each.
    ///
    /// - Throws: `NetlinkError` when a request cannot be sent or an answer is missing; not for a refusal.
    public mutating func exchange(_ requests: [NetlinkRequest]) throws(NetlinkError) -> [Answer] {
        var answers: [Answer] = []
        answers.reserveCapacity(requests.count)
        // The kernel drops what the receive buffer (208 KiB) has no room for. A window's worst case fits: every request
        // answered with a link, which is accounted with some 4 KiB.
        let window = 32
        for start in stride(from: 0, to: requests.count, by: window) {
            answers += try exchange(window: requests[start..<min(start + window, requests.count)])
        }
        return answers
    }

    private mutating func exchange(window requests: ArraySlice<NetlinkRequest>) throws(NetlinkError) -> [Answer] {
        guard let lastRequest = requests.last else { return [] }
        let first = takeSequenceNumbers(requests.count)
        let last = first + UInt32(requests.count - 1)
        var bytes: [UInt8] = []
        for (sequence, request) in zip(first...last, requests) {
            do throws(NetlinkError) {
                // Refusals are always answered, successes when asked: asking for the last alone saves a system call
                // for each of the others.
                bytes += try request.message.finished(
                    sequence: sequence, extraFlags: sequence == last ? NLM_F_ACK : 0)
            } catch {
                throw error.about(request.operation, request.object)
            }
        }
        try send(bytes)
        var answers = [Answer](repeating: Answer(), count: requests.count)
        while true {
            guard let messages = try receive() else {
                throw NetlinkError(
                    lastRequest.operation, lastRequest.object, errno: Errno(rawValue: EPROTO),
                    hint: "the kernel sent no answer")
            }
            // What has another number answers a request that failed half-way before this one.
            for message in messages where (first...last).contains(message.sequence) {
                let index = Int(message.sequence - first)
                guard message.type == Int(NLMSG_ERROR) else {
                    answers[index].messages.append(message)
                    continue
                }
                let request = requests[requests.startIndex + index]
                answers[index].error = message.failure.map(request.refused)
                if message.sequence == last { return answers }
            }
        }
    }

    /// The answer to one message of a buffer that was laid out elsewhere.
    public struct Acknowledgement: Sendable {
        public var sequence: UInt32
        /// nil for success; operation and object are empty, for the caller knows them.
        public var error: NetlinkError?
    }

    /// Sends a buffer of messages laid out by someone else (libnftnl's batch) in one `sendmsg`, and returns every
    /// acknowledgement and refusal whose number is in `sequences`, in the order in which they came.
    ///
    /// Which messages are acknowledged is up to their `NLM_F_ACK`; a refusal always comes. Number the messages with
    /// `takeSequenceNumbers`.
    public mutating func exchange(
        _ bytes: [UInt8], sequences: ClosedRange<UInt32>
    ) throws(NetlinkError) -> [Acknowledgement] {
        reserveAnswers(sequences.count)
        try send(bytes)
        var acknowledgements: [Acknowledgement] = []
        var overrun: NetlinkError?
        while true {
            do throws(NetlinkError) {
                // Everything that will ever come is there already, so the end of the queue is the end of the answer.
                guard let messages = try receive() else { break }
                for message in messages where message.type == Int(NLMSG_ERROR) && sequences.contains(message.sequence) {
                    acknowledgements.append(Acknowledgement(sequence: message.sequence, error: message.failure))
                }
            } catch {
                // The socket's buffer ran over: what is in it is still good, and the first refusals are what matters.
                guard error.errno == .noBufferSpace, overrun == nil else { throw error }
                overrun = error
            }
        }
        if let overrun, !acknowledgements.contains(where: { $0.error != nil }) { throw overrun }
        return acknowledgements
    }
}
