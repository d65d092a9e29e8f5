import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let trace = Command(
        "trace", "[FLAG…] tcp|udp|icmp ADDRESS[:PORT]",
        summary: "send one packet, and tell its way and its end in words",
        details: """
            Hook by hook, chain by chain and rule by rule, whoever made them; every translation; whether an answer came;
            where and why the packet was lost, and what to do. The packet is one SYN, one datagram with a line end, or one
            echo request. Exits with 1 when the packet was dropped, lost or refused.

            The kernel's tracing is switched on for that packet alone, in a table that goes with this process.

            \(JSONReference.trace.text)
            """,
        examples: [
            "swnet trace tcp 127.0.0.1:8080", "swnet trace tcp [::1]:8080", "swnet trace icmp 192.0.2.2",
            "swnet trace --from web tcp 192.0.2.2:80", "swnet trace --in eth0 --timeout 60 tcp 192.0.2.1:8080",
        ],
        grammar: FlagGrammar([
            .init("from", value: "SANDBOX", help: "who sends it (this host)"),
            .init(
                "in", "from-interface", value: "INTERFACE",
                help: "wait for one that comes in by an interface of the host"),
            .init("wait", help: "wait for one of somebody else's instead of sending one"),
            .init("timeout", short: "t", value: "SECONDS", help: "how long to wait for it and its answer (3)"),
            .format,
        ]),
        run: { invocation in
            try invocation.require(2...2, "a protocol and an address")
            let format = try invocation.format
            let target: TraceTarget
            do throws(NetworkError) {
                target = try TraceTarget(parsing: invocation.arguments[0], invocation.arguments[1])
            } catch {
                throw invocation.misuse("\(error)")
            }
            let timeout: Int = try invocation.value("timeout", "a number of seconds") ?? 3
            guard (1...86400).contains(timeout) else {
                throw invocation.misuse("\(timeout) for --timeout is not from 1 to 86400 seconds")
            }
            let sender = try invocation.flags.value("from").map { text throws(CommandFailure) in
                try invocation.sandbox(text)
            }
            let input: InterfaceName? = try invocation.value("in", "an interface's name")
            if sender != nil && input != nil {
                throw invocation.misuse("--from and --in exclude each other: a packet has one beginning")
            }
            let report = try invocation.engine.trace(
                TraceRequest(
                    target, from: sender, input: input?.text, waits: invocation.flags.isOn("wait"), timeout: timeout))
            if format == .json {
                try JSONOutput.print(report.json)
            } else {
                Output.write(report.lines.map { Terminal.shown($0.printable) + "\n" }.joined())
            }
            return report.outcome.isGood ? .success : .failure
        })
}
