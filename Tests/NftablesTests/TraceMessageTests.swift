import CNftnl
@testable import Netlink
@testable import Nftables
import Testing

@Suite("trace messages from a hostile sender")
struct TraceMessageTests {
    private func message(_ change: (inout MessageBuilder) -> Void = { _ in }) throws -> NetlinkMessage? {
        var builder = MessageBuilder(
            type: Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(NFT_MSG_TRACE.rawValue))
        builder.put(header: nfgenmsg(nfgen_family: 1, version: 0, res_id: 0))
        builder.put(Int(NFTA_TRACE_ID.rawValue), UInt32(7).bigEndian)
        builder.put(Int(NFTA_TRACE_TABLE.rawValue), "t")
        builder.put(Int(NFTA_TRACE_CHAIN.rawValue), "c")
        change(&builder)
        return NetlinkMessage.split(try builder.finished(sequence: 0)[...]).first
    }

    @Test func `headers that are cut off, or lie about themselves, make no packet`() throws {
        let v4: [UInt8] = [0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]
        let v6: [UInt8] = [0x60, 0, 0, 0, 0, 8, 0, 64] + [UInt8](repeating: 1, count: 32)
        func trace(_ network: [UInt8], _ transport: [UInt8]) throws -> PacketTrace.Packet? {
            let message = try message { builder in
                builder.put(Int(NFTA_TRACE_TYPE.rawValue), UInt32(NFT_TRACETYPE_POLICY.rawValue).bigEndian)
                builder.put(Int(NFTA_TRACE_POLICY.rawValue), UInt32(NF_ACCEPT).bigEndian)
                builder.put(Int(NFTA_TRACE_NETWORK_HEADER.rawValue), network)
                builder.put(Int(NFTA_TRACE_TRANSPORT_HEADER.rawValue), transport)
            }
            let trace = try #require(message.flatMap(PacketTrace.init))
            #expect(trace.step == .policy && trace.verdict == .accept && trace.identifier == 7)
            return trace.packet
        }
        let whole = try #require(try trace(v4, [0x10, 0, 0, 53, 0, 8, 0, 0]))
        #expect(whole.sourcePort == 4096 && whole.destinationPort == 53 && "\(whole.destination)" == "10.0.0.2")
        #expect(try trace(v4, [1, 2, 3])?.sourcePort == nil)
        // A hop-by-hop header comes before the transport.
        let options = try #require(try trace(v6, [0x10, 0, 0, 53]))
        #expect(options.transport == nil && options.destinationPort == nil)
        for length in 0..<20 { #expect(try trace(Array(v4.prefix(length)), []) == nil) }
        for length in 0..<40 { #expect(try trace(Array(v6.prefix(length)), []) == nil) }
        #expect(try trace([0x50] + v6, []) == nil)
    }

    @Test func `a step without its parts is none`() throws {
        #expect(try message().flatMap(PacketTrace.init) == nil)
        // A rule without a handle, and a type that nobody knows.
        for type: UInt32 in [NFT_TRACETYPE_RULE.rawValue, 99] {
            let message = try message { $0.put(Int(NFTA_TRACE_TYPE.rawValue), type.bigEndian) }
            #expect(message.flatMap(PacketTrace.init) == nil)
        }
        // A verdict that has no words here.
        let taken = try message { builder in
            builder.put(Int(NFTA_TRACE_TYPE.rawValue), UInt32(NFT_TRACETYPE_RETURN.rawValue).bigEndian)
            builder.nest(Int(NFTA_TRACE_VERDICT.rawValue)) {
                $0.put(Int(NFTA_VERDICT_CODE.rawValue), UInt32(NF_STOLEN).bigEndian)
            }
        }
        let trace = try #require(taken.flatMap(PacketTrace.init))
        #expect(trace.step == .return && trace.verdict == nil && trace.packet == nil)
    }
}
