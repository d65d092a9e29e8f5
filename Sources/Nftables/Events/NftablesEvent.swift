import CLinux
import CNftnl
import Netlink

/// Something that happened to the nftables of a network namespace, whoever did it. Equivalent to a line of `nft monitor`.
public enum NftablesEvent: Hashable, Sendable {
    case added(Object)
    /// What went with the table or chain that it was in is told one by one, too.
    case deleted(Object)
    /// The end of a batch: everything since the one before was made together.
    case committed(Generation)
    /// A step on the way of a packet that is traced.
    case traced(PacketTrace)
    /// Events were lost because they were not read in time: what is known has to be asked for anew.
    case resyncNeeded

    public enum Object: Hashable, Sendable {
        case table(Table)
        case chain(Chain)
        /// Of a deleted rule, newer kernels tell only table, chain and handle.
        case rule(Rule)
        case set(Table.Reference, name: String)
        /// Elements, by the bytes of their keys as they lie in the set.
        case elements(Table.Reference, set: String, keys: [[UInt8]])
    }

    /// Which change it was, and who made it.
    public struct Generation: Hashable, Sendable {
        /// One more for each batch.
        public var number: UInt32
        /// The thread that made it, which is the process where it is the only one.
        public var process: Int32?
        /// Its name, at most 15 bytes: that of its command, where it has no other.
        public var command: String?
    }
}

extension NftablesEvent {
    /// nil for a message about something else.
    static func read(_ message: NetlinkMessage) throws(NftablesError) -> NftablesEvent? {
        guard message.type >> 8 == Int(NFNL_SUBSYS_NFTABLES) else { return nil }
        switch nf_tables_msg_types(UInt32(message.type & 0xff)) {
        case NFT_MSG_TRACE: return PacketTrace(message).map(Self.traced)
        case NFT_MSG_NEWGEN: return .committed(Generation(message.attributes(after: nfgenmsg.self)))
        case NFT_MSG_NEWTABLE: return try TableObject.read(message).map { .added(.table($0)) }
        case NFT_MSG_DELTABLE: return try TableObject.read(message).map { .deleted(.table($0)) }
        case NFT_MSG_NEWCHAIN: return try ChainObject.read(message).map { .added(.chain($0)) }
        case NFT_MSG_DELCHAIN: return try ChainObject.read(message).map { .deleted(.chain($0)) }
        case NFT_MSG_NEWRULE: return try RuleObject.read(message).map { .added(.rule($0)) }
        case NFT_MSG_DELRULE: return try RuleObject.read(message).map { .deleted(.rule($0)) }
        case NFT_MSG_NEWSET: return Object(set: message).map(Self.added)
        case NFT_MSG_DELSET: return Object(set: message).map(Self.deleted)
        case NFT_MSG_NEWSETELEM: return Object(elements: message).map(Self.added)
        case NFT_MSG_DELSETELEM: return Object(elements: message).map(Self.deleted)
        default: return nil
        }
    }
}

extension NftablesEvent.Object {
    init?(set message: NetlinkMessage) {
        guard let header = message.header(nfgenmsg.self) else { return nil }
        let attributes = message.attributes(after: nfgenmsg.self)
        guard let table = attributes.string(Int(NFTA_SET_TABLE.rawValue)),
            let name = attributes.string(Int(NFTA_SET_NAME.rawValue))
        else { return nil }
        self = .set(Table.Reference(Family(rawValue: header.nfgen_family), table), name: name)
    }

    init?(elements message: NetlinkMessage) {
        guard let header = message.header(nfgenmsg.self) else { return nil }
        let attributes = message.attributes(after: nfgenmsg.self)
        guard let table = attributes.string(Int(NFTA_SET_ELEM_LIST_TABLE.rawValue)),
            let name = attributes.string(Int(NFTA_SET_ELEM_LIST_SET.rawValue))
        else { return nil }
        let keys = attributes.nested(Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)).compactMap { element in
            element.nested.nested(Int(NFTA_SET_ELEM_KEY.rawValue)).bytes(Int(NFTA_DATA_VALUE.rawValue))
        }
        self = .elements(Table.Reference(Family(rawValue: header.nfgen_family), table), set: name, keys: keys)
    }
}

extension NftablesEvent.Generation {
    init(_ attributes: Attributes) {
        number = attributes.u32(Int(NFTA_GEN_ID.rawValue)).map(UInt32.init(bigEndian:)) ?? 0
        process = attributes.u32(Int(NFTA_GEN_PROC_PID.rawValue)).map { Int32(bitPattern: UInt32(bigEndian: $0)) }
        command = attributes.string(Int(NFTA_GEN_PROC_NAME.rawValue))
    }
}
