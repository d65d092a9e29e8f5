import CLinux
import CNftnl
public import LinuxSystem
import Netlink
import SystemPackage

/// A connection to the nftables of one network namespace: that in which it was opened.
public struct NftablesSocket: ~Copyable, Sendable {
    private var socket: NetlinkSocket

    /// Opens a socket in the calling thread's network namespace.
    public init() throws(NftablesError) {
        socket = try .netfilter()
    }

    /// Opens a socket inside a network namespace.
    ///
    /// - Throws: `NftablesError`, or `SystemError` when the namespace cannot be entered.
    public init(in namespace: borrowing Namespace) throws {
        socket = try .netfilter(in: namespace)
    }
}

// MARK: Changing

extension NftablesSocket {
    /// Has the kernel make all changes of a batch, or none.
    ///
    /// - Throws: `NftablesError` that names the first object the kernel refused. Of an element that exists already
    ///   (EEXIST) it also holds the element that is there.
    ///   Equivalent to `nft -f`.
    public mutating func commit(_ batch: Batch) throws(NftablesError) {
        guard !batch.isEmpty else { return }
        let first = socket.takeSequenceNumbers()
        let encoded = try BatchEncoder(batch, firstSequence: first)
        _ = socket.takeSequenceNumbers(encoded.sequences.count - 1)
        let answers: [NetlinkSocket.Acknowledgement]
        do throws(NetlinkError) {
            answers = try socket.exchange(encoded.bytes, sequences: encoded.sequences)
        } catch {
            throw NftablesError(error)
        }
        // The kernel goes on after a refusal, and what it refuses later may only follow from the first.
        let refusals = answers.filter { $0.error != nil }.sorted { $0.sequence < $1.sequence }
        if let refusal = refusals.first, let error = refusal.error {
            throw explain(error, sequence: refusal.sequence, batch, encoded)
        }
        guard answers.contains(where: { $0.sequence < encoded.sequences.upperBound }) else {
            throw NftablesError(
                "commit", "\(batch.count) changes", errno: .protocolError, message: "the kernel sent no answer")
        }
    }

    /// Says what a refused message was about.
    private mutating func explain(
        _ error: NetlinkError, sequence: UInt32, _ batch: Batch, _ encoded: borrowing BatchEncoder
    ) -> NftablesError {
        guard let origin = encoded.origin(sequence: sequence) else {
            // The whole batch: the right to change anything is missing, or a check at the end failed.
            var refusal = NftablesError("commit", "\(batch.count) changes", errno: error.errno, message: error.message)
            if batch.count == 1, let words = batch.commands.first?.words { (refusal.operation, refusal.object) = words }
            switch error.errno {
            case .notPermitted: refusal.hint = "needs CAP_NET_ADMIN in the network namespace"
            case .notSupportedOnSocket, .notSupported: refusal.hint = "this kernel has no nftables"
            case .tooManySymbolicLinkLevels, .tooManyLinks: refusal.hint = "a chain leads back to itself"
            default: break
            }
            return refusal
        }
        let command = batch.commands[origin.command]
        let words = command.words
        var refusal = NftablesError(words.operation, words.object, errno: error.errno, message: error.message)
        refusal.command = origin.command
        if error.errno == .noSuchFileOrDirectory { refusal.hint = command.missing }
        guard let (set, elements) = command.elements else { return refusal }
        if let offset = error.offset {
            // The kernel says at which byte of the message it stumbled: that is in one element.
            let list = ElementList(message: encoded.bytes[origin.offset...])
            if let index = list.index(at: Int(offset)), index < origin.elements.count {
                refusal.element = elements[origin.elements[index]]
            }
        }
        if error.errno == .fileExists { blame(&refusal, elements, set, origin) }
        if let element = refusal.element { refusal.object = "\(element.key.text) in \(set)" }
        return refusal
    }

    /// Finds the elements in the kernel's set that new ones collide with. Best effort: the batch has failed anyway.
    private mutating func blame(
        _ refusal: inout NftablesError, _ elements: [Element], _ set: NamedSet, _ origin: BatchEncoder.Origin
    ) {
        let suspects = refusal.element.map { [$0] } ?? origin.elements.map { elements[$0] }
        guard !set.flags.contains(.interval) else {
            guard let present = try? self.elements(of: set) else { return }
            for suspect in suspects {
                guard let existing = present.first(where: { $0.overlaps(suspect, in: set) }) else { continue }
                (refusal.element, refusal.existing) = (suspect, existing)
                return
            }
            return
        }
        for suspect in suspects {
            guard let existing = try? element(suspect.key, of: set) else { continue }
            (refusal.element, refusal.existing) = (suspect, existing)
            return
        }
    }
}

// MARK: Asking

extension NftablesSocket {
    /// The tables of a family, or all. Equivalent to `nft list tables`.
    public mutating func tables(_ family: Family? = nil) throws(NftablesError) -> [Table] {
        let request = Self.request(NFT_MSG_GETTABLE, family ?? .unspecified)
        return try read(try dump(request, "list tables", "\(family ?? .unspecified)"), TableObject.read)
    }

    /// One table without what is in it; nil when there is none of the name. Equivalent to `nft list table`.
    public mutating func table(_ family: Family, _ name: String) throws(NftablesError) -> Table? {
        var request = Self.request(NFT_MSG_GETTABLE, family)
        request.put(Int(NFTA_TABLE_NAME.rawValue), name)
        return try read(try get(request, "get table", "\(family) \(name)"), TableObject.read).first
    }

    /// The chains of a table, or all chains of all tables. Equivalent to `nft list chains`.
    public mutating func chains(of table: Table? = nil) throws(NftablesError) -> [Chain] {
        let request = Self.request(NFT_MSG_GETCHAIN, table?.family ?? .unspecified)
        let chains = try read(
            try dump(request, "list chains", table.map { "of \($0)" } ?? ""), ChainObject.read)
        // The kernel lists the chains of every table of the family.
        return table.map { table in chains.filter { $0.table == table.reference } } ?? chains
    }

    /// One chain without its rules; nil when there is none of the name.
    public mutating func chain(_ name: String, of table: Table) throws(NftablesError) -> Chain? {
        var request = Self.request(NFT_MSG_GETCHAIN, table.family)
        request.put(Int(NFTA_CHAIN_TABLE.rawValue), table.name)
        request.put(Int(NFTA_CHAIN_NAME.rawValue), name)
        return try read(try get(request, "get chain", "\(table.reference) \(name)"), ChainObject.read).first
    }

    /// The rules of a chain in order. Equivalent to `nft list chain`.
    public mutating func rules(of chain: Chain) throws(NftablesError) -> [Rule] {
        try rules(of: chain.table, chain: chain.name).filter { $0.chain == chain.reference }
    }

    /// The rules of all chains of a table.
    public mutating func rules(of table: Table) throws(NftablesError) -> [Rule] {
        try rules(of: table.reference, chain: nil)
    }

    private mutating func rules(of table: Table.Reference, chain: String?) throws(NftablesError) -> [Rule] {
        var request = Self.request(NFT_MSG_GETRULE, table.family)
        request.put(Int(NFTA_RULE_TABLE.rawValue), table.name)
        if let chain { request.put(Int(NFTA_RULE_CHAIN.rawValue), chain) }
        let rules = try read(
            try dump(request, "list rules", "of \(table) \(chain ?? "")"), RuleObject.read)
        return rules.filter { $0.chain.table == table }
    }

    /// The sets and maps of a table, those without a name included. Equivalent to `nft list sets`, `nft list maps`.
    public mutating func sets(of table: Table) throws(NftablesError) -> [NamedSet] {
        var request = Self.request(NFT_MSG_GETSET, table.family)
        request.put(Int(NFTA_SET_TABLE.rawValue), table.name)
        return try read(try dump(request, "list sets", "of \(table)"), SetObject.read)
    }

    /// One set or map without its elements; nil when there is none of the name.
    public mutating func set(_ name: String, of table: Table) throws(NftablesError) -> NamedSet? {
        var request = Self.request(NFT_MSG_GETSET, table.family)
        request.put(Int(NFTA_SET_TABLE.rawValue), table.name)
        request.put(Int(NFTA_SET_NAME.rawValue), name)
        return try read(try get(request, "get set", "\(table.reference) \(name)"), SetObject.read).first
    }

    /// The elements of a set or map; a set that is not there is ENOENT. Equivalent to `nft list set`, `nft list map`.
    public mutating func elements(of set: NamedSet) throws(NftablesError) -> [Element] {
        for _ in 0..<100 {
            let messages = try dump(Self.elementRequest(set), "list elements", "of \(set)")
            var stored: [StoredElement] = []
            for message in messages { stored += try SetObject.readElements(message) }
            // A hash table that grows, as it does for a while after many were added, is walked in another order from one
            // part of the answer to the next, and the kernel does not say so (`nft_rhash_walk`, net/netfilter/nft_set_hash.c):
            // some come twice then, and as many not at all.
            if messages.count < 2 || StoredElement.areDifferent(stored) {
                return StoredElement.elements(stored, of: set)
            }
            usleep(10_000)
        }
        throw NftablesError(
            NetlinkError(
                "list elements", "of \(set)", errno: .resourceTemporarilyUnavailable,
                hint: "the set kept changing while it was read"))
    }

    /// The element with a key, or the interval that a key is in; nil when there is none. Equivalent to `nft get element`.
    public mutating func element(_ key: [Value], of set: NamedSet) throws(NftablesError) -> Element? {
        let object = "\(key.text) in \(set)"
        let bytes: [UInt8]
        do throws(StoredElement.Problem) {
            guard key.count == set.key.count else { throw StoredElement.Problem(text: "a key is \(set.key.text)") }
            bytes = try StoredElement.bytes(key, set.key)
        } catch {
            throw NftablesError(invalid: "get element", object, error.text)
        }
        // Both ends of an interval that is stored as two are asked for.
        let flags: [UInt32] = set.storesEnds ? [0, NFT_SET_ELEM_INTERVAL_END.rawValue] : [0]
        var stored: [StoredElement] = []
        for flags in flags {
            for message in try get(Self.elementRequest(set, key: bytes, flags: flags), "get element", object) {
                stored += try SetObject.readElements(message)
            }
        }
        if set.storesEnds, let first = stored.first(where: { !$0.isEnd }),
            !stored.contains(where: { $0.isEnd && first.key.lexicographicallyPrecedes($0.key) })
        {
            // Either there is no end, or the kernel, asked for the end of an interval whose beginning is the key, has
            // answered with that beginning or with the end of the interval before (`__nft_rbtree_get` of Linux 6.1).
            let wanted = Element(key, .nothing)
            return try elements(of: set).first { $0.overlaps(wanted, in: set) }
        }
        return StoredElement.elements(stored, of: set).first
    }
}

// MARK: Requests

extension NftablesSocket {
    private static func request(_ type: nf_tables_msg_types, _ family: Family) -> MessageBuilder {
        var request = MessageBuilder(type: Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(type.rawValue))
        request.put(header: nfgenmsg(nfgen_family: family.rawValue, version: UInt8(NFNETLINK_V0), res_id: 0))
        return request
    }

    private static func elementRequest(_ set: NamedSet, key: [UInt8]? = nil, flags: UInt32 = 0) -> MessageBuilder {
        var request = request(NFT_MSG_GETSETELEM, set.table.family)
        request.put(Int(NFTA_SET_ELEM_LIST_TABLE.rawValue), set.table.name)
        request.put(Int(NFTA_SET_ELEM_LIST_SET.rawValue), set.name)
        guard let key else { return request }
        request.nest(Int(NFTA_SET_ELEM_LIST_ELEMENTS.rawValue)) { list in
            list.nest(Int(NFTA_LIST_ELEM.rawValue)) { element in
                if flags != 0 { element.put(Int(NFTA_SET_ELEM_FLAGS.rawValue), flags.bigEndian) }
                element.nest(Int(NFTA_SET_ELEM_KEY.rawValue)) { $0.put(Int(NFTA_DATA_VALUE.rawValue), key) }
            }
        }
        return request
    }

    private mutating func dump(
        _ request: MessageBuilder, _ operation: String, _ object: String
    ) throws(NftablesError) -> [NetlinkMessage] {
        do throws(NetlinkError) {
            return try socket.dump(NetlinkRequest(request, operation, object))
        } catch {
            throw NftablesError(error)
        }
    }

    /// Empty when the object is not there.
    private mutating func get(
        _ request: MessageBuilder, _ operation: String, _ object: String
    ) throws(NftablesError) -> [NetlinkMessage] {
        do throws(NetlinkError) {
            return try socket.get(NetlinkRequest(request, operation, object))
        } catch {
            if error.errno == .noSuchFileOrDirectory { return [] }
            throw NftablesError(error)
        }
    }

    private func read<Object>(
        _ messages: [NetlinkMessage], _ reader: (NetlinkMessage) throws(NftablesError) -> Object?
    ) throws(NftablesError) -> [Object] {
        var objects: [Object] = []
        for message in messages {
            if let object = try reader(message) { objects.append(object) }
        }
        return objects
    }
}

extension NftablesError {
    init(_ error: NetlinkError) {
        self.init(error.operation, error.object, errno: error.errno, message: error.message ?? error.hint)
    }
}

extension Element {
    /// Whether one key is in both.
    fileprivate func overlaps(_ other: Element, in set: NamedSet) -> Bool {
        guard let first = try? StoredElement.bytes(key, set.key),
            let last = try? StoredElement.bytes(key, set.key, last: true),
            let otherFirst = try? StoredElement.bytes(other.key, set.key),
            let otherLast = try? StoredElement.bytes(other.key, set.key, last: true)
        else { return false }
        // Field by field: in a concatenation each is an interval of its own.
        var offset = 0
        return set.key.allSatisfy { type in
            let field = offset..<offset + type.length
            offset += Concatenation.padded(type.length)
            return !last[field].lexicographicallyPrecedes(otherFirst[field])
                && !otherLast[field].lexicographicallyPrecedes(first[field])
        }
    }
}
