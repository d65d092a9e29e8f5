import Addressing
import NetworkModel
import Nftables

/// What tells the packets of one conversation from others, whatever is translated on the way.
struct TraceFlow {
    enum Direction { case request, answer }

    var transport: TraceTarget.Transport
    /// The port that the first packet comes from, or the identifier of an echo request.
    var number: UInt16

    init(_ transport: TraceTarget.Transport, number: UInt16) {
        self.transport = transport
        self.number = number
    }

    /// The conversation that a packet begins.
    init?(_ transport: TraceTarget.Transport, first step: PacketTrace) {
        guard let number = transport == .icmp ? step.echo?.identifier : step.packet?.sourcePort else { return nil }
        self.init(transport, number: number)
    }

    /// nil for a packet of another conversation.
    func direction(of step: PacketTrace) -> Direction? {
        if transport == .icmp {
            guard let echo = step.echo, echo.identifier == number else { return nil }
            return echo.isRequest ? .request : .answer
        }
        guard let packet = step.packet, packet.transport == (transport == .tcp ? .tcp : .udp) else { return nil }
        return packet.sourcePort == number ? .request : packet.destinationPort == number ? .answer : nil
    }

    /// The matches of a rule for the conversation's packets that go one way.
    func matches(_ direction: Direction, to target: TraceTarget) -> [Statement] {
        switch (transport, direction) {
        case (.tcp, .request):
            return Self.matches(to: target) + [.match(.tcp(.sport), is: .service(number))]
        case (.udp, .request):
            return Self.matches(to: target) + [.match(.udp(.sport), is: .service(number))]
        case (.icmp, .request): return Self.matches(to: target) + identifier
        case (.tcp, .answer): return [.match(.tcp(.dport), is: .service(number))]
        case (.udp, .answer): return [.match(.udp(.dport), is: .service(number))]
        case (.icmp, .answer):
            let isV4 = target.address.family == .v4
            return [isV4 ? .match(.icmpType, is: .bytes([0])) : .match(.icmpv6Type, is: .bytes([129]))] + identifier
        }
    }

    /// The same where addresses, and the other port, may be translated already.
    func laterMatches(_ direction: Direction) -> [Statement] {
        switch (transport, direction) {
        case (.tcp, .request): [.match(.tcp(.sport), is: .service(number))]
        case (.udp, .request): [.match(.udp(.sport), is: .service(number))]
        case (.tcp, .answer): [.match(.tcp(.dport), is: .service(number))]
        case (.udp, .answer): [.match(.udp(.dport), is: .service(number))]
        case (.icmp, _): identifier
        }
    }

    /// Bytes 4 and 5 of an echo message (RFC 792, RFC 4443).
    private var identifier: [Statement] {
        let register = Expression.Register(rawValue: 1)
        return [
            .expression(.payload(.transport, offset: 4, length: 2, to: register)),
            .expression(.compare(register, .equal, [UInt8(number >> 8), UInt8(number & 0xff)])),
        ]
    }

    /// The matches of a rule for any first packet to a target.
    static func matches(to target: TraceTarget) -> [Statement] {
        var statements: [Statement]
        switch target.address {
        case .v4(let address): statements = [.match(.ip(.daddr), is: .ipv4(address))]
        case .v6(let address): statements = [.match(.ip6(.daddr), is: .ipv6(address))]
        }
        switch target.transport {
        case .tcp:
            statements.append(.match(.tcp(.dport), is: .service(target.port)))
            // SYN without ACK begins a connection (RFC 9293, section 3.5).
            statements.append(.match(.tcp(.flags), mask: 0x12, is: 0x02))
        case .udp: statements.append(.match(.udp(.dport), is: .service(target.port)))
        case .icmp:
            let isV4 = target.address.family == .v4
            statements.append(isV4 ? .match(.icmpType, is: .bytes([8])) : .match(.icmpv6Type, is: .bytes([128])))
        }
        return statements
    }
}

extension PacketTrace {
    /// An echo message's identifier; nil for anything else.
    var echo: (identifier: UInt16, isRequest: Bool)? {
        guard let packet, packet.transport == .icmp || packet.transport == .icmpv6, transportHeader.count >= 6 else {
            return nil
        }
        let identifier = UInt16(transportHeader[4]) << 8 | UInt16(transportHeader[5])
        switch (packet.transport, transportHeader[0]) {
        case (.icmp, 8), (.icmpv6, 128): return (identifier, true)
        case (.icmp, 0), (.icmpv6, 129): return (identifier, false)
        default: return nil
        }
    }

    var headers: TracedPacket? {
        packet.map {
            TracedPacket(
                source: $0.source, destination: $0.destination, sourcePort: $0.sourcePort,
                destinationPort: $0.destinationPort)
        }
    }
}
