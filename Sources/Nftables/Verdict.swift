import CLinux
import CNftnl

/// What becomes of a packet.
public enum Verdict: Hashable, Sendable {
    case accept
    case drop
    case `continue`
    case `return`
    /// Go on in a chain of the same table and come back.
    case jump(String)
    /// Go on in a chain of the same table and do not come back.
    case goto(String)
}

extension Verdict {
    /// The kernel's number: `NF_*` of linux/netfilter.h and `NFT_*` of linux/netfilter/nf_tables.h.
    var code: Int32 {
        switch self {
        case .accept: NF_ACCEPT
        case .drop: NF_DROP
        case .continue: NFT_CONTINUE.rawValue
        case .return: NFT_RETURN.rawValue
        case .jump: NFT_JUMP.rawValue
        case .goto: NFT_GOTO.rawValue
        }
    }

    var chain: String? {
        switch self {
        case .jump(let chain), .goto(let chain): chain
        default: nil
        }
    }

    init?(code: Int32, chain: String?) {
        switch (code, chain) {
        case (NF_ACCEPT, _): self = .accept
        case (NF_DROP, _): self = .drop
        case (NFT_CONTINUE.rawValue, _): self = .continue
        case (NFT_RETURN.rawValue, _): self = .return
        case (NFT_JUMP.rawValue, let chain?): self = .jump(chain)
        case (NFT_GOTO.rawValue, let chain?): self = .goto(chain)
        default: return nil
        }
    }
}

extension Verdict: CustomStringConvertible {
    public var description: String {
        switch self {
        case .accept: "accept"
        case .drop: "drop"
        case .continue: "continue"
        case .return: "return"
        case .jump(let chain): "jump \(chain)"
        case .goto(let chain): "goto \(chain)"
        }
    }
}
