import Addressing
import CommandSupport
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let connect = Command(
        "connect", "[FLAG…] NETWORK SANDBOX", summary: "connect a sandbox to a network",
        examples: [
            "swnet connect bridge web",
            "swnet connect lab web --ip 10.1.0.9 --mac 02:00:00:00:00:09 --ifname up0",
            "swnet connect lab pid:4711", "swnet connect lab /proc/4711/ns/net",
            "swnet connect bridge web -p 8080:80", "swnet connect bridge web --dry-run",
        ],
        grammar: FlagGrammar(
            [
                .init("ip", value: "ADDRESS", help: "the IPv4 address"),
                .init("ip6", value: "ADDRESS", help: "the IPv6 address"),
                .init("mac", value: "ADDRESS", help: "the Ethernet address"),
                .init("ifname", value: "NAME", help: "the interface's name in the sandbox (eth0, eth1 …)"),
                .init("publish", short: "p", value: "PORT", help: "a port to publish in the same step (swnet publish)"),
            ] + FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2...2, "a network and a sandbox")
            let ip: [IPv4Address] = try invocation.values("ip", "an IPv4 address")
            let ip6: [IPv6Address] = try invocation.values("ip6", "an IPv6 address")
            let attachment = ConnectRequest.Attachment(
                network: invocation.arguments[0],
                addresses: ip.map { .v4($0) } + ip6.map { .v6($0) },
                macAddress: try invocation.value("mac", "six pairs of hexadecimal digits (02:00:00:00:00:01)"),
                interface: try invocation.value(
                    "ifname",
                    "an interface's name: 1 to \(InterfaceName.maximumLength) characters, no '/', ':', '%' or space"))
            let request = ConnectRequest(
                sandbox: try invocation.sandbox(invocation.arguments[1]), attachments: [attachment],
                ports: try invocation.ports(invocation.flags.values("publish")))
            return try invocation.perform(request.ports) { try $0.connect(request) }
        })

    static let disconnect = Command(
        "disconnect", "NETWORK SANDBOX", summary: "take a sandbox out of a network, with the ports that lead there",
        examples: ["swnet disconnect bridge web"], grammar: FlagGrammar(FlagGrammar.dryRun),
        run: { invocation in
            try invocation.require(2...2, "a network and a sandbox")
            let sandbox = try invocation.sandbox(invocation.arguments[1])
            return try invocation.perform { try $0.disconnect(sandbox, from: invocation.arguments[0]) }
        })

    static let collect = Command(
        "gc", summary: "clean up after sandboxes whose namespaces are gone, and print their names",
        details: """
            Nobody has to call it: whatever a dead sandbox has in the way of another is cleaned up when that happens.
            """,
        examples: ["swnet gc"],
        run: { invocation in
            try invocation.require(0...0, "no argument")
            for name in try invocation.engine.collect() { Output.line(name) }
            return .success
        })
}
