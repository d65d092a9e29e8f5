import Addressing
import JSONCoding

/// What a runtime asks a plugin for: the environment's parameters and the document on standard input (section 2).
///
/// Only what its operation needs has been checked: DEL has to work with a configuration that ADD would refuse.
public struct CNIRequest: Sendable {
    public let operation: CNIOperation
    public let version: CNIVersion
    /// The network's name.
    public let network: String
    /// The path of the sandbox's network namespace; empty when it was not given, which only DEL allows.
    public let namespace: String
    /// Whose attachment; nil for GC and STATUS.
    public let attachment: CNIAttachment?
    let arguments: CNIArguments
    let document: Document

    /// `Field` with the value that it stands for; it is kept as the value, which can be sent.
    struct Document: Sendable {
        let value: JSONValue
        var field: Field { Field(path: "", value: value) }
    }

    /// - Parameters:
    ///   - environment: The value of a variable; nil when it is not set.
    ///   - input: What came on standard input.
    /// - Throws: `CNIError` with the specification's code.
    public init(
        _ operation: CNIOperation, environment: (String) -> String?, input: [UInt8]
    ) throws(CNIError) {
        self.operation = operation
        try Self.checkPresence(operation, environment)
        namespace = environment("CNI_NETNS") ?? ""
        attachment = try Self.attachment(operation, environment)

        let document = try Field(document: input)
        let version = try CNIVersion(document)
        guard version >= operation.since else {
            throw CNIError(
                .incompatibleVersion, "incompatible CNI version \(version.rawValue)",
                details: "\(operation.rawValue) needs \(operation.since.rawValue)")
        }
        self.version = version
        guard let name = try document["name"].string(), !name.isEmpty else {
            throw CNIError(.invalidConfiguration, "name is missing, the network's name")
        }
        guard CNIAttachment.isIdentifier(name) else {
            throw CNIError(
                .invalidConfiguration, "name: '\(name)' is no network's name",
                details: "letters, digits, '_', '.' and '-', a letter or digit first")
        }
        network = name
        if operation == .add || operation == .check, try document["type"].string()?.isEmpty ?? true {
            throw CNIError(.invalidConfiguration, "type is missing, the plugin's name")
        }
        self.document = Document(value: document.value ?? .null)
        // What cannot be understood of the arguments is no reason to keep what was made with them.
        arguments = operation == .delete ? CNIArguments() : try CNIArguments(environment("CNI_ARGS") ?? "")
    }

    /// The version that an error is written in when the request itself is wrong; the latest when it says none.
    public static func version(of input: [UInt8]) -> CNIVersion {
        guard let document = try? JSONValue(parsing: input), case .string(let text)? = document["cniVersion"] else {
            return .latest
        }
        return CNIVersion(rawValue: text) ?? .latest
    }

    private static func checkPresence(
        _ operation: CNIOperation, _ environment: (String) -> String?
    ) throws(CNIError) {
        let missing = operation.required.filter { environment($0)?.isEmpty ?? true }
        guard missing.isEmpty else {
            throw CNIError(
                .invalidEnvironment, "\(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") missing",
                details: "\(operation.rawValue) needs \(operation.required.joined(separator: ", "))")
        }
    }

    private static func attachment(
        _ operation: CNIOperation, _ environment: (String) -> String?
    ) throws(CNIError) -> CNIAttachment? {
        guard operation.required.contains("CNI_IFNAME"), let container = environment("CNI_CONTAINERID"),
            let interface = environment("CNI_IFNAME")
        else { return nil }
        guard CNIAttachment.isIdentifier(container) else {
            throw CNIError(
                .invalidEnvironment, "CNI_CONTAINERID '\(container)' is no container's identifier",
                details: "letters, digits, '_', '.' and '-', a letter or digit first")
        }
        guard container.utf8.count <= CNIAttachment.longestContainer else {
            throw CNIError(
                .invalidEnvironment,
                "CNI_CONTAINERID '\(container)' has \(container.utf8.count) characters "
                    + "(at most \(CNIAttachment.longestContainer))")
        }
        // A runtime's list of attachments may hold loopback, which is another plugin's.
        guard interface != "lo", let attachment = CNIAttachment(container: container, interface: interface) else {
            throw CNIError(
                .invalidEnvironment, "CNI_IFNAME '\(interface)' is no interface's name",
                details:
                    "1 to \(InterfaceName.maximumLength) characters, no '/', ':', '%' or space, not lo, all or default"
            )
        }
        return attachment
    }
}

// MARK: - What single operations need

extension CNIRequest {
    /// What ADD, CHECK and STATUS read of the configuration.
    ///
    /// - Throws: `CNIError` 2, 6 or 7 that names the key.
    public func configuration() throws(CNIError) -> CNIConfiguration {
        try CNIConfiguration(document.field, network: network, arguments: arguments)
    }

    /// What ran before, in ADD; what ADD resulted in, in CHECK and DEL. nil when there is none.
    public func previousResult() throws(CNIError) -> CNIResult? {
        let field = document.field["prevResult"]
        return field.isMissing ? nil : try CNIResult(field)
    }

    /// The attachments that GC has to leave alone.
    ///
    /// - Throws: `CNIError`; a list that cannot be understood completely must not cost anybody a network.
    public func validAttachments() throws(CNIError) -> Set<CNIAttachment> {
        let field = document.field["cni.dev/valid-attachments"]
        guard let list = try field.list() else { throw field.missing }
        var attachments: Set<CNIAttachment> = []
        for element in list {
            guard let container = try element["containerID"].string() else { throw element["containerID"].missing }
            guard let interface = try element["ifname"].string() else { throw element["ifname"].missing }
            guard let attachment = CNIAttachment(container: container, interface: interface) else {
                throw element.invalid("'\(container)', '\(interface)' cannot be an attachment")
            }
            attachments.insert(attachment)
        }
        return attachments
    }
}
