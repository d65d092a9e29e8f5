public import NetworkModel

/// Which packet is to be followed.
public struct TraceRequest: Hashable, Sendable {
    public var target: TraceTarget
    /// Who sends it: a sandbox; nil for the host itself.
    public var sender: SandboxReference?
    /// The host's interface that a packet of somebody else's comes in by; it is waited for.
    public var input: String?
    /// Whether a packet of somebody else's is waited for instead of sending one.
    public var waits: Bool
    /// Seconds to wait for the packet, and for its answer.
    public var timeout: Int

    public init(
        _ target: TraceTarget, from sender: SandboxReference? = nil, input: String? = nil, waits: Bool = false,
        timeout: Int = 3
    ) {
        self.target = target
        self.sender = sender
        self.input = input
        self.waits = waits || input != nil
        self.timeout = timeout
    }
}
