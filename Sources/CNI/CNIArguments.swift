import Addressing

/// `CNI_ARGS`: `KEY=VALUE;KEY=VALUE` (CONVENTIONS.md, CNI_ARGS).
struct CNIArguments: Hashable, Sendable {
    /// `IP`: addresses to have, as a list with commas. What stands behind a slash is the subnet's business.
    var addresses: [IPAddress] = []
    /// `MAC`.
    var macAddress: MACAddress?
    /// `K8S_POD_NAME`: what the container is called. podman says so too, where the identifier is a number.
    var podName: String?

    init() {}

    /// - Throws: `CNIError` 4 that names the key: one that is not known is an error, unless `IgnoreUnknown` says no.
    init(_ text: String) throws(CNIError) {
        var unknown: [String] = []
        var ignoresUnknown = false
        for pair in text.split(separator: ";") {
            guard let equals = pair.firstIndex(of: "=") else {
                throw Self.wrong("'\(pair)' is not KEY=VALUE")
            }
            let key = String(pair[..<equals])
            let value = String(pair[pair.index(after: equals)...])
            switch key {
            case "IgnoreUnknown":
                switch value.lowercased() {
                case "1", "true": ignoresUnknown = true
                case "0", "false", "": ignoresUnknown = false
                default: throw Self.wrong("IgnoreUnknown '\(value)' is neither 1 nor 0")
                }
            case "IP":
                for part in value.split(separator: ",") {
                    guard let address = IPAddress(leaving: String(part)) else {
                        throw Self.wrong("IP '\(part)' is no IP address")
                    }
                    addresses.append(address)
                }
            case "MAC":
                guard !value.isEmpty else { continue }
                guard let address = MACAddress(value), address.isUnicast else {
                    throw Self.wrong("MAC '\(value)' is no interface's address (02:00:00:00:00:01)")
                }
                macAddress = address
            case "K8S_POD_NAME": podName = value
            default: unknown.append(key)
            }
        }
        guard unknown.isEmpty || ignoresUnknown else {
            throw CNIError(
                .invalidEnvironment, "CNI_ARGS: \(unknown.map { "'\($0)'" }.joined(separator: ", ")) not known",
                details: "IgnoreUnknown=1 has them ignored")
        }
    }

    private static func wrong(_ what: String) -> CNIError { CNIError(.invalidEnvironment, "CNI_ARGS: \(what)") }
}

extension IPAddress {
    /// An address with or without a prefix length, of which only the address counts.
    init?(leaving text: String) {
        if let prefix = IPPrefix(text) { self = prefix.address } else { self.init(text) }
    }
}
