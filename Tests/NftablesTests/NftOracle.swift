import Foundation
import LinuxSystem
import Nftables
import TestSupport

extension NetworkNamespaceFixture {
    /// What `nft` says the kernel holds.
    func nftList(_ words: String...) throws -> String {
        let result = try run(["nft", "list"] + words)
        guard result.status == 0 else { throw OracleFailed(description: "nft list: \(result.errors)") }
        return result.output
    }

    /// Loads a text with `nft -f`.
    func nftLoad(_ text: String) throws {
        let path = FileManager.default.temporaryDirectory.path + "/nft-" + randomHex(bytes: 8)
        try text.write(toFile: path, atomically: false, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: path) }
        let result = try run(["nft", "-f", path])
        guard result.status == 0 else { throw OracleFailed(description: "nft -f: \(result.errors)") }
    }

    /// The listing without blank lines, which differ between versions of `nft`, and with the elements of each set in
    /// order: the kernel keeps them in hash tables.
    func normalizedList(_ words: String...) throws -> [String] {
        let result = try run(["nft", "list"] + words)
        guard result.status == 0 else { throw OracleFailed(description: "nft list: \(result.errors)") }
        return normalized(result.output)
    }
}

func normalized(_ listing: String) -> [String] {
    var lines: [String] = []
    var elements: String?
    for line in listing.split(separator: "\n") {
        let trimmed = line.trimmingCharacters(in: .whitespaces)
        if elements != nil || trimmed.hasPrefix("elements = {") {
            elements = (elements ?? "") + " " + trimmed
            guard trimmed.hasSuffix("}"), let whole = elements else { continue }
            let inside = whole.replacingOccurrences(of: "elements = {", with: "").dropLast()
            lines += inside.split(separator: ",").map { "element " + $0.trimmingCharacters(in: .whitespaces) }.sorted()
            elements = nil
        } else {
            lines.append(trimmed)
        }
    }
    return lines
}

struct OracleFailed: Error, CustomStringConvertible {
    let description: String
}

/// A value that the test wrote down itself.
func parsed<Parsed: LosslessStringConvertible>(_ text: String) -> Parsed {
    guard let value = Parsed(text) else { preconditionFailure("'\(text)' is no \(Parsed.self)") }
    return value
}
