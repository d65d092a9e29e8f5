public import JSONCoding

/// The versions of the Container Network Interface specification that are spoken here.
///
/// 0.4.0 brought CHECK, 1.0.0 took the family out of addresses, 1.1.0 brought GC and STATUS.
public enum CNIVersion: String, CaseIterable, Hashable, Sendable {
    case v0_4_0 = "0.4.0"
    case v1_0_0 = "1.0.0"
    case v1_1_0 = "1.1.0"

    public static let latest = CNIVersion.v1_1_0

    /// The version that a configuration asks for.
    ///
    /// - Throws: `CNIError` 6 for what is no version, 1 for one that is not spoken.
    init(_ document: Field) throws(CNIError) {
        // Version 0.1.0 did not know the key yet, so that is what its absence means.
        let text = try document["cniVersion"].string() ?? "0.1.0"
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts.allSatisfy({ !$0.isEmpty && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } })
        else {
            throw CNIError(.undecodable, "cniVersion '\(text)' is no version (1.0.0)")
        }
        guard let version = CNIVersion(rawValue: text) else {
            throw CNIError(
                .incompatibleVersion, "incompatible CNI version \(text)",
                details: "supported are \(Self.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        self = version
    }

    /// What VERSION answers (section 5, VERSION Success).
    ///
    /// - Parameter input: What came on standard input. Nothing is fine: what is asked for does not depend on it.
    public static func reply(to input: [UInt8]) throws(CNIError) -> JSONValue {
        var asked: String?
        if input.contains(where: { !($0 == 0x20 || (0x09...0x0d).contains($0)) }) {
            asked = try Field(document: input)["cniVersion"].string()
        }
        return JSONValue([
            "cniVersion": .string(asked ?? latest.rawValue),
            "supportedVersions": .array(allCases.map { .string($0.rawValue) }),
        ])
    }
}

extension CNIVersion: Comparable {
    public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }
}
