import LinuxSystem
import SystemPackage

/// An image in a tar archive that can be read more than once.
///
/// The archive is not unpacked: a first pass finds its members and keeps the small ones, which the documents are; the
/// layers are read where they are in a second.
final class TarImageSource: ImageSource {
    let name: String
    private let file: OpenFile
    private let start: Int64
    private let limits: ArchiveLimits
    /// Sizes of the regular members.
    private var sizes: [String: Int64] = [:]
    /// Members that are links to others: older archives have a layer once and link to it.
    private var aliases: [String: String] = [:]
    private var documents: [String: [UInt8]] = [:]
    private var isCompressed = false

    init(_ file: OpenFile, name: String, from start: Int64, limits: ArchiveLimits) throws {
        self.file = file
        self.name = name
        self.start = start
        self.limits = limits
        isCompressed = try Decompressor(stream(), limits: limits).compression != .plain
        try index()
    }

    func document(_ member: String) throws -> [UInt8]? {
        guard let member = try resolve(member) else { return nil }
        if let bytes = documents[member] { return bytes }
        guard sizes[member, default: 0] <= limits.documentBytes else {
            throw ImageArchiveError(name, entry: printable(member.utf8), "is longer than \(limits.documentBytes) bytes")
        }
        var bytes: [UInt8] = []
        let iterator = try members([member])
        while let (_, stream) = try iterator.next() {
            while true {
                let chunk = unsafe try stream.next()
                if unsafe chunk.isEmpty { break }
                unsafe bytes += chunk
            }
        }
        documents[member] = bytes
        return bytes
    }

    func members(_ names: Set<String>) throws -> any MemberIterator {
        var wanted: [String: String] = [:]
        for member in names {
            guard let target = try resolve(member) else {
                throw ImageArchiveError(name, "has no \(printable(member.utf8))")
            }
            guard wanted.updateValue(member, forKey: target) == nil else {
                throw ImageArchiveError(name, entry: printable(target.utf8), "is used as two different layers")
            }
        }
        return Members(try reader(), wanted, of: self)
    }

    private final class Members: MemberIterator {
        private let reader: TarReader
        /// The name that was asked for by the member that it means.
        private var wanted: [String: String]
        private let source: TarImageSource

        init(_ reader: TarReader, _ wanted: [String: String], of source: TarImageSource) {
            self.reader = reader
            self.wanted = wanted
            self.source = source
        }

        func next() throws -> (member: String, stream: any ByteStream)? {
            while !wanted.isEmpty, let entry = try reader.next() {
                if let member = TarImageSource.member(entry.path), let name = wanted.removeValue(forKey: member) {
                    return (name, MemberStream(reader, entry, name: "\(source.name): \(printable(member.utf8))"))
                }
                try source.pass(entry, reader)
            }
            guard let missing = wanted.keys.sorted().first else { return nil }
            throw ImageArchiveError(
                source.name, entry: printable(missing.utf8), "the archive changed while it was read")
        }
    }
}

extension TarImageSource {
    /// Members up to this size are kept from the first pass, all together no more than `keptTotal`.
    private static let keptSize: Int64 = 256 << 10
    private static let keptTotal: Int64 = 32 << 20

    private func stream() -> FileStream { FileStream(file, name: name, from: start) }

    private func reader() throws -> TarReader {
        // Only what is not compressed can be passed over without reading it.
        isCompressed ? try TarReader(Decompressor(stream(), limits: limits)) : try TarReader(stream(), skipping: true)
    }

    private func index() throws {
        var kept: Int64 = 0
        var entries = 0
        let reader = try reader()
        while let entry = try reader.next() {
            entries += 1
            guard entries <= limits.entries else {
                throw ImageArchiveError(name, "has more than the limit of \(limits.entries) entries")
            }
            guard let member = Self.member(entry.path) else { continue }
            switch entry.kind {
            case .file:
                guard sizes.updateValue(entry.size, forKey: member) == nil, aliases[member] == nil else {
                    throw ImageArchiveError(name, entry: printable(entry.path), "is in the archive twice")
                }
                guard entry.size <= Self.keptSize, kept + entry.size <= Self.keptTotal else {
                    try pass(entry, reader)
                    continue
                }
                kept += entry.size
                documents[member] = try read(entry, reader)
            case .symbolicLink, .hardLink:
                let isSymbolic = entry.kind == .symbolicLink && entry.linkTarget.first != UInt8(ascii: "/")
                let base = isSymbolic ? Array("\(member)/../".utf8) : []
                if let target = Self.member(base + entry.linkTarget) { aliases[member] = target }
            default: continue
            }
        }
        guard entries > 0 else { throw ImageArchiveError(name, "is empty") }
    }

    /// Reads the data of an entry that nobody wants when it cannot be skipped, so that the limits see it.
    fileprivate func pass(_ entry: TarEntry, _ reader: TarReader) throws {
        guard isCompressed, entry.kind == .file else { return }
        while unsafe try reader.data() != nil {}
    }

    private func read(_ entry: TarEntry, _ reader: TarReader) throws -> [UInt8] {
        let stream = MemberStream(reader, entry, name: name)
        var bytes: [UInt8] = []
        while true {
            let chunk = unsafe try stream.next()
            if unsafe chunk.isEmpty { return bytes }
            unsafe bytes += chunk
        }
    }

    fileprivate static func member(_ path: [UInt8]) -> String? {
        guard let path = EntryPath(path), !path.components.isEmpty else { return nil }
        return String(validating: path.bytes, as: UTF8.self)
    }

    /// The regular member that a name means.
    private func resolve(_ text: String) throws -> String? {
        guard var member = Self.member(Array(text.utf8)) else { return nil }
        for _ in 0..<16 {
            if sizes[member] != nil { return member }
            guard let target = aliases[member] else { return nil }
            member = target
        }
        throw ImageArchiveError(name, entry: printable(text.utf8), "is a link that leads nowhere")
    }
}

/// The data of one member of a tar archive.
final class MemberStream: ByteStream {
    let name: String
    private let reader: TarReader
    private let size: Int64
    private var position: Int64 = 0

    init(_ reader: TarReader, _ entry: TarEntry, name: String) {
        self.reader = reader
        self.name = name
        size = entry.size
    }

    func next() throws -> UnsafeRawBufferPointer {
        while position < size, let (bytes, offset) = unsafe try reader.data() {
            guard offset == position else { throw ImageArchiveError(name, "is a sparse file, which no layer is") }
            position += Int64(bytes.count)
            if unsafe !bytes.isEmpty { return unsafe bytes }
        }
        guard position == size else { throw ImageArchiveError(name, "is cut short") }
        return unsafe UnsafeRawBufferPointer(start: nil, count: 0)
    }
}
