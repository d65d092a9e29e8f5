import Addressing
import Nftables
import TestSupport
import Testing

@Suite("the ruleset of the networks")
struct SketchTests {
    @Test func `nft lists it as it lists the same loaded by nft`() throws {
        let ours = try NetworkNamespaceFixture()
        let theirs = try NetworkNamespaceFixture()
        var socket = try NftablesSocket(in: ours.namespace)
        try socket.commit(Sketch().batch(populated: true))
        try theirs.nftLoad(Sketch.text)
        let listed = try ours.normalizedList("table", "inet", "swnet")
        let expected = try theirs.normalizedList("table", "inet", "swnet")
        #expect(listed == expected)
        #expect(listed == normalized(Sketch.text))

        // The words are the same; so is what they stand for.
        var other = try NftablesSocket(in: theirs.namespace)
        for chain in try socket.chains(of: Sketch().table) {
            let rules = try socket.rules(of: chain).map(\.statements)
            let expected = try other.rules(of: chain).map(\.statements)
            #expect(rules == expected)
        }
    }
}
