import CLinux
import ImageStore
import LinuxSystem
import SystemPackage

/// Files by name, out of a directory or a tar archive of one.
protocol ImageSource: AnyObject {
    /// What an error calls it.
    var name: String { get }

    /// A small file; nil when there is none.
    ///
    /// - Throws: When it is longer than `limits.documentBytes`.
    func document(_ member: String) throws -> [UInt8]?

    /// Files to be read in whatever order they come.
    ///
    /// - Throws: When one of them does not exist.
    func members(_ names: Set<String>) throws -> any MemberIterator
}

/// Files of a source, one after the other. The stream of one is valid until the next is asked for.
protocol MemberIterator: AnyObject {
    func next() throws -> (member: String, stream: any ByteStream)?
}

extension ImageSource {
    /// A small file that has to be there.
    func requiredDocument(_ member: String) throws -> [UInt8] {
        guard let bytes = try document(member) else {
            throw ImageArchiveError(name, "has no \(printable(member.utf8))")
        }
        return bytes
    }

    /// The document of a descriptor, whose digest and size are checked.
    func document(of descriptor: ContentDescriptor) throws -> [UInt8] {
        let bytes = try requiredDocument(descriptor.blob)
        let found = try digest(of: bytes, name: name)
        guard found == descriptor.digest, Int64(bytes.count) == descriptor.size else {
            throw ImageArchiveError(
                "\(name): \(descriptor.blob)",
                "has digest \(found) and \(bytes.count) bytes; its descriptor says \(descriptor.size) bytes")
        }
        return bytes
    }
}

/// An image in a directory, such as an OCI layout.
final class DirectoryImageSource: ImageSource {
    let name: String
    private let directory: OpenFile
    private let limits: ArchiveLimits

    init(_ directory: OpenFile, name: String, limits: ArchiveLimits) {
        self.directory = directory
        self.name = name
        self.limits = limits
    }

    func document(_ member: String) throws -> [UInt8]? {
        guard let file = try open(member) else { return nil }
        guard try file.descriptor.status().st_size <= limits.documentBytes else {
            throw ImageArchiveError(
                "\(name): \(printable(member.utf8))", "is longer than \(limits.documentBytes) bytes")
        }
        return try file.descriptor.readAll(limit: limits.documentBytes)
    }

    func members(_ names: Set<String>) throws -> any MemberIterator {
        Members(
            try names.sorted().map { member in
                guard let file = try open(member) else {
                    throw ImageArchiveError(name, "has no \(printable(member.utf8))")
                }
                return (member, FileStream(file, name: "\(name): \(printable(member.utf8))", from: 0))
            })
    }

    private final class Members: MemberIterator {
        private var rest: ArraySlice<(member: String, stream: FileStream)>

        init(_ members: [(member: String, stream: FileStream)]) { rest = members[...] }

        func next() -> (member: String, stream: any ByteStream)? { rest.popFirst() }
    }

    /// Opens a regular file below the directory; its links are followed no further than the directory.
    private func open(_ member: String) throws -> OpenFile? {
        guard let file = try find(member) else { return nil }
        guard try file.descriptor.status().type == S_IFREG else {
            throw ImageArchiveError("\(name): \(printable(member.utf8))", "is not a regular file")
        }
        return file
    }

    private func find(_ member: String) throws -> OpenFile? {
        do throws(SystemError) {
            // Without blocking, because the member may be a fifo.
            return OpenFile(try Descriptor.open(member, O_RDONLY | O_NONBLOCK, within: directory.descriptor))
        } catch {
            if error.errno == .noSuchFileOrDirectory { return nil }
            throw ImageArchiveError(name, "\(error)")
        }
    }
}
