import CommandSupport
import LinuxSystem
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let capture = Command(
        "capture", "[FLAG…] NETWORK|SANDBOX [FILTER…]", summary: "record packets, or print them a line each",
        details: """
            A network is seen at its bridge; one without (macvlan, ipvlan, vlan, host-device, dummy) at the interfaces of
            the sandboxes that are on it now, in the order of time. A sandbox is seen at its interfaces, inside of it. A
            FILTER is libpcap's (man pcap-filter); '--' stands before one that begins with a dash. FILE is pcapng, for
            Wireshark and tcpdump. It ends on SIGINT, after COUNT packets, and when the interfaces go.
            """,
        examples: [
            "swnet capture bridge", "swnet capture web tcp port 80", "swnet capture bridge -w bridge.pcapng -c 100",
            "swnet capture web -w - | tcpdump -n -r -",
        ],
        grammar: FlagGrammar([
            .init("write", short: "w", value: "FILE", help: "write pcapng; - is standard output, for a pipe"),
            .init("interface", short: "i", value: "NAME", help: "only this interface of the network or sandbox"),
            .init("count", short: "c", value: "COUNT", help: "end after so many packets"),
            .init("snapshot-length", short: "s", value: "BYTES", help: "keep so many bytes of a packet (262144)"),
        ]),
        run: { invocation in
            try invocation.require(1..., "a network or a sandbox")
            let count: Int = try invocation.value("count", "a number") ?? 0
            let length: Int = try invocation.value("snapshot-length", "a number") ?? 262_144
            guard count > 0 || invocation.flags.value("count") == nil else {
                throw invocation.misuse("\(count) for --count is no number of packets")
            }
            guard (1...262_144).contains(length) else {
                throw invocation.misuse("\(length) for --snapshot-length is not from 1 to 262144 bytes")
            }
            let plan = try invocation.engine.capturePlan(
                of: invocation.arguments[0], interface: invocation.flags.value("interface"))
            var words = ["swnet-capture", "--count=\(count)", "--snapshot-length=\(length)"]
            var descriptors: [UInt64: Int32] = [:]
            for interface in plan.interfaces {
                var number: Int32?
                if let sandbox = interface.sandbox {
                    number = try descriptors[sandbox.inode] ?? open(sandbox, of: interface.description)
                    descriptors[sandbox.inode] = number
                }
                let place = number.map { "\($0)" } ?? ""
                words += [
                    "--interface=\(place):\(interface.name)", "--label=\(interface.label)",
                    "--description=\(interface.description)",
                ]
            }
            if let file = invocation.flags.value("write") { words.append("--write=\(file)") }
            try SiblingProgram.execute("swnet-capture", words + ["--"] + invocation.arguments.dropFirst())
            return .failure
        })

    /// A descriptor of a sandbox's network namespace for the program that is executed: opened and looked at here, so that
    /// it is the namespace that is meant whatever its path leads to by then.
    private static func open(_ sandbox: SandboxIdentity, of what: String) throws -> Int32 {
        let opened = try Namespace(path: sandbox.path, kind: .net)
        guard opened.identity.inode == sandbox.inode else {
            throw CommandFailure("the network namespace of \(what) is gone")
        }
        return try opened.descriptor.duplicateForExec().release()
    }
}
