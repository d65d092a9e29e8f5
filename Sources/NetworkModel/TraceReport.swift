public import Addressing

/// The way of one packet through a host, and what became of it.
public struct TraceReport: Hashable, Sendable {
    public var target: TraceTarget
    /// Who sent it: `this host`, `sandbox web`, `somebody`.
    public var sender: String
    /// The packet as it was when it was first seen; nil when none was.
    public var packet: TracedPacket?
    /// Where it came by, in order.
    public var stations: [TraceStation]
    /// Where the answer came by, in order.
    public var answerStations: [TraceStation]
    /// What is at the packet's last address, as far as it is known; whole phrases.
    public var destination: [String]
    public var answer: TraceAnswer?
    public var outcome: TraceOutcome
    /// What happened, in one phrase.
    public var reason: String
    /// What a person can do; nil when there is nothing to do, or nothing is known.
    public var advice: String?
    /// What else has to be known.
    public var notes: [String]

    public init(_ target: TraceTarget, sender: String) {
        self.target = target
        self.sender = sender
        stations = []
        answerStations = []
        destination = []
        outcome = .lost
        reason = ""
        notes = []
    }
}

/// What became of a packet.
public enum TraceOutcome: String, Hashable, Sendable {
    /// Somebody answered.
    case answered
    /// It came where it should, and whoever is there refused it.
    case refused
    /// It went its whole way; nobody has to answer.
    case passed
    /// A rule or a policy took it away.
    case dropped
    /// It, or its answer, was lost outside of the firewall.
    case lost
    /// It could not even be sent.
    case unsent
    /// No packet came in the time that was given.
    case unseen

    /// Whether the way is free.
    public var isGood: Bool { self == .answered || self == .passed }
}

/// What came back.
public struct TraceAnswer: Hashable, Sendable {
    public enum Kind: String, Hashable, Sendable {
        /// TCP: the connection was taken.
        case synAck = "syn-ack"
        /// TCP: the connection was refused.
        case reset
        /// UDP: data.
        case data
        case echoReply = "echo-reply"
        /// An ICMP error.
        case icmp
        /// The kernel tracks that there was an answer; this program did not see it.
        case seen
    }

    public var kind: Kind
    /// Who sent it, as its receiver sees it; of an ICMP error, who reported.
    public var from: IPAddress?
    /// Of an ICMP error: `port unreachable`.
    public var message: String?
    /// Microseconds from sending to hearing.
    public var microseconds: Int?

    public init(_ kind: Kind, from: IPAddress? = nil, message: String? = nil, microseconds: Int? = nil) {
        self.kind = kind
        self.from = from
        self.message = message
        self.microseconds = microseconds
    }
}

/// What the headers of a packet say.
public struct TracedPacket: Hashable, Sendable {
    public var source: IPAddress
    public var destination: IPAddress
    public var sourcePort: UInt16?
    public var destinationPort: UInt16?

    public init(source: IPAddress, destination: IPAddress, sourcePort: UInt16? = nil, destinationPort: UInt16? = nil) {
        self.source = source
        self.destination = destination
        self.sourcePort = sourcePort
        self.destinationPort = destinationPort
    }

    public var from: String { sourcePort.map { source.endpoint(port: $0) } ?? "\(source)" }
    public var to: String { destinationPort.map { destination.endpoint(port: $0) } ?? "\(destination)" }
}

/// A point on a packet's way: one hook of one network namespace.
public struct TraceStation: Hashable, Sendable {
    /// `host`, or a sandbox's name.
    public var place: String
    /// `prerouting`, `input`, `forward`, `output` or `postrouting`; `bridge forward` is where a bridge passes a frame on.
    public var hook: String
    /// The interface that it came in by.
    public var input: String?
    /// The interface that it leaves by.
    public var output: String?
    /// The packet when it came.
    public var packet: TracedPacket
    public var chains: [Passage]
    /// The packet when it left; the same as `packet` where nothing was translated.
    public var left: TracedPacket
    /// The interface that it leaves by after a translation; nil when that is the same.
    public var leftOutput: String?

    /// A base chain that it went through.
    public struct Passage: Hashable, Sendable {
        /// `inet swnet forward`.
        public var chain: String
        public var isOurs: Bool
        public var priority: Int
        public var rules: [RulePassage]
        /// The chain's policy, where that decided.
        public var policy: String?

        public init(chain: String, isOurs: Bool, priority: Int) {
            self.chain = chain
            self.isOurs = isOurs
            self.priority = priority
            rules = []
        }

        /// `drop` or `accept`, or what the last rule said.
        public var verdict: String { policy ?? rules.last?.verdict ?? "accept" }
    }

    /// A rule that matched.
    public struct RulePassage: Hashable, Sendable {
        /// The chain it is in, which a jump may have led to: `publish`.
        public var chain: String
        public var handle: UInt64
        public var text: String
        public var comment: String?
        public var verdict: String

        public init(chain: String, handle: UInt64, text: String, comment: String?, verdict: String) {
            self.chain = chain
            self.handle = handle
            self.text = text
            self.comment = comment
            self.verdict = verdict
        }
    }

    public init(place: String, hook: String, input: String?, output: String?, packet: TracedPacket) {
        self.place = place
        self.hook = hook
        self.input = input
        self.output = output
        self.packet = packet
        left = packet
        chains = []
    }

    /// The chain that took the packet away.
    public var drop: Passage? { chains.first { $0.verdict == "drop" } }
}
