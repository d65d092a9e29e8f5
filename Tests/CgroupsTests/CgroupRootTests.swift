import LinuxSystem
import SystemPackage
import Testing

@testable import Cgroups

extension CgroupRoot {
    fileprivate init(_ text: String) { self.init(MountInfo(Array(text.utf8))) }
}

struct CgroupRootTests {
    @Test func readsHybridMounts() {
        let root = CgroupRoot(
            """
            23 1 8:1 / / rw - ext4 /dev/root rw
            31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
            32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
            35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
            40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
            41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
            42 23 0:29 / /mnt/again rw,relatime - cgroup cgroup rw,cpu,cpuacct
            43 23 0:37 /box /mnt/systemd rw - cgroup cgroup rw,xattr,name=systemd
            44 23 0:39 / /mnt/other rw - cgroup cgroup rw,xattr,name=other

            """)
        #expect(root.mode == .hybrid)
        #expect(root.unified == "/sys/fs/cgroup/unified")
        #expect(
            root.hierarchies == [
                CgroupHierarchy(mountPoint: "/sys/fs/cgroup/cpu,cpuacct", controllers: ["cpu", "cpuacct"]),
                CgroupHierarchy(mountPoint: "/sys/fs/cgroup/memory", controllers: ["memory"]),
                CgroupHierarchy(mountPoint: "/sys/fs/cgroup/systemd", controllers: []),
                CgroupHierarchy(mountPoint: "/mnt/other", controllers: []),
            ])
    }

    @Test func readsUnifiedMountWithEscapes() {
        let root = CgroupRoot("30 23 0:26 / /a\\040b\\134c rw - cgroup2 cgroup2 rw,nsdelegate\n")
        #expect(root == CgroupRoot(unified: "/a b\\c"))
        #expect(root.mode == .unified)
    }

    @Test func readsLegacyMounts() {
        let root = CgroupRoot("35 31 0:32 / /cg/memory rw - cgroup cgroup rw,memory\nnonsense - cgroup\n")
        #expect(root.mode == .legacy)
        #expect(root.hierarchies.map(\.mountPoint) == ["/cg/memory"])
    }

    @Test func findsThisMachines() throws {
        let root = try CgroupRoot.find()
        #expect(root.unified != nil || !root.hierarchies.isEmpty)
    }

    @Test(arguments: ["", "/", "a/../b", ".", "a/./b", "a\nb", String(repeating: "x", count: 256)])
    func refusesPath(_ text: String) {
        let error = #expect(throws: CgroupError.self) { try CgroupPath(text) }
        #expect(error?.errno == .invalidArgument)
    }

    @Test func readsPath() throws {
        #expect(try CgroupPath("/swbox//4f2a/").description == "swbox/4f2a")
    }
}
