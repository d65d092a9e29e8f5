import RuntimeSpec

/// The maps of an option `idmap=uids=0-1000-1#1-2000-9;gids=0-1000-10`, crun's, which podman passes on (crun(1), "idmap
/// mount options"): an identifier of the files, what it is seen as on the host, and how many. Behind an `@` the second is
/// one of the container's user namespace.
struct MappingOption {
    private(set) var uids: [Spec.Linux.IDMapping] = []
    private(set) var gids: [Spec.Linux.IDMapping] = []

    /// - Throws: `SpecError` for what is no map, and where one of the two is missing.
    init(_ text: String, in linux: Spec.Linux, _ field: String) throws(SpecError) {
        for part in text.split(separator: ";") {
            let (name, ranges) = Self.pair(part, "=")
            switch name {
            case "uids": uids += try Self.maps(ranges, linux.uidMappings ?? [], field)
            case "gids": gids += try Self.maps(ranges, linux.gidMappings ?? [], field)
            default: throw SpecError(field, "'\(name)' is none of uids and gids")
            }
        }
        guard !uids.isEmpty && !gids.isEmpty else {
            throw SpecError(field, "'\(text)' lacks uids or gids: they are mapped together")
        }
    }

    private static func pair(_ text: Substring, _ separator: Character) -> (Substring, Substring) {
        guard let middle = text.firstIndex(of: separator) else { return (text, "") }
        return (text[..<middle], text[text.index(after: middle)...])
    }

    private static func maps(
        _ text: Substring, _ own: [Spec.Linux.IDMapping], _ field: String
    ) throws(SpecError) -> [Spec.Linux.IDMapping] {
        var maps: [Spec.Linux.IDMapping] = []
        for range in text.split(separator: "#", omittingEmptySubsequences: false) {
            let isRelative = range.first == "@"
            let words = range.dropFirst(isRelative ? 1 : 0).split(separator: "-", omittingEmptySubsequences: false)
            let numbers = words.compactMap { UInt32($0) }
            guard words.count == 3, numbers.count == 3, numbers[2] > 0,
                // The last number is nobody's (user_namespaces(7)).
                numbers[..<2].allSatisfy({ UInt64($0) + UInt64(numbers[2]) <= UInt64(UInt32.max) })
            else { throw SpecError(field, "'\(range)' is no range such as 0-1000-10, which maps 0…9 to 1000…1009") }
            var map = Spec.Linux.IDMapping(containerID: numbers[0], hostID: numbers[1], size: numbers[2])
            if isRelative {
                guard
                    let around = own.first(where: {
                        map.hostID >= $0.containerID && map.hostID - $0.containerID < $0.size
                            && map.size <= $0.size - (map.hostID - $0.containerID)
                    })
                else { throw SpecError(field, "'\(range)' is in no range of the container's user namespace") }
                map.hostID = around.hostID + (map.hostID - around.containerID)
            }
            maps.append(map)
        }
        return maps
    }
}
