import CLinux
import LinuxSystem
import Netlink
import NetworkModel
import Rtnetlink
import SystemPackage

/// Deletion of veth pairs without waiting for the kernel.
///
/// The kernel takes both ends out of sight within two milliseconds, and then has whoever asked wait 15 to 35 ms until
/// no processor can still be reading them (`netdev_run_todo`, net/core/dev.c). That wait is nobody's business, so a
/// forked process has it; the caller goes on as soon as the link is no longer there.
enum LinkRemoval {
    /// Deletes a link of the calling thread's namespace and returns when it is out of sight. A missing one is fine.
    static func remove(_ name: String, _ links: inout Rtnetlink) throws {
        guard let link = try links.link(named: name) else { return }
        try remove(link, &links)
    }

    /// The same for a link that has been looked at.
    static func remove(_ link: Link, _ links: inout Rtnetlink) throws {
        let child = fork()
        if child == 0 { inBackground { links in try links.delete(.index(link.index)) } }
        guard child > 0 else {
            try links.delete(.index(link.index))
            return
        }
        // It ends at once: what works is its own child, so that nobody has to wait for that.
        _ = retryingOnInterrupt { waitpid(child, nil, 0) }
        // Asked without netlink, which would wait for the lock that the child's request holds while the kernel waits.
        for _ in 0..<400 {
            if !isInSight(link.index) { return }
            usleep(50)
        }
        // The child did not get to it: then it is done here, and refusals are told.
        do throws(NetlinkError) {
            try links.delete(.index(link.index))
        } catch {
            // It got to it in the end.
            guard error.errno.rawValue == ENODEV else { throw error }
        }
    }

    /// Deletes a link that is about to go by itself, or is not, and waits for neither.
    ///
    /// - Parameter isOurs: Whether it may go; asked in a process of its own.
    static func removeLater(_ name: String, where isOurs: (Link) -> Bool) {
        // An index is given once: what gets the name meanwhile is another.
        guard let index = HostInterface.index(of: name) else { return }
        let child = fork()
        if child == 0 {
            inBackground { links in
                guard let link = try links.link(index: index), isOurs(link) else { return }
                try links.delete(.index(index))
            }
        }
        if child > 0 { _ = retryingOnInterrupt { waitpid(child, nil, 0) } }
    }

    /// Whether an interface has a name. The corresponding C function is `if_indextoname`, an ioctl that takes no lock.
    private static func isInSight(_ index: UInt32) -> Bool {
        var name = [CChar](repeating: 0, count: Int(IF_NAMESIZE))
        return if_indextoname(index, &name) != nil
    }

    /// In the child. It must not outlive the caller's locks or keep its outputs open, so it keeps no descriptor.
    private static func inBackground(_ body: (inout Rtnetlink) throws -> Void) -> Never {
        if fork() != 0 { _exit(0) }
        setsid()
        swn_close_range(0, .max, 0)
        if var links = try? Rtnetlink() { try? body(&links) }
        _exit(0)
    }
}
