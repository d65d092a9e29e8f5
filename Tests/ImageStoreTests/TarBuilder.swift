/// Writes tar archives by hand, so that they can hold what no honest program writes.
struct TarBuilder {
    private(set) var bytes: [UInt8] = []

    /// Adds an entry: a ustar header (POSIX.1-1988), after a pax header when `records` has something for one.
    mutating func add(
        _ path: some Sequence<UInt8>, type: Character = "0", mode: Int = 0o644, user: Int = 0, group: Int = 0,
        modified: Int = 1_000_000_000, link: [UInt8] = [], content: [UInt8] = [], declaredSize: Int? = nil,
        device: (major: Int, minor: Int) = (0, 0), records: [(String, [UInt8])] = []
    ) {
        let path = Array(path)
        var records = records
        if path.count > 100 { records.append(("path", path)) }
        if link.count > 100 { records.append(("linkpath", link)) }
        if !records.isEmpty {
            let data = records.flatMap { Self.record($0.0, $0.1) }
            header(Array("pax".utf8), "x", 0o644, 0, 0, data.count, 0, [], (0, 0))
            append(data)
        }
        header(
            Array(path.prefix(100)), type, mode, user, group, declaredSize ?? content.count, modified,
            Array(link.prefix(100)), device)
        append(content)
    }

    mutating func add(
        _ path: String, type: Character = "0", mode: Int = 0o644, user: Int = 0, group: Int = 0,
        modified: Int = 1_000_000_000, link: String = "", content: String = "",
        device: (major: Int, minor: Int) = (0, 0), records: [(String, [UInt8])] = []
    ) {
        add(
            path.utf8, type: type, mode: mode, user: user, group: group, modified: modified, link: Array(link.utf8),
            content: Array(content.utf8), device: device, records: records)
    }

    /// The archive with its end mark.
    var finished: [UInt8] { bytes + [UInt8](repeating: 0, count: 1024) }

    /// `LENGTH KEY=VALUE\n`, where the length counts itself.
    private static func record(_ key: String, _ value: [UInt8]) -> [UInt8] {
        let rest = Array(" \(key)=".utf8) + value + [10]
        var length = rest.count + 1
        while "\(length)".utf8.count + rest.count != length { length = "\(length)".utf8.count + rest.count }
        return Array("\(length)".utf8) + rest
    }

    private mutating func append(_ data: [UInt8]) {
        bytes += data
        bytes += [UInt8](repeating: 0, count: (512 - data.count % 512) % 512)
    }

    private mutating func header(
        _ path: [UInt8], _ type: Character, _ mode: Int, _ user: Int, _ group: Int, _ size: Int, _ modified: Int,
        _ link: [UInt8], _ device: (major: Int, minor: Int)
    ) {
        var block = [UInt8](repeating: 0, count: 512)
        func put(_ field: [UInt8], _ offset: Int) {
            block.replaceSubrange(offset..<(offset + field.count), with: field)
        }
        func number(_ value: Int, _ offset: Int, _ width: Int) {
            let digits = String(value, radix: 8)
            if digits.count < width {
                put(Array((String(repeating: "0", count: width - 1 - digits.count) + digits).utf8), offset)
            } else {
                // GNU's base 256 for what has too many octal digits.
                for index in 0..<width {
                    block[offset + width - 1 - index] = UInt8(value >> (8 * min(index, 7)) & 0xff)
                }
                block[offset] |= 0x80
            }
        }
        put(path, 0)
        number(mode, 100, 8)
        number(user, 108, 8)
        number(group, 116, 8)
        number(size, 124, 12)
        number(modified, 136, 12)
        put(Array(repeating: 32, count: 8), 148)
        block[156] = type.asciiValue ?? 48
        put(link, 157)
        put(Array("ustar\u{0}00".utf8), 257)
        number(device.major, 329, 8)
        number(device.minor, 337, 8)
        let sum = block.reduce(0) { $0 + Int($1) }
        put(
            Array(
                (String(repeating: "0", count: max(0, 6 - String(sum, radix: 8).count)) + String(sum, radix: 8)).utf8),
            148)
        block[154] = 0
        bytes += block
    }
}
