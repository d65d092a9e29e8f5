import CommandSupport

/// What `swnet capture` has found out and asks for.
struct CaptureOptions {
    /// A namespace file; nil for the one that the program is started in.
    var namespace: String?
    /// `NAME` or `NAME:DESCRIPTION`: no name of an interface has a colon.
    var interfaces: [(name: String, description: String)]
    /// `-` is standard output; nil for lines of words.
    var file: String?
    /// 0 for no limit.
    var count: Int
    /// The most bytes that are kept of a packet.
    var snapshotLength: Int
    /// As libpcap takes it (pcap-filter(7)); empty for every packet.
    var filter: String

    init(_ words: [String]) throws(CommandFailure) {
        let grammar = FlagGrammar([
            .init("namespace", value: "PATH", help: ""), .init("interface", value: "NAME", help: ""),
            .init("write", value: "FILE", help: ""), .init("count", value: "N", help: ""),
            .init("snapshot-length", value: "BYTES", help: ""),
        ])
        let flags: ParsedFlags
        do {
            flags = try grammar.parse(words)
        } catch {
            throw CommandFailure("\(error) (this program is run by 'swnet capture')", status: .usage)
        }
        namespace = flags.value("namespace")
        interfaces = flags.values("interface").map { text in
            let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
            return (parts.first ?? "", parts.count > 1 ? parts[1] : "")
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
