import Addressing
import ArgumentParser
import CommandSupport
import NetworkEngine
import NetworkModel

struct Connect: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Connect a sandbox to a network.",
        discussion: """
            Examples:
              swnet connect bridge web
              swnet connect lab web --ip 10.1.0.9 --mac 02:00:00:00:00:09 --ifname up0
              swnet connect lab pid:4711
              swnet connect lab /proc/4711/ns/net
              swnet connect bridge web -p 8080:80
            """)

    @Argument(help: "The network's name.") var network: String
    @Argument(
        help: "A container's name, a named network namespace, pid:N, or a path.", transform: ArgumentValue.sandbox)
    var sandbox: SandboxReference
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The IPv4 address.", valueName: "address"),
        transform: ArgumentValue.address4)
    var ip: IPv4Address?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The IPv6 address.", valueName: "address"),
        transform: ArgumentValue.address6)
    var ip6: IPv6Address?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The Ethernet address.", valueName: "address"),
        transform: ArgumentValue.mac)
    var mac: MACAddress?
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The interface's name in the sandbox.", valueName: "name"),
        transform: ArgumentValue.interface)
    var ifname: InterfaceName?
    @Option(
        name: .shortAndLong, parsing: .unconditionalSingleValue,
        help: ArgumentHelp("A port to publish in the same step.", valueName: "port"), transform: ArgumentValue.port)
    var publish: [PortMapping] = []
    @OptionGroup var state: StateOptions

    func run() throws {
        let addresses = [ip.map { IPAddress.v4($0) }, ip6.map { IPAddress.v6($0) }].compactMap(\.self)
        let attachment = ConnectRequest.Attachment(
            network: network, addresses: addresses, macAddress: mac, interface: ifname)
        try state.engine.connect(ConnectRequest(sandbox: sandbox, attachments: [attachment], ports: publish))
    }
}
