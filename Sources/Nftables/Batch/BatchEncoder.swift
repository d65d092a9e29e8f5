import CLinux
import CNftnl

/// Lays out a batch as one buffer of messages, and remembers what each message is about.
struct BatchEncoder: ~Copyable {
    /// What a message is about: a command of the batch, and of a command about elements which ones.
    struct Origin {
        var command: Int
        /// Where the message begins in the buffer.
        var offset: Int
        /// For each element of the message, in order, the index of the command's element.
        var elements: [Int] = []
    }

    private(set) var origins: [Origin] = []
    private var writer = MessageWriter()
    private var command = 0
    private var sets: UInt32 = 0
    private let firstSequence: UInt32

    var bytes: [UInt8] { writer.bytes }
    /// The numbers of all messages, those of both marks included.
    var sequences: ClosedRange<UInt32> { firstSequence...firstSequence + UInt32(origins.count) + 1 }

    /// The number of messages is known when all are laid out, so their numbers are chosen by the caller.
    init(_ batch: Batch, firstSequence: UInt32) throws(NftablesError) {
        self.firstSequence = firstSequence
        writer.begin(sequence: firstSequence)
        for (index, command) in batch.commands.enumerated() {
            self.command = index
            do throws(NftablesError) {
                try encode(command)
            } catch {
                var error = error
                error.command = index
                throw error
            }
        }
        // The last one is acknowledged: without a word from the kernel we would not know that it saw the batch at all.
        if let last = origins.last { writer.acknowledge(messageAt: last.offset) }
        writer.end(sequence: sequences.upperBound)
    }

    /// What a message is about; nil for the marks around the batch.
    func origin(sequence: UInt32) -> Origin? {
        let index = Int(sequence) - Int(firstSequence) - 1
        return origins.indices.contains(index) ? origins[index] : nil
    }
}

// MARK: Commands

extension BatchEncoder {
    private mutating func encode(_ command: Batch.Command) throws(NftablesError) {
        switch command {
        case .table(let table, let verb):
            try check(command, names: [table.name], comment: table.comment)
            let object = try TableObject(table)
            unsafe append(NFT_MSG_NEWTABLE, table.family, flags: verb.flags) { unsafe object.write(to: $0) }
        case .deleteTable(let table):
            try check(command, names: [table.name])
            let object = try TableObject(naming: table)
            unsafe append(NFT_MSG_DELTABLE, table.family) { unsafe object.write(to: $0) }
        case .chain(let chain, let verb):
            try check(command, names: [chain.table.name, chain.name], comment: chain.comment)
            let object = try ChainObject(chain)
            unsafe append(NFT_MSG_NEWCHAIN, chain.table.family, flags: verb.flags) { unsafe object.write(to: $0) }
        case .deleteChain(let chain):
            try check(command, names: [chain.table.name, chain.name])
            let object = try ChainObject(naming: chain)
            unsafe append(NFT_MSG_DELCHAIN, chain.table.family) { unsafe object.write(to: $0) }
        case .rule(let rule, let placement): try encode(rule, placement, command)
        case .deleteRule(let table, let chain, let handle):
            try check(command, names: [table.name] + (chain.map { [$0] } ?? []))
            let object = try RuleObject(in: table, chain: chain, handle: handle)
            unsafe append(NFT_MSG_DELRULE, table.family) { unsafe object.write(to: $0) }
        case .set(let set, let verb): try encode(set, verb, command)
        case .deleteSet(let set):
            try check(command, names: [set.table.name, set.name])
            let object = try SetObject(naming: set)
            unsafe append(NFT_MSG_DELSET, set.table.family) { unsafe object.write(to: $0) }
        case .elements(let elements, let set, let verb):
            try encode(elements, of: set, NFT_MSG_NEWSETELEM, flags: verb.flags, command)
        case .deleteElements(let elements, let set):
            try encode(elements, of: set, NFT_MSG_DELSETELEM, flags: 0, command)
        case .flushSet(let set):
            try check(command, names: [set.table.name, set.name])
            // A request to delete elements that names none deletes all.
            let object = try SetObject(naming: set)
            unsafe append(NFT_MSG_DELSETELEM, set.table.family) { unsafe object.write(to: $0) }
        }
    }

    private mutating func encode(_ rule: Rule, _ placement: Batch.Placement, _ command: Batch.Command)
        throws(NftablesError)
    {
        try check(command, names: [rule.chain.table.name, rule.chain.name], comment: rule.comment)
        let expressions: [Expression]
        do throws(RuleCompiler.Problem) {
            expressions = try RuleCompiler.compile(rule)
        } catch {
            throw refusal(command, error.text)
        }
        let limit = 128  // `NFT_RULE_MAXEXPRS` of the kernel's include/net/netfilter/nf_tables.h
        guard expressions.count <= limit else {
            throw refusal(command, "a rule has at most \(limit) expressions, this one has \(expressions.count)")
        }
        for case .log(let prefix?) in expressions {
            if let problem = Limit.logPrefix.problem(prefix) { throw refusal(command, problem) }
        }
        for case .verdict(let verdict) in expressions {
            if let problem = verdict.chain.flatMap(Limit.name.problem) { throw refusal(command, problem) }
        }
        for case .lookup(let set, _, _, _) in expressions {
            if let problem = Limit.name.problem(set) { throw refusal(command, problem) }
        }
        let (flags, handle, position): (Int32, UInt64?, UInt64?) =
            switch placement {
            case .last: (NLM_F_CREATE | NLM_F_APPEND, nil, nil)
            case .first: (NLM_F_CREATE, nil, nil)
            case .before(let handle): (NLM_F_CREATE, nil, handle)
            case .after(let handle): (NLM_F_CREATE | NLM_F_APPEND, nil, handle)
            case .instead(let handle): (NLM_F_REPLACE, handle, nil)
            }
        let object = try RuleObject.whole(rule, expressions, handle: handle, position: position)
        unsafe append(NFT_MSG_NEWRULE, rule.chain.table.family, flags: flags) { unsafe object.write(to: $0) }
    }

    private mutating func encode(_ set: NamedSet, _ verb: Batch.Verb, _ command: Batch.Command) throws(NftablesError) {
        try check(command, names: [set.table.name, set.name], comment: set.comment)
        for types in [set.key, set.data] {
            let length = Concatenation(types: types).length
            guard length <= Concatenation.maximumLength else {
                throw refusal(
                    command, "\(types.text) has \(length) bytes, the registers \(Concatenation.maximumLength)")
            }
        }
        guard !set.key.isEmpty else { throw refusal(command, "a key needs a type") }
        if case .data(let types) = set.content, types.isEmpty { throw refusal(command, "the data needs a type") }
        if set.storesEnds, let type = set.key.first, !type.allowsIntervals {
            throw refusal(command, "intervals of type \(type) are not supported")
        }
        sets += 1
        let object = try SetObject(set, identifier: sets)
        unsafe append(NFT_MSG_NEWSET, set.table.family, flags: verb.flags) { unsafe object.write(to: $0) }
    }

    private mutating func encode(
        _ elements: [Element], of set: NamedSet, _ type: nf_tables_msg_types, flags: Int32, _ command: Batch.Command
    ) throws(NftablesError) {
        try check(command, names: [set.table.name, set.name])
        // So many at a time, because libnftnl's objects are ten times as big as the elements.
        for start in stride(from: 0, to: elements.count, by: 1024) {
            let object = try SetObject(naming: set)
            var stored: [Int] = []
            for index in start..<min(start + 1024, elements.count) {
                let (first, behind) = try encode(
                    elements[index], of: set, keysOnly: type == NFT_MSG_DELSETELEM, command)
                try object.append(first)
                stored.append(index)
                guard let behind else { continue }
                try object.append(behind)
                stored.append(index)
            }
            unsafe object.writeElements { write in
                unsafe append(type, set.table.family, flags: flags, write)
                let count = ElementList(message: writer.bytes[origins[origins.count - 1].offset...]).count
                origins[origins.count - 1].elements = Array(stored.prefix(count))
                stored.removeFirst(min(count, stored.count))
            }
        }
    }

    private func encode(
        _ element: Element, of set: NamedSet, keysOnly: Bool, _ command: Batch.Command
    ) throws(NftablesError) -> (first: StoredElement, behind: StoredElement?) {
        do throws(StoredElement.Problem) {
            return try StoredElement.encode(element, of: set, keysOnly: keysOnly)
        } catch {
            var refusal = refusal(command, error.text)
            refusal.object = "\(element.key.text) in \(set)"
            refusal.element = element
            throw refusal
        }
    }

    private mutating func append(
        _ type: nf_tables_msg_types, _ family: Family, flags: Int32 = 0,
        _ body: (UnsafeMutablePointer<nlmsghdr>) -> Void
    ) {
        origins.append(Origin(command: command, offset: writer.bytes.count))
        unsafe writer.append(type, family, flags: flags, sequence: firstSequence + UInt32(origins.count), body)
    }

    private func check(_ command: Batch.Command, names: [String], comment: String? = nil) throws(NftablesError) {
        for name in names {
            if let problem = Limit.name.problem(name) { throw refusal(command, problem) }
        }
        if let problem = comment.flatMap(Limit.comment.problem) { throw refusal(command, problem) }
    }

    private func refusal(_ command: Batch.Command, _ problem: String) -> NftablesError {
        let words = command.words
        return NftablesError(invalid: words.operation, words.object, problem)
    }
}

extension Batch.Verb {
    var flags: Int32 { self == .add ? NLM_F_CREATE : NLM_F_CREATE | NLM_F_EXCL }
}
