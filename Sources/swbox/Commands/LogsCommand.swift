import CommandSupport
import ContainerLog
import Engine

extension SwboxCommands {
    static let logs = Command(
        "logs", "[-f] [-t] [-n NUMBER] CONTAINER", summary: "what a container has written",
        examples: ["swbox logs web", "swbox logs -f --tail 20 web"],
        grammar: FlagGrammar([
            .init("follow", short: "f", help: "go on until the container ends"),
            .init("tail", short: "n", value: "NUMBER", help: "begin with the last lines (all)"),
            .init("timestamps", short: "t", help: "put the time in front of each line"),
        ]), run: printLogs)
}

private func printLogs(_ invocation: Invocation) throws -> ExitStatus {
    let flags = invocation.flags
    try invocation.require(1...1, "one container")
    var last: Int?
    if let text = flags.value("tail"), text != "all" {
        guard let number = Int(text), number >= 0 else {
            throw invocation.misuse("'\(text)' for --tail is no number of lines")
        }
        last = number
    }
    let hasTimes = flags.isOn("timestamps")
    try invocation.engine.recover()
    let container = try invocation.engine.containers.find(invocation.arguments[0])
    try invocation.engine.readLog(of: container, last: last, isFollowing: flags.isOn("follow")) { entries in
        // Runs of one stream are written together; between the streams the order stays.
        var text = ""
        var stream = LogStream.output
        for entry in entries {
            if entry.stream != stream {
                write(text, stream)
                text = ""
                stream = entry.stream
            }
            text += hasTimes ? "\(entry.time) \(entry.text)" : entry.text
        }
        write(text, stream)
    }
    return .success
}

private func write(_ text: String, _ stream: LogStream) {
    guard !text.isEmpty else { return }
    if stream == .output { Output.write(text) } else { Output.error(text) }
}
