import Addressing
import CommandSupport
import JSONCoding
import NetworkEngine
import NetworkModel

extension SwnetCommands {
    static let list = Command(
        "ls", "[FLAG…]", summary: "list networks", details: JSONReference.list.text,
        examples: ["swnet ls", "swnet ls --format json", "swnet ls -q --driver bridge"],
        grammar: FlagGrammar([
            .init("driver", short: "d", value: "DRIVER", help: "only networks of this driver"), .quiet, .format,
        ]),
        run: { invocation in
            try invocation.require(0...0, "no argument")
            let format = try invocation.format
            var networks = try invocation.engine.networks()
            if let driver = invocation.flags.value("driver") {
                guard NetworkDriver.names.contains(driver) else {
                    throw invocation.misuse(
                        "'\(driver)' for --driver is none of \(NetworkDriver.names.joined(separator: ", "))")
                }
                networks.removeAll { $0.driver.name != driver }
            }
            if invocation.flags.isOn("quiet") {
                Output.write(networks.map { $0.name + "\n" }.joined())
                return .success
            }
            if format == .json {
                try JSONOutput.print(JSONValue(networks))
                return .success
            }
            let sandboxes = try invocation.engine.sandboxes()
            var table = TextTable(["NAME", "DRIVER", "INTERFACE", "SUBNETS", "INTERNAL", "SANDBOXES"])
            for network in networks {
                table.add([
                    network.name, network.driver.name, network.bridgeName ?? network.driver.parent?.text ?? "",
                    network.subnets.map(\.prefix.description).joined(separator: ", "),
                    network.isInternal ? "yes" : "no",
                    "\(sandboxes.count { $0.endpoint(in: network.name) != nil })",
                ])
            }
            table.print()
            return .success
        })
}

extension FlagGrammar.Flag {
    /// What every listing takes that has names.
    static let quiet = Self("quiet", short: "q", help: "only names, a line each")
}
