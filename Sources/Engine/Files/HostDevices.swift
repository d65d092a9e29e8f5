import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// The device nodes of the host, which a privileged container gets.
enum HostDevices {
    /// Every node below `/dev`, without what belongs to terminals, and without what is another file system there.
    ///
    /// - Parameter taken: Where the container has something else: nothing is made there or below.
    static func list(except taken: some Sequence<String>) throws(SystemError) -> [Spec.Linux.Device] {
        let root = try Descriptor.openDirectory("/dev", forListing: true)
        var devices: [Spec.Linux.Device] = []
        try collect(root, "/dev", Array(taken), &devices)
        return devices
    }

    /// docker leaves out the same: they are the container's own, or another's console.
    private static let own: Set<String> = [
        "/dev/pts", "/dev/shm", "/dev/fd", "/dev/mqueue", "/dev/console", "/dev/ptmx", "/dev/.udev", "/dev/.lxc",
        "/dev/.lxd-mounts",
    ]

    private static func collect(
        _ directory: borrowing Descriptor, _ path: String, _ taken: [String], _ devices: inout [Spec.Linux.Device]
    ) throws(SystemError) {
        for name in try directory.rawEntries() {
            let place = "\(path)/\(printable(name))"
            if own.contains(place) || taken.contains(where: { place == $0 || place.hasPrefix("\($0)/") }) { continue }
            var status = stat()
            // Devices come and go.
            guard fstatat(directory.rawValue, cString(name), &status, AT_SYMLINK_NOFOLLOW) == 0 else { continue }
            let kind = FileKind(mode: status.st_mode)
            switch kind {
            case .directory:
                let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
                let number = swn_openat(directory.rawValue, cString(name), flags, 0)
                if number >= 0 { try collect(Descriptor(owning: number), place, taken, &devices) }
            case .characterDevice, .blockDevice:
                let number = UInt64(status.st_rdev)
                devices.append(
                    Spec.Linux.Device(
                        type: kind == .blockDevice ? "b" : "c", path: place, major: Int64(swn_major(number)),
                        minor: Int64(swn_minor(number)), fileMode: status.st_mode & 0o7777, uid: status.st_uid,
                        gid: status.st_gid))
            default: continue
            }
        }
    }
}
