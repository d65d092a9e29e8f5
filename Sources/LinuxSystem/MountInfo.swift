/// The mounts of a mount namespace, as the kernel lists them: what is mounted later, or below, comes later.
///
/// The text is read where it is, and only the lines that somebody asks for become strings: a machine may have thousands,
/// and this is in the way of every container that starts. The format is that of proc_pid_mountinfo(5).
public struct MountInfo: Sendable {
    /// A mount, its paths without the kernel's escapes.
    public struct Mount: Hashable, Sendable {
        /// The directory of the file system that is shown.
        public var root: String
        /// Where it is shown.
        public var point: String
        public var type: String
        /// The file system's options, with commas between.
        public var options: String
    }

    private let text: [UInt8]
    private var position = 0

    public init(_ text: [UInt8]) { self.text = text }

    /// Those that this process sees. The corresponding file is `/proc/self/mountinfo`.
    public static func current() throws(SystemError) -> MountInfo {
        MountInfo(try Descriptor.open("/proc/self/mountinfo").readAll())
    }

    /// The next mount whose file system's type begins with some letters.
    public mutating func next(_ type: StaticString = "") -> Mount? {
        while position < text.count {
            let start = position
            while position < text.count, text[position] != UInt8(ascii: "\n") { position += 1 }
            let line = start..<position
            position += 1
            if let mount = mount(line, type) { return mount }
        }
        return nil
    }

    /// Which directory of its file system a mount point shows; nil where nothing is mounted. What was mounted last is seen.
    public func root(at point: String) -> String? {
        var rest = self
        var root: String?
        while let mount = rest.next() {
            if mount.point == point { root = mount.root }
        }
        return root
    }

    private func mount(_ line: Range<Int>, _ type: StaticString) -> Mount? {
        var fields = line
        for _ in 0..<3 { _ = field(&fields) }
        let root = field(&fields)
        let point = field(&fields)
        _ = field(&fields)
        // Then any number of them, up to a dash.
        while true {
            let next = field(&fields)
            if next.isEmpty { return nil }
            if next.count == 1, text[next.lowerBound] == UInt8(ascii: "-") { break }
        }
        let name = field(&fields)
        guard begins(name, with: type) else { return nil }
        // Who mounts it says what its source is called, which may be nothing at all.
        _ = field(&fields)
        let options = field(&fields)
        if options.isEmpty { return nil }
        return Mount(root: path(root), point: path(point), type: string(name), options: string(options))
    }

    /// Takes the next field off the front, with the space behind it; empty at the line's end.
    private func field(_ rest: inout Range<Int>) -> Range<Int> {
        let start = rest.lowerBound
        var end = start
        while end < rest.upperBound, text[end] != UInt8(ascii: " ") { end += 1 }
        rest = min(end + 1, rest.upperBound)..<rest.upperBound
        return start..<end
    }

    private func begins(_ field: Range<Int>, with letters: StaticString) -> Bool {
        guard field.count >= letters.utf8CodeUnitCount else { return false }
        for index in 0..<letters.utf8CodeUnitCount
        where unsafe text[field.lowerBound + index] != letters.utf8Start[index] { return false }
        return true
    }

    private func string(_ field: Range<Int>) -> String { String(decoding: text[field], as: UTF8.self) }

    /// Undoes the escapes of space, tab, newline and backslash, a backslash and three octal digits (`\040`).
    private func path(_ field: Range<Int>) -> String {
        guard text[field].contains(UInt8(ascii: "\\")) else { return string(field) }
        var bytes: [UInt8] = []
        var rest = text[field]
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\\"), rest.count >= 3,
                let value = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
            {
                bytes.append(value)
                rest = rest.dropFirst(3)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
