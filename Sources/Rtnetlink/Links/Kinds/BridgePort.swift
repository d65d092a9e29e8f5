import CLinux
import Netlink

/// The settings of a link as a port of a bridge; in a request, what is nil stays as it is.
///
/// Source: `br_setport`, net/bridge/br_netlink.c. Equivalent to `bridge link set dev $link isolated on learning off …`.
public struct BridgePort: Hashable, Sendable {
    /// What passes at the port (`BR_STATE_*`, linux/if_bridge.h).
    public enum State: UInt8, Hashable, Sendable {
        /// Nothing, as when the link or its bridge is down.
        case disabled
        /// Nothing yet: the spanning tree is looking for loops, and then for who is where.
        case listening, learning
        case forwarding
        /// Nothing: the way would be a loop.
        case blocking
    }

    /// The bridge sends frames back through the port that they came from.
    public var hairpin: Bool?
    /// No frame passes between it and another isolated port.
    public var isolated: Bool?
    /// The bridge learns who is behind it from the frames that come in.
    public var learning: Bool?
    /// A spanning tree message that comes in disables the port (BPDU guard).
    public var isGuarded: Bool?
    /// It cannot become the way to the root of the spanning tree.
    public var blocksRoot: Bool?
    /// Frames for an address that nobody knows go out here.
    public var floods: Bool?
    public var floodsMulticast: Bool?
    public var floodsBroadcast: Bool?
    /// A group is left with the first message that says so.
    public var fastLeave: Bool?
    /// The bridge answers for the neighbours that it knows, and keeps the question from the port.
    public var suppressesNeighbours: Bool?
    /// Only addresses that are in the forwarding table may send through it (Linux 5.18).
    public var locked: Bool?
    /// 0 to 63, for the spanning tree.
    public var priority: UInt16?
    /// 1 to 65535, for the spanning tree.
    public var cost: UInt32?
    /// Can be set where no spanning tree decides it and the link has a carrier; else EBUSY, ENETDOWN.
    public var state: State?

    public init(
        hairpin: Bool? = nil, isolated: Bool? = nil, learning: Bool? = nil, isGuarded: Bool? = nil,
        blocksRoot: Bool? = nil, floods: Bool? = nil, floodsMulticast: Bool? = nil, floodsBroadcast: Bool? = nil,
        fastLeave: Bool? = nil, suppressesNeighbours: Bool? = nil, locked: Bool? = nil, priority: UInt16? = nil,
        cost: UInt32? = nil, state: State? = nil
    ) {
        self.hairpin = hairpin
        self.isolated = isolated
        self.learning = learning
        self.isGuarded = isGuarded
        self.blocksRoot = blocksRoot
        self.floods = floods
        self.floodsMulticast = floodsMulticast
        self.floodsBroadcast = floodsBroadcast
        self.fastLeave = fastLeave
        self.suppressesNeighbours = suppressesNeighbours
        self.locked = locked
        self.priority = priority
        self.cost = cost
        self.state = state
    }
}

extension BridgePort {
    /// How the kernel makes a port.
    public static let usual = BridgePort(
        hairpin: false, isolated: false, learning: true, isGuarded: false, blocksRoot: false, floods: true,
        floodsMulticast: true, floodsBroadcast: true, suppressesNeighbours: false)
}

extension BridgePort {
    func put(in message: inout MessageBuilder) {
        message.put(IFLA_BRPORT_MODE, optional: hairpin)
        message.put(IFLA_BRPORT_ISOLATED, optional: isolated)
        message.put(IFLA_BRPORT_LEARNING, optional: learning)
        message.put(IFLA_BRPORT_GUARD, optional: isGuarded)
        message.put(IFLA_BRPORT_PROTECT, optional: blocksRoot)
        message.put(IFLA_BRPORT_UNICAST_FLOOD, optional: floods)
        message.put(IFLA_BRPORT_MCAST_FLOOD, optional: floodsMulticast)
        message.put(IFLA_BRPORT_BCAST_FLOOD, optional: floodsBroadcast)
        message.put(IFLA_BRPORT_FAST_LEAVE, optional: fastLeave)
        message.put(IFLA_BRPORT_NEIGH_SUPPRESS, optional: suppressesNeighbours)
        message.put(IFLA_BRPORT_LOCKED, optional: locked)
        message.put(IFLA_BRPORT_PRIORITY, optional: priority)
        message.put(IFLA_BRPORT_COST, optional: cost)
        message.put(IFLA_BRPORT_STATE, optional: state?.rawValue)
    }

    /// In one pass: a list of links has a thousand ports.
    init(_ attributes: Attributes) {
        self.init()
        for attribute in attributes {
            switch attribute.type {
            case IFLA_BRPORT_MODE: hairpin = attribute.bool
            case IFLA_BRPORT_ISOLATED: isolated = attribute.bool
            case IFLA_BRPORT_LEARNING: learning = attribute.bool
            case IFLA_BRPORT_GUARD: isGuarded = attribute.bool
            case IFLA_BRPORT_PROTECT: blocksRoot = attribute.bool
            case IFLA_BRPORT_UNICAST_FLOOD: floods = attribute.bool
            case IFLA_BRPORT_MCAST_FLOOD: floodsMulticast = attribute.bool
            case IFLA_BRPORT_BCAST_FLOOD: floodsBroadcast = attribute.bool
            case IFLA_BRPORT_FAST_LEAVE: fastLeave = attribute.bool
            case IFLA_BRPORT_NEIGH_SUPPRESS: suppressesNeighbours = attribute.bool
            case IFLA_BRPORT_LOCKED: locked = attribute.bool
            case IFLA_BRPORT_PRIORITY: priority = attribute.u16
            case IFLA_BRPORT_COST: cost = attribute.u32
            case IFLA_BRPORT_STATE: state = attribute.u8.flatMap(State.init)
            default: break
            }
        }
    }
}
