import CommandSupport

/// What `swnet capture` has found out and asks for.
struct CaptureOptions {
    /// `DESCRIPTOR:NAME`, with as many labels and descriptions.
    var interfaces: [Interface]
    /// `-` is standard output; nil for lines of words.
    var file: String?
    /// 0 for no limit.
    var count: Int
    /// The most bytes that are kept of a packet.
    var snapshotLength: Int
    /// As libpcap takes it (pcap-filter(7)); empty for every packet.
    var filter: String

    struct Interface {
        /// A descriptor of the network namespace that it is in; nil for the one that the program is started in.
        var namespace: Int32?
        var name: String
        /// What it is called in the recording.
        var label: String
        var description: String
    }

    init(_ words: [String]) throws(CommandFailure) {
        let grammar = FlagGrammar([
            .init("interface", value: "NAME", help: ""), .init("label", value: "TEXT", help: ""),
            .init("description", value: "TEXT", help: ""), .init("write", value: "FILE", help: ""),
            .init("count", value: "N", help: ""), .init("snapshot-length", value: "BYTES", help: ""),
        ])
        let flags: ParsedFlags
        do {
            flags = try grammar.parse(words)
        } catch {
            throw CommandFailure("\(error) (this program is run by 'swnet capture')", status: .usage)
        }
        let names = zip(flags.values("label"), flags.values("description"))
        interfaces = zip(flags.values("interface"), names).compactMap { text, names in
            let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            guard parts.count == 2 else { return nil }
            return Interface(namespace: Int32(parts[0]), name: parts[1], label: names.0, description: names.1)
        }
        file = flags.value("write")
        count = flags.value("count").flatMap { Int($0) } ?? 0
        snapshotLength = flags.value("snapshot-length").flatMap { Int($0) } ?? 262_144
        filter = flags.arguments.joined(separator: " ")
        guard !interfaces.isEmpty else {
            throw CommandFailure("no interface (this program is run by 'swnet capture')", status: .usage)
        }
    }
}
