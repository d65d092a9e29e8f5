import CLinux
import Netlink
import SystemPackage

/// A filter of a queueing discipline: it puts packets into a class, or acts on them.
public struct TrafficFilter: Hashable, Sendable {
    /// Which packets it takes.
    public enum Classifier: Hashable, Sendable {
        /// Those in which every word has the value that it should; without a word, all (net/sched/cls_u32.c).
        case u32([Word])
        /// All (net/sched/cls_matchall.c).
        case matchAll
        /// Those for which a program says so (net/sched/cls_bpf.c).
        case bpf(Program)
        /// One whose settings have no words here.
        case other(String)

        var name: String {
            switch self {
            case .u32: "u32"
            case .matchAll: "matchall"
            case .bpf: "bpf"
            case .other(let name): name
            }
        }
    }

    /// 32 bits of a packet, at an offset from its network header.
    public struct Word: Hashable, Sendable {
        public var value: UInt32
        public var mask: UInt32
        /// Bytes, a multiple of four.
        public var offset: Int32

        public init(_ value: UInt32, mask: UInt32 = .max, at offset: Int32) {
            self.value = value
            self.mask = mask
            self.offset = offset
        }
    }

    /// A program of the kind `BPF_PROG_TYPE_SCHED_CLS` that decides by itself what becomes of a packet (`direct-action`).
    public struct Program: Hashable, Sendable {
        /// What `tc` lists it as.
        public var name: String
        /// The loaded program, which the filter keeps; nil of a filter that is there.
        public var descriptor: Int32?

        public init(_ name: String, descriptor: Int32?) {
            self.name = name
            self.descriptor = descriptor
        }
    }

    /// The link's index.
    public var link: UInt32
    /// The discipline, or `.incoming` or `.outgoing` of `clsact`.
    public var parent: TrafficHandle
    /// The lower is tried first; 0 in a request: the kernel chooses one.
    public var priority: UInt16
    /// `ETH_P_*`: the packets that are looked at; nil is all.
    public var `protocol`: UInt16?
    /// What tells filters of one priority apart, in the classifier's own way; nil in a request: the kernel chooses.
    public var handle: UInt32?
    public var classifier: Classifier
    /// The class that the packets go to.
    public var target: TrafficHandle?
    /// What is done, in order.
    public var actions: [TrafficAction]

    public init(
        _ classifier: Classifier, on parent: TrafficHandle, link: UInt32, priority: UInt16, protocol: UInt16? = nil,
        handle: UInt32? = nil, target: TrafficHandle? = nil, _ actions: [TrafficAction] = []
    ) {
        self.classifier = classifier
        self.parent = parent
        self.link = link
        self.priority = priority
        self.protocol = `protocol`
        self.handle = handle
        self.target = target
        self.actions = actions
    }
}

extension TrafficFilter: CustomStringConvertible {
    /// As `tc` would be told, in short: `u32 pref 1 on ffff:fff2 of link 7`.
    public var description: String { "\(classifier.name) pref \(priority) on \(parent) of link \(link)" }
}

extension TrafficFilter {
    /// Reads an `RTM_NEWTFILTER`; nil for what is only the frame of filters (the hash tables of `u32`).
    init?(_ message: NetlinkMessage) {
        guard [RTM_NEWTFILTER, RTM_DELTFILTER].contains(message.type), let header = message.header(tcmsg.self) else {
            return nil
        }
        let attributes = message.attributes(after: tcmsg.self)
        let options = attributes.nested(TCA_OPTIONS)
        guard let name = attributes.string(TCA_KIND), header.tcm_handle != 0 else { return nil }
        // tcm_info: priority, and the protocol in network order.
        let number = UInt16(bigEndian: UInt16(truncatingIfNeeded: header.tcm_info))
        self.init(
            .other(name), on: TrafficHandle(rawValue: header.tcm_parent), link: UInt32(bitPattern: header.tcm_ifindex),
            priority: UInt16(header.tcm_info >> 16), protocol: Int32(number) == ETH_P_ALL ? nil : number,
            handle: header.tcm_handle)
        switch name {
        case "u32":
            guard let selector = options[TCA_U32_SEL]?.payload, let words = Self.words(selector) else { return nil }
            classifier = .u32(words)
            target = options.u32(TCA_U32_CLASSID).map(TrafficHandle.init(rawValue:))
            actions = TrafficAction.read(options.nested(TCA_U32_ACT))
        case "matchall":
            classifier = .matchAll
            target = options.u32(TCA_MATCHALL_CLASSID).map(TrafficHandle.init(rawValue:))
            actions = TrafficAction.read(options.nested(TCA_MATCHALL_ACT))
        case "bpf":
            guard let flags = options.u32(TCA_BPF_FLAGS), flags & UInt32(TCA_BPF_FLAG_ACT_DIRECT) != 0,
                let program = options.string(TCA_BPF_NAME)
            else { break }
            classifier = .bpf(Program(program, descriptor: nil))
        default: break
        }
        if target?.rawValue == 0 { target = nil }
    }

    /// The keys of a `struct tc_u32_sel`; a mask of nothing is no word.
    private static func words(_ selector: ArraySlice<UInt8>) -> [Word]? {
        // The structure ends with its keys and is none to Swift: their number is its third byte.
        guard let count = selector.dropFirst(2).first else { return nil }
        var words: [Word] = []
        var rest = selector.dropFirst(MemoryLayout<tc_u32_sel>.size)
        for _ in 0..<count {
            guard let key = rest.header(tc_u32_key.self) else { return nil }
            if key.mask != 0 {
                words.append(Word(UInt32(bigEndian: key.val), mask: UInt32(bigEndian: key.mask), at: key.off))
            }
            rest = rest.dropFirst(MemoryLayout<tc_u32_key>.size)
        }
        return words
    }

    func message(_ type: Int, flags: Int32 = 0) -> MessageBuilder {
        var header = tcmsg()
        header.tcm_ifindex = Int32(bitPattern: link)
        header.tcm_parent = parent.rawValue
        header.tcm_handle = handle ?? 0
        let number = self.protocol ?? UInt16(ETH_P_ALL)
        header.tcm_info = UInt32(priority) << 16 | UInt32(number.bigEndian)
        var message = MessageBuilder(type: type, flags: flags)
        message.put(header: header)
        message.put(TCA_KIND, classifier.name)
        guard type == RTM_NEWTFILTER else { return message }
        message.nest(TCA_OPTIONS) { options in
            switch classifier {
            case .u32(let words):
                options.put(TCA_U32_SEL, Self.selector(words, in: &options))
                options.put(TCA_U32_CLASSID, optional: target?.rawValue)
                put(actions, TCA_U32_ACT, in: &options)
            case .matchAll:
                options.put(TCA_MATCHALL_CLASSID, optional: target?.rawValue)
                put(actions, TCA_MATCHALL_ACT, in: &options)
            case .bpf(let program):
                options.put(TCA_BPF_FD, optional: program.descriptor.map(UInt32.init(bitPattern:)))
                options.put(TCA_BPF_NAME, program.name)
                options.put(TCA_BPF_FLAGS, UInt32(TCA_BPF_FLAG_ACT_DIRECT))
            case .other(let name): options.refuse(.invalidArgument, "the classifier \(name) cannot be sent")
            }
        }
        return message
    }

    private func put(_ actions: [TrafficAction], _ attribute: Int, in options: inout MessageBuilder) {
        if actions.count > Int(TCA_ACT_MAX_PRIO) {
            options.refuse(.invalidArgument, "\(actions.count) actions are more than \(TCA_ACT_MAX_PRIO)")
        }
        guard !actions.isEmpty else { return }
        options.nest(attribute) { list in
            for (index, action) in actions.enumerated() { list.nest(index + 1) { action.put(in: &$0) } }
        }
    }

    /// A `struct tc_u32_sel` with its keys, of which there has to be one.
    private static func selector(_ words: [Word], in message: inout MessageBuilder) -> [UInt8] {
        let words = words.isEmpty ? [Word(0, mask: 0, at: 0)] : words
        if words.count > 128 { message.refuse(.invalidArgument, "\(words.count) words are more than 128") }
        for word in words where word.offset % 4 != 0 {
            message.refuse(.invalidArgument, "the offset \(word.offset) is no multiple of 4")
        }
        var bytes = [UInt8](repeating: 0, count: MemoryLayout<tc_u32_sel>.size)
        bytes[0] = UInt8(TC_U32_TERMINAL)
        bytes[2] = UInt8(clamping: words.count)
        for word in words {
            for field in [word.mask.bigEndian, word.value.bigEndian, UInt32(bitPattern: word.offset), 0] {
                bytes += (0..<4).map { UInt8(truncatingIfNeeded: field.littleEndian >> (8 * $0)) }
            }
        }
        return bytes
    }

    /// Says of a refusal what the kernel lacks.
    var lacking: @Sendable (NetlinkError) -> String? {
        let name = classifier.name
        let kinds = actions.map(\.kind).joined(separator: ", ")
        return { error in
            guard error.errno == .noSuchFileOrDirectory, let message = error.message else { return nil }
            if message.hasPrefix("TC classifier not found") { return "this kernel has no classifier \(name)" }
            if message.hasPrefix("Failed to load TC action module") { return "this kernel has no action \(kinds)" }
            return nil
        }
    }
}
