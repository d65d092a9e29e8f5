public import Addressing
import CLinux
import CNftnl

/// A part of a rule as a person writes it: `iifname != "lo"`, `dnat ip to … map @published`, `drop`.
public struct Statement: Hashable, Sendable {
    indirect enum Kind: Hashable, Sendable {
        case compare(Selector, Value, inverted: Bool)
        case begins(Selector, [UInt8])
        case masked(Selector, mask: UInt32, value: UInt32, inverted: Bool)
        case anyOf(Selector, bits: UInt32)
        case lookup([Selector], NamedSet, inverted: Bool)
        case verdictMap([Selector], NamedSet)
        case verdict(Verdict)
        case translate(Expression.Translation, Family, to: [Value])
        case translateByMap(Expression.Translation, Family, [Selector], NamedSet)
        case redirect(port: UInt16?)
        case masquerade
        case set(Selector, UInt32)
        case counter
        case notrack
        case reject(Rejection)
        case log(prefix: String?)
        case expression(Expression)
    }

    let kind: Kind

    init(_ kind: Kind) { self.kind = kind }

    /// An instruction as the kernel has it.
    public static func expression(_ expression: Expression) -> Statement { Statement(.expression(expression)) }
}

// MARK: Matches: the rule goes on only when they are true

extension Statement {
    /// `iifname "lo"`, `ip daddr 127.0.0.0/8`, `th dport 80-90`.
    public static func match(_ selector: Selector, is value: Value) -> Statement {
        Statement(.compare(selector, value, inverted: false))
    }

    /// `iifname != "lo"`. As in nft, a packet that does not have the property at all does not match either.
    public static func match(_ selector: Selector, isNot value: Value) -> Statement {
        Statement(.compare(selector, value, inverted: true))
    }

    /// `iifname "sw-*"`: what begins so.
    public static func match(_ selector: Selector, prefix: String) -> Statement {
        Statement(.begins(selector, Array(prefix.utf8)))
    }

    /// `meta mark & 0xff == 0x10`.
    public static func match(_ selector: Selector, mask: UInt32, is value: UInt32) -> Statement {
        Statement(.masked(selector, mask: mask, value: value, inverted: false))
    }

    /// `oifname @bridges`.
    public static func match(_ selector: Selector, in set: NamedSet) -> Statement {
        Statement(.lookup([selector], set, inverted: false))
    }

    /// `oifname != @bridges`.
    public static func match(_ selector: Selector, notIn set: NamedSet) -> Statement {
        Statement(.lookup([selector], set, inverted: true))
    }

    /// `iifname . oifname @within`.
    public static func match(_ selectors: [Selector], in set: NamedSet) -> Statement {
        Statement(.lookup(selectors, set, inverted: false))
    }

    /// `iifname . oifname != @within`.
    public static func match(_ selectors: [Selector], notIn set: NamedSet) -> Statement {
        Statement(.lookup(selectors, set, inverted: true))
    }

    /// `ct state established,related`: any of them.
    public static func ctState(_ states: ConntrackState) -> Statement {
        Statement(.anyOf(.ct(.state), bits: states.rawValue))
    }

    /// `ct status dnat`: any of them.
    public static func ctStatus(_ bits: ConntrackStatus) -> Statement {
        Statement(.anyOf(.ct(.status), bits: bits.rawValue))
    }
}

// MARK: Verdicts: the rule decides

extension Statement {
    public static let accept = Statement(.verdict(.accept))
    public static let drop = Statement(.verdict(.drop))
    public static let `return` = Statement(.verdict(.return))
    public static let `continue` = Statement(.verdict(.continue))

    public static func jump(_ chain: Chain) -> Statement { Statement(.verdict(.jump(chain.name))) }
    public static func goto(_ chain: Chain) -> Statement { Statement(.verdict(.goto(chain.name))) }
    public static func verdict(_ verdict: Verdict) -> Statement { Statement(.verdict(verdict)) }

    /// `iifname vmap @verdicts`: the map's data says what to do; without an element the rule goes on.
    public static func vmap(_ selectors: [Selector], _ map: NamedSet) -> Statement {
        Statement(.verdictMap(selectors, map))
    }

    /// How a sender is told that its packet was refused.
    public enum Rejection: Hashable, Sendable {
        /// An ICMP message, port unreachable.
        case portUnreachable
        /// An ICMP message, administratively prohibited.
        case prohibited
        case tcpReset
    }

    /// `reject`, `reject with icmpx admin-prohibited`, `reject with tcp reset`.
    public static func reject(_ rejection: Rejection = .portUnreachable) -> Statement { Statement(.reject(rejection)) }
}

// MARK: Address translation: in chains of type nat

extension Statement {
    /// `dnat ip to KEY map @MAP`: the map's data is an address, or an address and a port.
    ///
    /// A packet of the other family and a key that is not in the map pass on to the next rule.
    public static func dnat(_ family: Family, to key: [Selector], map: NamedSet) -> Statement {
        Statement(.translateByMap(.destination, family, key, map))
    }

    /// `snat ip to KEY map @MAP`.
    public static func snat(_ family: Family, to key: [Selector], map: NamedSet) -> Statement {
        Statement(.translateByMap(.source, family, key, map))
    }

    /// `dnat ip to ADDRESS`, `dnat ip to ADDRESS:PORT`. A port needs a match of the transport before it.
    public static func dnat(to address: IPAddress, port: UInt16? = nil) -> Statement {
        translate(.destination, address, port)
    }

    /// `dnat to :PORT`: the address stays, whatever its family. It needs a match of the transport before it.
    public static func dnat(port: UInt16) -> Statement {
        Statement(.translate(.destination, .inet, to: [.service(port)]))
    }

    /// `snat ip to ADDRESS`, `snat ip to ADDRESS:PORT`. A port needs a match of the transport before it.
    public static func snat(to address: IPAddress, port: UInt16? = nil) -> Statement {
        translate(.source, address, port)
    }

    /// The source becomes the address of the interface that the packet leaves by.
    public static let masquerade = Statement(.masquerade)

    /// The destination becomes this host. A port needs a match of the transport before it.
    public static func redirect(port: UInt16? = nil) -> Statement { Statement(.redirect(port: port)) }

    private static func translate(
        _ translation: Expression.Translation, _ address: IPAddress, _ port: UInt16?
    ) -> Statement {
        let family: Family = address.family == .v4 ? .ip : .ip6
        return Statement(.translate(translation, family, to: [.address(address)] + (port.map { [.service($0)] } ?? [])))
    }
}

// MARK: The rest

extension Statement {
    /// Counts the packets and bytes that reach it.
    public static let counter = Statement(.counter)
    /// Keeps the packet out of connection tracking: in a chain of priority `raw`.
    public static let notrack = Statement(.notrack)

    /// A line in the kernel's log. Nothing is logged in a namespace that is not the first unless
    /// `net.netfilter.nf_log_all_netns` allows it.
    public static func log(prefix: String? = nil) -> Statement { Statement(.log(prefix: prefix)) }

    /// `meta mark set 0x10`.
    public static func setMark(_ mark: UInt32) -> Statement { Statement(.set(.mark, mark)) }

    /// `meta priority set 1:20`, as one number.
    public static func setPriority(_ priority: UInt32) -> Statement { Statement(.set(.priority, priority)) }

    /// `meta nftrace set 1`: from here on the packet's way is told to those who listen (`NftablesMonitor`), or is no more.
    public static func trace(_ on: Bool = true) -> Statement { Statement(.set(.nftrace, on ? 1 : 0)) }

    /// `ct mark set 0x10`.
    public static func setConntrackMark(_ mark: UInt32) -> Statement { Statement(.set(.ct(.mark), mark)) }
}
