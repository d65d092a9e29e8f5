import LinuxSystem
import Testing

@Suite("sequenced sockets")
struct SequencedSocketTests {
    @Test func `the last words of a peer that read nothing are heard`() throws {
        let pair = try SequencedSocket.pair()
        let near = pair.near
        try near.send([1])
        try speakAndEnd(pair.far)
        let words = try near.receive(limit: 16)?.bytes
        #expect(words == [7, 7])
        let end = try near.receive(limit: 16)?.bytes
        #expect(end == nil)
    }

    private func speakAndEnd(_ socket: consuming SequencedSocket) throws { try socket.send([7, 7]) }
}
