import CLinux
import CNftnl

/// An element as the kernel stores it: bytes in registers' layout.
struct StoredElement {
    var key: [UInt8] = []
    /// The last key, of an element of a concatenation with intervals; else empty.
    var end: [UInt8] = []
    /// Whether it is the first key behind an interval rather than an interval's first.
    var isEnd = false
    var data: [UInt8] = []
    var verdict: Verdict?
    var userData = UserData()

    init() {}

    /// Whether no key is there twice, as in a set.
    static func areDifferent(_ elements: [StoredElement]) -> Bool {
        Swift.Set(elements.map { [$0.isEnd ? 1 : 0] + $0.key + $0.end }).count == elements.count
    }

    /// Why an element does not fit its set.
    struct Problem: Error {
        let text: String
    }
}

// MARK: Writing

extension StoredElement {
    /// What the kernel stores for an element: itself, or an interval's first key and the first key behind it.
    ///
    /// - Parameter keysOnly: To name elements rather than to add them.
    static func encode(
        _ element: Element, of set: NamedSet, keysOnly: Bool = false
    ) throws(Problem) -> (first: StoredElement, behind: StoredElement?) {
        guard element.key.count == set.key.count else {
            throw Problem(text: "a key is \(set.key.text), \(element.key.text) has \(element.key.count) components")
        }
        var stored = StoredElement()
        stored.key = try bytes(element.key, set.key)
        if !keysOnly { try stored.encodeContent(element, of: set) }
        guard set.flags.contains(.interval) else {
            guard !element.key.contains(where: \.isInterval) else {
                throw Problem(text: "\(element.key.text) is an interval, and the set lacks the flag")
            }
            return (stored, nil)
        }
        for (value, type) in zip(element.key, set.key) where value.isInterval || set.storesEnds {
            guard type.allowsIntervals else { throw Problem(text: "intervals of type \(type) are not supported") }
        }
        let last = try bytes(element.key, set.key, last: true)
        guard !last.lexicographicallyPrecedes(stored.key) else {
            throw Problem(text: "the interval \(element.key.text) is empty")
        }
        guard set.storesEnds else {
            // A single key has an end, too: without it `nft list` makes one interval of two elements.
            stored.end = last
            return (stored, nil)
        }
        var behind = StoredElement()
        behind.key = last
        behind.isEnd = true
        if behind.key.increment() { return (stored, behind) }
        // Nothing is behind the last key of all; `nft` wants to know that the end is missing on purpose.
        if !keysOnly {
            stored.userData.put(NFTNL_UDATA_SET_ELEM_FLAGS.rawValue, NFTNL_SET_ELEM_F_INTERVAL_OPEN.rawValue)
        }
        return (stored, nil)
    }

    private mutating func encodeContent(_ element: Element, of set: NamedSet) throws(Problem) {
        switch (element.content, set.content) {
        case (.nothing, .nothing): break
        case (.verdict(let verdict), .verdict): self.verdict = verdict
        case (.data(let values), .data(let types)):
            guard values.count == types.count else {
                throw Problem(text: "its data is \(types.text), \(values.text) has \(values.count) components")
            }
            data = try Self.bytes(values, types)
        case (.nothing, _): throw Problem(text: "an element of a map needs data")
        case (_, .nothing): throw Problem(text: "an element of a set has no data")
        default: throw Problem(text: "its data is not of the map's type")
        }
        if let comment = element.comment {
            if let problem = Limit.comment.problem(comment) { throw Problem(text: problem) }
            userData.put(NFTNL_UDATA_SET_ELEM_COMMENT.rawValue, comment)
        }
    }

    /// A concatenation's bytes: each component begins at a multiple of four. A single component is not padded.
    static func bytes(_ values: [Value], _ types: [DataType], last: Bool = false) throws(Problem) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Concatenation.maximumLength)
        for (value, type) in zip(values, types) {
            while bytes.count % 4 != 0 { bytes.append(0) }
            guard (last ? value.last : value.first).append(to: &bytes, as: type) else {
                throw Problem(text: "\(value) is no \(type)")
            }
        }
        if types.count > 1 { while bytes.count % 4 != 0 { bytes.append(0) } }
        return bytes
    }
}

// MARK: Reading

extension StoredElement {
    /// The element that this one stores, of a set that keeps both ends of an interval together.
    func element(of set: NamedSet) -> Element {
        let last = end.isEmpty ? key : end
        return element(Self.values(from: key, through: last, set.key), of: set)
    }

    private func element(_ key: [Value], of set: NamedSet) -> Element {
        let content: Element.Content =
            switch set.content {
            case .nothing: .nothing
            case .data(let types): .data(Self.values(from: data, through: data, types))
            case .verdict: verdict.map(Element.Content.verdict) ?? .nothing
            }
        return Element(key, content, comment: userData.text(NFTNL_UDATA_SET_ELEM_COMMENT.rawValue))
    }

    /// The elements that a list stores, in the order of their keys where intervals are made of two.
    static func elements(_ stored: [StoredElement], of set: NamedSet) -> [Element] {
        guard set.storesEnds, let type = set.key.first else { return stored.map { $0.element(of: set) } }
        let sorted = stored.sorted { a, b in
            // Where one interval ends and the next begins, the end comes first.
            a.key == b.key ? a.isEnd && !b.isEnd : a.key.lexicographicallyPrecedes(b.key)
        }
        return sorted.indices.compactMap { index in
            let first = sorted[index]
            guard !first.isEnd else { return nil }
            var last = [UInt8](repeating: .max, count: type.length)
            if index + 1 < sorted.count {
                last = sorted[index + 1].key
                last.decrement()
            }
            return first.element(Self.values(from: first.key, through: last, set.key), of: set)
        }
    }

    /// Takes a concatenation apart. What is cut short reads as zeros.
    private static func values(from first: [UInt8], through last: [UInt8], _ types: [DataType]) -> [Value] {
        var offset = 0
        return types.map { type in
            defer { offset += Concatenation.padded(type.length) }
            return Value(
                from: Value(first.field(at: offset, type.length), as: type),
                through: Value(last.field(at: offset, type.length), as: type))
        }
    }
}

extension [UInt8] {
    fileprivate func field(at offset: Int, _ length: Int) -> [UInt8] {
        let field = dropFirst(offset).prefix(length)
        return Array(field) + repeatElement(0, count: length - field.count)
    }

    /// Adds one to the big-endian number; false when it was the greatest and is zero now.
    fileprivate mutating func increment() -> Bool {
        for index in indices.reversed() {
            self[index] &+= 1
            if self[index] != 0 { return true }
        }
        return false
    }

    fileprivate mutating func decrement() {
        for index in indices.reversed() {
            self[index] &-= 1
            if self[index] != .max { return }
        }
    }
}

/// Lengths that the kernel and `nft` set for texts.
enum Limit {
    /// `NFT_NAME_MAXLEN` has room for the zero that ends the name.
    case name
    case comment
    /// `NF_LOG_PREFIXLEN` of the kernel's include/net/netfilter/nf_log.h, which is no header for user space.
    case logPrefix

    /// What is wrong with a text; nil when nothing is.
    func problem(_ text: String) -> String? {
        let length = text.utf8.count
        let (what, range) =
            switch self {
            case .name: ("a name", 1...Int(NFT_NAME_MAXLEN) - 1)
            case .comment: ("a comment", 0...UserData.maximumComment)
            case .logPrefix: ("a log prefix", 1...126)
            }
        if !range.contains(length) {
            return "\(what) has \(range.lowerBound) to \(range.upperBound) bytes, this one has \(length)"
        }
        return text.utf8.contains(0) ? "\(what) has no zero byte" : nil
    }
}
