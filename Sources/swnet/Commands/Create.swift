import Addressing
import ArgumentParser
import CommandSupport
import NetworkEngine
import NetworkModel

struct Create: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Make a network.",
        discussion: """
            What is not given is chosen: an IPv4 and an IPv6 subnet that nothing on this host uses.

            Examples:
              swnet create lab
              swnet create lab --subnet 10.1.0.0/24
              swnet create lab --subnet 10.1.0.0/24 --subnet fd00:1::/64 --gateway 10.1.0.254
              swnet create closed --internal
            """)

    @Argument(help: "The network's name.") var name: String
    @Option(
        parsing: .unconditionalSingleValue, help: ArgumentHelp("One IPv4 and/or one IPv6 subnet.", valueName: "subnet"),
        transform: ArgumentValue.subnet)
    var subnet: [IPPrefix] = []
    @Option(
        parsing: .unconditionalSingleValue,
        help: ArgumentHelp("The host's own address in a subnet; its first one by default.", valueName: "address"),
        transform: ArgumentValue.address)
    var gateway: [IPAddress] = []
    @Option(
        parsing: .unconditional, help: ArgumentHelp("The largest packet in bytes.", valueName: "bytes"),
        transform: ArgumentValue.number)
    var mtu: Int?
    @Flag(help: "No way out and none in.") var `internal` = false
    @OptionGroup var state: StateOptions

    func run() throws {
        let network = try state.engine.createNetwork(
            NetworkRequest(name: name, subnets: subnet, gateways: gateway, mtu: mtu, isInternal: `internal`))
        Output.line(network.name)
    }
}
