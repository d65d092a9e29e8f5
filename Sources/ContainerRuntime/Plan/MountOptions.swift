import CLinux
import RuntimeSpec

/// The options of a mount of the document, sorted into what the kernel wants to be told in different places.
struct MountOptions {
    var set: UInt64 = 0
    var clear: UInt64 = 0
    var recursiveSet: UInt64 = 0
    var recursiveClear: UInt64 = 0
    var propagation: UInt64 = 0
    var isPropagationRecursive = false
    var isBind = false
    var isBindRecursive = false
    var copiesUp = false
    var isRemount = false
    var links = MountLinks()
    /// Whether the files' owners are mapped, and those of what is mounted below too.
    var mapsIdentifiers = false
    var mapsRecursively = false
    /// Maps that an option spells out, and its field.
    var ownMaps: (text: String, field: String)?
    var settings: [MountSetting] = []
    private var undoesTimes = false

    init(_ options: [String], field: String) throws(SpecError) {
        for (index, option) in options.enumerated() where !option.isEmpty {
            if try apply(option, field: "\(field).options[\(index)]") { continue }
            if let equals = option.utf8.firstIndex(of: UInt8(ascii: "=")) {
                let value = String(option[option.utf8.index(after: equals)...])
                settings.append(MountSetting(String(option[..<equals]), value))
            } else {
                settings.append(MountSetting(option))
            }
        }
        if links.copiesSource, links.keepsSource || links.keepsTarget {
            throw SpecError("\(field).options", "'copy-symlink' excludes 'src-nofollow' and 'dest-nofollow'")
        }
        // Who changes the times of a bind's source at all does not keep the rest of them (do_mount of fs/namespace.c).
        let times = UInt64(MOUNT_ATTR__ATIME)
        if set & UInt64(MOUNT_ATTR_NODIRATIME) != 0, (set | clear) & times == 0 { clear |= times }
    }

    /// A bind whose options say how the mount is, is that and nothing else, as with runc and crun: what its source is
    /// besides (`noexec`, say) goes. One without such options is what its source is; and so are its times, unless the
    /// options say something of them: they go together (do_mount of fs/namespace.c).
    var clearOfSource: UInt64 {
        guard set | clear != 0 || undoesTimes else { return 0 }
        let times = UInt64(MOUNT_ATTR__ATIME)
        let saysTimes = set & times != 0 || clear & times == times
        return (Self.lockable | UInt64(MOUNT_ATTR_NOSYMFOLLOW) | (saysTimes ? UInt64(MOUNT_ATTR_NODIRATIME) : 0)) & ~set
    }

    /// What a user namespace cannot take away from a mount that it was given (mount_namespaces(7)), besides its times.
    static let lockable =
        UInt64(MOUNT_ATTR_RDONLY) | UInt64(MOUNT_ATTR_NOSUID) | UInt64(MOUNT_ATTR_NODEV) | UInt64(MOUNT_ATTR_NOEXEC)

    /// Takes an option that is not the file system's own business.
    private mutating func apply(_ option: String, field: String) throws(SpecError) -> Bool {
        if let times = Self.undone(by: option) {
            set &= ~times
            undoesTimes = true
            return true
        }
        if let change = Self.attribute(option) {
            set = set & ~change.clear | change.set
            clear = clear & ~change.set | change.clear
            return true
        }
        if option.first == "r", let change = Self.attribute(String(option.dropFirst())) {
            recursiveSet = recursiveSet & ~change.clear | change.set
            recursiveClear = recursiveClear & ~change.set | change.clear
            return true
        }
        let isRecursive = option.first == "r"
        if let kind = Self.propagation(isRecursive ? String(option.dropFirst()) : option) {
            propagation = kind
            isPropagationRecursive = isRecursive
            return true
        }
        switch option {
        case "bind", "rbind":
            isBind = true
            isBindRecursive = isBindRecursive || option == "rbind"
        case "tmpcopyup": copiesUp = true
        case "copy-symlink": links.copiesSource = true
        case "src-nofollow": links.keepsSource = true
        case "dest-nofollow": links.keepsTarget = true
        case _ where Self.ignored.contains(option): break
        case "remount": isRemount = true
        case "idmap", "ridmap":
            mapsIdentifiers = true
            mapsRecursively = option == "ridmap"
        case _ where option.hasPrefix("idmap=") || option.hasPrefix("ridmap="):
            mapsIdentifiers = true
            mapsRecursively = isRecursive
            ownMaps = (String(option.dropFirst(isRecursive ? 7 : 6)), field)
        default: return false
        }
        return true
    }

    /// What other programs of the mount family read, or what is the kernel's default anyway; `mand` has done nothing since
    /// Linux 5.15.
    ///
    /// Not `nofail`, which is fstab(5)'s: no runtime goes on without a mount, so it is the file system's to refuse.
    fileprivate static let ignored = [
        "defaults", "async", "mand", "nomand", "iversion", "noiversion", "silent", "loud",
    ]

    fileprivate struct Change {
        var set: UInt64 = 0
        var clear: UInt64 = 0
    }

    /// What an option takes back of those before it. With mount(8), runc and crun that ends no setting of a bind's source;
    /// `relatime` does.
    private static func undone(by option: String) -> UInt64? {
        switch option {
        case "atime": UInt64(MOUNT_ATTR_NOATIME)
        case "diratime": UInt64(MOUNT_ATTR_NODIRATIME)
        case "nostrictatime": UInt64(MOUNT_ATTR_STRICTATIME)
        case "norelatime": 0
        default: nil
        }
    }

    private static func attribute(_ name: String) -> Change? { attributes.first { $0.name == name }?.change }

    // A list: for so few names to be hashed, more of the standard library would have to be in memory.
    fileprivate static let attributes: [(name: String, change: Change)] = {
        let times = UInt64(MOUNT_ATTR__ATIME)
        return [
            ("ro", Change(set: UInt64(MOUNT_ATTR_RDONLY))), ("rw", Change(clear: UInt64(MOUNT_ATTR_RDONLY))),
            ("nosuid", Change(set: UInt64(MOUNT_ATTR_NOSUID))), ("suid", Change(clear: UInt64(MOUNT_ATTR_NOSUID))),
            ("nodev", Change(set: UInt64(MOUNT_ATTR_NODEV))), ("dev", Change(clear: UInt64(MOUNT_ATTR_NODEV))),
            ("noexec", Change(set: UInt64(MOUNT_ATTR_NOEXEC))), ("exec", Change(clear: UInt64(MOUNT_ATTR_NOEXEC))),
            ("nosymfollow", Change(set: UInt64(MOUNT_ATTR_NOSYMFOLLOW))),
            ("symfollow", Change(clear: UInt64(MOUNT_ATTR_NOSYMFOLLOW))),
            ("nodiratime", Change(set: UInt64(MOUNT_ATTR_NODIRATIME))),
            ("diratime", Change(clear: UInt64(MOUNT_ATTR_NODIRATIME))),
            ("noatime", Change(set: UInt64(MOUNT_ATTR_NOATIME), clear: times & ~UInt64(MOUNT_ATTR_NOATIME))),
            (
                "strictatime",
                Change(
                    set: UInt64(MOUNT_ATTR_STRICTATIME), clear: times & ~UInt64(MOUNT_ATTR_STRICTATIME))
            ),
            ("relatime", Change(clear: times)), ("atime", Change(clear: UInt64(MOUNT_ATTR_NOATIME))),
            ("norelatime", Change()), ("nostrictatime", Change(clear: UInt64(MOUNT_ATTR_STRICTATIME))),
        ]
    }()

    /// `MS_*` of linux/mount.h.
    static let (unbindable, privately, slave, shared) = (
        UInt64(1 << 17), UInt64(1 << 18), UInt64(1 << 19), UInt64(1 << 20)
    )
    fileprivate static let propagations: [(name: String, flag: UInt64)] = [
        ("unbindable", unbindable), ("private", privately), ("slave", slave), ("shared", shared),
    ]

    fileprivate static func propagation(_ name: String) -> UInt64? { propagations.first { $0.name == name }?.flag }
}

/// What happens to a symbolic link at the end of a bind's paths, with crun's options, which podman uses (crun(1)).
struct MountLinks: Hashable, Sendable {
    /// The source's is made anew in the container, and nothing mounted.
    var copiesSource = false
    /// It is mounted itself.
    var keepsSource = false
    /// It is mounted on itself, and nothing where it leads to.
    var keepsTarget = false

    var followsSource: Bool { !copiesSource && !keepsSource }
}

/// A document's `rootfsPropagation`, taken apart by when it can be set.
struct RootPropagation: Hashable, Sendable {
    /// For the copies of the host's mounts, before anything is mounted.
    var ofHost: UInt64
    /// For the root once it is entered; 0 to leave it. `pivot_root` takes no root that is shared, and a copy of what is
    /// unbindable cannot be made.
    var ofRoot: UInt64
    var isRecursive: Bool
    /// Whether what is mounted in copies of the host's shared mounts shows on the host too.
    var isShared: Bool { ofHost == MountOptions.shared }

    /// Slave when there is none, so that what the host unmounts does not stay busy in containers.
    init(_ name: String?) {
        let name = name ?? ""
        isRecursive = name.first == "r"
        let kind = MountOptions.propagation(isRecursive ? String(name.dropFirst()) : name) ?? MountOptions.slave
        ofHost = kind == MountOptions.unbindable ? MountOptions.privately : kind
        ofRoot = kind == MountOptions.shared || kind == MountOptions.unbindable ? kind : 0
    }
}

/// The options of mounts that this runtime understands itself; others are the file system's.
public enum MountOptionNames {
    public static let all: [String] = {
        let attributes = MountOptions.attributes.flatMap { [$0.name, "r\($0.name)"] }
        let propagations = MountOptions.propagations.flatMap { [$0.name, "r\($0.name)"] }
        return
            (attributes + propagations + MountOptions.ignored
            + [
                "bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap", "copy-symlink", "src-nofollow",
                "dest-nofollow",
            ]
            // The kernel's, for any file system.
            + ["dirsync", "lazytime", "nolazytime", "sync"])
            .sorted()
    }()
}
