/// A path from an archive, made harmless: relative to the root, without empty, `.` and `..` components.
struct EntryPath: Hashable {
    /// None for the root itself.
    var components: [ArraySlice<UInt8>]

    /// Cleans a path as text, before any link is followed: `/a//b/../c/.` is `a/c`.
    ///
    /// - Returns: nil when a relative path climbs out of the root, or holds a zero byte. An absolute path cannot climb.
    init?(_ bytes: [UInt8]) {
        guard !bytes.contains(0) else { return nil }
        let isAbsolute = bytes.first == UInt8(ascii: "/")
        components = []
        for component in bytes.split(separator: UInt8(ascii: "/")) where !component.elementsEqual(".".utf8) {
            if component.elementsEqual("..".utf8) {
                guard !components.isEmpty || isAbsolute else { return nil }
                _ = components.popLast()
            } else {
                components.append(component)
            }
        }
    }

    init(components: [ArraySlice<UInt8>]) { self.components = components }

    /// The last component; nil for the root.
    var name: [UInt8]? { components.last.map(Array.init) }

    var parent: EntryPath { EntryPath(components: Array(components.dropLast())) }

    /// As a system call takes it; `.` for the root.
    var bytes: [UInt8] {
        components.isEmpty ? Array(".".utf8) : Array(components.joined(separator: [UInt8(ascii: "/")]))
    }

    /// The path of its first components.
    func prefix(_ count: Int) -> EntryPath { EntryPath(components: Array(components.prefix(count))) }

    var text: String { printable(bytes) }
}
