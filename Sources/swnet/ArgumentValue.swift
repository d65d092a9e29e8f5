import Addressing
import ArgumentParser
import NetworkModel

/// What is wrong with one argument; the argument's name and value are said by the parser.
struct ArgumentProblem: Error, CustomStringConvertible {
    let description: String
}

/// Parses arguments, each with what it should have been.
enum ArgumentValue {
    static func subnet(_ text: String) throws -> IPPrefix {
        guard let prefix = IPPrefix(text) else { throw ArgumentProblem(description: "not ADDRESS/LENGTH") }
        return prefix
    }

    static func address(_ text: String) throws -> IPAddress {
        guard let address = IPAddress(text) else { throw ArgumentProblem(description: "not an IP address") }
        return address
    }

    static func address4(_ text: String) throws -> IPv4Address {
        guard let address = IPv4Address(text) else { throw ArgumentProblem(description: "not an IPv4 address") }
        return address
    }

    static func address6(_ text: String) throws -> IPv6Address {
        guard let address = IPv6Address(text) else { throw ArgumentProblem(description: "not an IPv6 address") }
        return address
    }

    static func mac(_ text: String) throws -> MACAddress {
        guard let address = MACAddress(text) else {
            throw ArgumentProblem(description: "not six pairs of hexadecimal digits (02:00:00:00:00:01)")
        }
        return address
    }

    static func interface(_ text: String) throws -> InterfaceName {
        guard let name = InterfaceName(text) else {
            throw ArgumentProblem(
                description:
                    "an interface's name has 1 to \(InterfaceName.maximumLength) characters, no '/', ':', '%' or space")
        }
        return name
    }

    static func number(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw ArgumentProblem(description: "not a number") }
        return number
    }

    static func sandbox(_ text: String) throws -> SandboxReference { try SandboxReference(parsing: text) }

    static func port(_ text: String) throws -> PortMapping { try PortMapping(parsing: text) }
}
