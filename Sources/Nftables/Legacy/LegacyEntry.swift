import Addressing
import CLinux

/// A rule as it stands in a table of the old packet filter.
struct LegacyEntry: Hashable, Sendable {
    let layout: LegacyLayout
    var bytes: [UInt8]

    /// The match that says something and looks at nothing.
    static let comment = "comment"

    private var target: Int { Int(bytes.number(UInt16.self, at: layout.targetOffset)) }

    /// Each with its length, its name and its data.
    private var matches: [[UInt8]] {
        var matches: [[UInt8]] = []
        var place = layout.entrySize
        while place + LegacyLayout.extensionSize <= target, target <= bytes.count {
            let size = Int(bytes.number(UInt16.self, at: place))
            guard size >= LegacyLayout.extensionSize, place + size <= target else { break }
            matches.append(Array(bytes[place..<(place + size)]))
            place += size
        }
        return matches
    }

    /// What is said of it.
    var comment: String? {
        matches.first { $0.text(LegacyLayout.extensionName) == Self.comment }.map {
            $0.text(LegacyLayout.extensionSize..<$0.count)
        }
    }

    /// The target's name; empty for a verdict.
    var targetName: String {
        bytes.text((target + LegacyLayout.extensionName.lowerBound)..<(target + LegacyLayout.extensionName.upperBound))
    }

    /// Where the verdict stands; nil for a target with a name.
    var verdictOffset: Int? {
        let place = target + LegacyLayout.extensionSize
        return targetName.isEmpty && place + MemoryLayout<Int32>.size <= bytes.count ? place : nil
    }

    /// The verdict, or the place of the rule that it leads to; nil for a target with a name.
    var verdict: Int32? { verdictOffset.map { bytes.number(Int32.self, at: $0) } }

    var drops: Bool { verdict == -Int32(NF_DROP) - 1 }

    /// The chain that begins with it: the kernel marks the places with a target of the name `ERROR`.
    var chain: String? {
        guard targetName == "ERROR" else { return nil }
        let place = target + LegacyLayout.extensionSize
        return bytes.text(place..<min(place + Int(XT_FUNCTION_MAXNAMELEN), bytes.count))
    }

    /// Whether it is for every packet, and lets none pass.
    var dropsEverything: Bool {
        bytes[layout.header].allSatisfy { $0 == 0 } && matches.allSatisfy(Self.isComment)
            && (drops || targetName == "REJECT")
    }

    /// What a packet's header must be, without what the masks of the names hide: programs leave a `+` there.
    private var header: [UInt8] {
        var header = Array(bytes[layout.header])
        for (name, mask) in [(layout.input, layout.inputMask), (layout.output, layout.outputMask)] {
            for index in 0..<Int(IFNAMSIZ) { header[name + index] &= header[mask + index] }
        }
        return header
    }

    private static func isComment(_ match: [UInt8]) -> Bool { match.text(LegacyLayout.extensionName) == comment }

    /// Whether both do the same to a packet, whatever their comments and counters are.
    func does(theSameAs other: LegacyEntry) -> Bool {
        let effective = { (entry: LegacyEntry) in entry.matches.filter { !Self.isComment($0) } }
        return layout == other.layout && header == other.header
            && effective(self) == effective(other) && targetName == other.targetName && verdict == other.verdict
            && verdict != nil
    }
}
