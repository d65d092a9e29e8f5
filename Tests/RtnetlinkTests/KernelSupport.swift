import TestSupport

/// What the running kernel has, asked with the field's own tools in namespaces of their own.
enum KernelSupport {
    /// Whether `ip link add` can make a kind on top of a veth.
    static func hasLinks(_ kind: String) -> Bool {
        let settings = ["vlan": ["id", "9"], "vrf": ["table", "9"], "vxlan": ["id", "9", "dstport", "4789"]]
        let onParent = ["macvlan", "ipvlan", "vlan"].contains(kind)
        guard let host = try? NetworkNamespaceFixture(),
            (try? host.must("ip", "link", "add", "parent", "type", "veth", "peer", "name", "other")) != nil
        else { return false }
        let words =
            ["ip", "link", "add"] + (onParent ? ["link", "parent"] : []) + ["name", "probe", "type", kind]
            + (settings[kind] ?? [])
        return (try? host.run(words))?.status == 0
    }

    static let vlan = hasLinks("vlan")
    static let ipvlan = hasLinks("ipvlan")
    static let vrf = hasLinks("vrf")
    static let dummy = hasLinks("dummy")

    /// Whether `tc qdisc add` can make a kind at the root of a veth.
    static func hasQueue(_ words: String...) -> Bool {
        guard let host = try? NetworkNamespaceFixture(),
            (try? host.must("ip", "link", "add", "parent", "type", "veth", "peer", "name", "other")) != nil
        else { return false }
        return (try? host.run(["tc", "qdisc", "add", "dev", "parent", "root"] + words))?.status == 0
    }

    static let netem = hasQueue("netem", "delay", "1ms")
    static let prio = hasQueue("prio")
    static let fairQueue = hasQueue("fq_codel")

    /// Whether `tc filter add` takes a filter on what comes in by a veth.
    static func hasFilter(_ words: String...) -> Bool {
        guard let host = try? NetworkNamespaceFixture(),
            (try? host.must("ip", "link", "add", "parent", "type", "veth", "peer", "name", "other")) != nil,
            (try? host.must("tc", "qdisc", "add", "dev", "parent", "clsact")) != nil
        else { return false }
        return (try? host.run(["tc", "filter", "add", "dev", "parent", "ingress", "protocol", "all"] + words))?.status
            == 0
    }

    static let matchAll = hasFilter("matchall", "action", "mirred", "egress", "redirect", "dev", "other")
    static let police = hasFilter(
        "u32", "match", "u32", "0", "0", "police", "rate", "8mbit", "burst", "64k", "conform-exceed", "drop")
}
