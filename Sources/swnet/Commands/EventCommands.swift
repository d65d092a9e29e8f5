import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let events = Command(
        "events", "[--format table|json]", summary: "print what happens to networks, sandboxes and ports, a line each",
        details: """
            From now on, until it is interrupted or nobody reads any more: networks made and removed, sandboxes connected
            and disconnected, ports published and taken back, repairs; and what others do to what is ours: damage in the
            kernel, in the words of 'swnet check', and who changed our table of the firewall.

            Standard output has nothing but events. Warnings are lines of text on standard error, whatever the format: that
            another process keeps swnet's lock for seconds, what an interrupted operation left and cannot be cleaned up,
            a check that fails.

            \(JSONReference.events.text)
            """,
        examples: ["swnet events", "swnet events --format json | jq -r 'select(.event == \"connected\") | .sandbox'"],
        grammar: FlagGrammar([.format]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let format = try invocation.format
            try invocation.engine.events { event in
                let time = MomentText.now()
                return Output.tryLine(
                    format == .json ? event.json(time: time).text : "\(time) \(event)".printable)
            }
            return .success
        })

    static let watch = Command(
        "watch", "[--every SECONDS]", summary: "repair what others damage, as soon as it happens",
        details: """
            After a 'nft flush ruleset', the reload of a firewall, a deleted link, address or route: what 'swnet repair' does.
            It repairs what is wrong already when it starts, and prints what it did. When somebody undoes that again and
            again, it stands back for a while and says so. It ends with 0 on SIGINT and SIGTERM.

            As a service, /etc/systemd/system/swnet-watch.service:
              [Unit]
              Description=Keep the networks of swnet as they are recorded
              After=nftables.service firewalld.service
              [Service]
              ExecStart=/usr/local/bin/swnet watch
              Restart=on-failure
              [Install]
              WantedBy=multi-user.target
            """,
        examples: ["swnet watch", "swnet watch --every 10"],
        grammar: FlagGrammar([
            .init("every", value: "SECONDS", help: "look also when nothing was told, because not everything is (60)")
        ]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let interval: Int = try invocation.value("every", "a number of seconds") ?? 60
            guard (1...86400).contains(interval) else {
                throw invocation.misuse("\(interval) for --every is not from 1 to 86400 seconds")
            }
            try invocation.engine.watch(every: interval) { Output.tryLine("\(MomentText.now()) \($0)".printable) }
            return .success
        })
}
