import CLinux

extension Descriptor {
    /// Makes the close of this descriptor return at once, by leaving the last reference to the file to the kernel.
    ///
    /// Some files wait when their last descriptor is closed: a netfilter socket that has deleted something waits for
    /// an RCU grace period (`nft_rcv_nl_event` in net/netfilter/nf_tables_api.c), 7 to 20 ms that nobody needs to
    /// wait for, and the end of a process closes everything before its parent is told. So the file is sent over a pair
    /// of sockets that then refers to itself only: the kernel's collector of such pairs (net/unix/garbage.c) finds it
    /// at once, and closes the file in a worker of its own. Before Linux 6.8 the collector runs in the process, which
    /// then waits as it would have anyway; so it does when there is no pair to be had.
    ///
    /// The descriptor's number must not be used for anything but to be closed afterwards.
    public borrowing func leaveClosingToKernel() {
        var ends: [Int32] = [-1, -1]
        let type = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        guard unsafe socketpair(AF_UNIX, type, 0, &ends) == 0 else { return }
        var byte: UInt8 = 0
        for file in [rawValue, ends[1]] { _ = unsafe swn_send_descriptor(ends[0], &byte, 1, file) }
        // The collector starts when a socket is released, and on another processor it can be done before the next line
        // here. So this process gives up the file first: from now on the number stands for the pair's first end, whose
        // release, when the owner closes it, is what starts the collector.
        _ = dup3(ends[0], rawValue, O_CLOEXEC)
        close(ends[1])
        close(ends[0])
    }
}
