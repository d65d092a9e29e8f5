import CLinux
import LinuxSystem
import SystemPackage

/// The files of an image, looked up in its layers without mounting them.
///
/// An overlay's rules (Documentation/filesystems/overlayfs.rst of the kernel): the highest layer that has a name
/// decides, directories of several layers are one, a whiteout hides what is below it, and so does an opaque directory.
/// Every look-up is of one name in an open directory and follows no link: a link of the image is followed here, as it
/// would be in the container, whose root is the top.
struct LayerFiles {
    /// Lowest first.
    let layers: [String]

    /// A directory of the image by its absolute path; nil when it has none of that name.
    func directory(_ path: String) throws(SystemError) -> LayeredDirectory? {
        var roots: [LayeredDirectory.Part] = []
        for layer in layers.reversed() { roots.append(.init(try Descriptor.openDirectory(layer, forListing: true))) }
        var places = [LayeredDirectory(roots)]
        var rest = path.utf8.split(separator: UInt8(ascii: "/")).map { Array($0) }
        // The kernel's own limit (path_resolution(7)).
        var links = 40
        while !rest.isEmpty {
            let name = rest.removeFirst()
            if name == Array(".".utf8) { continue }
            if name == Array("..".utf8) {
                if places.count > 1 { places.removeLast() }
                continue
            }
            guard let entry = try places[places.count - 1].entry(name) else { return nil }
            switch entry {
            case .directory(let next): places.append(next)
            case .file(let part, let status):
                guard FileKind(mode: status.st_mode) == .symbolicLink else { return nil }
                links -= 1
                guard links > 0 else { throw SystemError("open", path, errno: .tooManySymbolicLinkLevels) }
                let target = try part.linkTarget(name)
                if target.first == UInt8(ascii: "/") { places.removeLast(places.count - 1) }
                rest = target.split(separator: UInt8(ascii: "/")).map { Array($0) } + rest
            }
        }
        return places.last
    }
}

/// A directory as the overlay shows it.
struct LayeredDirectory {
    /// One layer's directory.
    final class Part {
        let descriptor: Descriptor

        init(_ descriptor: consuming Descriptor) { self.descriptor = descriptor }

        func linkTarget(_ name: [UInt8]) throws(SystemError) -> [UInt8] {
            var target = [CChar](repeating: 0, count: Int(PATH_MAX))
            let length = readlinkat(descriptor.rawValue, cString(name), &target, target.count)
            guard length >= 0 else { throw SystemError("read link", printable(name), errno: .last) }
            return target[..<length].map { UInt8(bitPattern: $0) }
        }

        func open(_ name: [UInt8], _ flags: Int32) throws(SystemError) -> Descriptor {
            let number = swn_openat(descriptor.rawValue, cString(name), flags | O_NOFOLLOW | O_CLOEXEC, 0)
            guard number >= 0 else { throw SystemError("open", printable(name), errno: .last) }
            return Descriptor(owning: number)
        }

        /// Whether nothing of the layers below shows.
        var isOpaque: Bool {
            var value: UInt8 = 0
            return fgetxattr(descriptor.rawValue, "trusted.overlay.opaque", &value, 1) == 1
                && value == UInt8(ascii: "y")
        }
    }

    enum Entry {
        case directory(LayeredDirectory)
        /// Anything else, in the layer that it is of.
        case file(Part, stat)
    }

    /// The highest first; at least one.
    let parts: [Part]

    init(_ parts: [Part]) { self.parts = parts }

    /// Owner, permissions and times are those of the highest.
    var top: Part { parts[0] }

    func entry(_ name: [UInt8]) throws(SystemError) -> Entry? {
        var found: [Part] = []
        for part in parts {
            var status = stat()
            guard fstatat(part.descriptor.rawValue, cString(name), &status, AT_SYMLINK_NOFOLLOW) == 0 else {
                if swn_errno() == ENOENT { continue }
                throw SystemError("stat", printable(name), errno: .last)
            }
            let kind = FileKind(mode: status.st_mode)
            if kind == .characterDevice && status.st_rdev == 0 { break }
            guard kind == .directory else {
                if found.isEmpty { return .file(part, status) }
                break
            }
            let directory = Part(try part.open(name, O_RDONLY | O_DIRECTORY))
            found.append(directory)
            if directory.isOpaque { break }
        }
        return found.isEmpty ? nil : .directory(LayeredDirectory(found))
    }

    /// The names in all layers, hidden ones too: `entry` tells.
    func names() throws(SystemError) -> [[UInt8]] {
        var seen: Set<[UInt8]> = []
        var names: [[UInt8]] = []
        for part in parts {
            for name in try part.descriptor.rawEntries() where seen.insert(name).inserted { names.append(name) }
        }
        return names
    }
}

/// Bytes with the zero that ends them for C.
func cString(_ bytes: [UInt8]) -> [CChar] { bytes.map { CChar(bitPattern: $0) } + [0] }

func printable(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
