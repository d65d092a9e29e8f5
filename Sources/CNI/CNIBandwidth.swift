/// Limits of an attachment's traffic: the capability `bandwidth` (CONVENTIONS.md). 0 is no limit.
public struct CNIBandwidth: Hashable, Sendable {
    /// To the sandbox, bits a second.
    public var ingressRate: Int
    /// Bits.
    public var ingressBurst: Int
    /// From the sandbox, bits a second.
    public var egressRate: Int
    /// Bits.
    public var egressBurst: Int

    /// - Returns: nil when no limit is asked for.
    init?(_ field: Field) throws(CNIError) {
        guard !field.isMissing else { return nil }
        let object = try field.object()
        let read = { (key: String) throws(CNIError) in try object[key].number(0...Int.max) ?? 0 }
        ingressRate = try read("ingressRate")
        ingressBurst = try read("ingressBurst")
        egressRate = try read("egressRate")
        egressBurst = try read("egressBurst")
        for (rate, burst, key) in [(ingressRate, ingressBurst, "ingress"), (egressRate, egressBurst, "egress")] {
            // The bandwidth plugin's rule: the one makes no sense without the other.
            guard (rate == 0) == (burst == 0) else {
                throw object["\(key)Rate"].invalid("\(rate) with \(key)Burst \(burst): both are needed, or neither")
            }
        }
        if ingressRate == 0 && egressRate == 0 { return nil }
    }
}

extension CNIBandwidth: CustomStringConvertible {
    public var description: String {
        "ingressRate \(ingressRate), ingressBurst \(ingressBurst), egressRate \(egressRate), egressBurst \(egressBurst)"
    }
}
