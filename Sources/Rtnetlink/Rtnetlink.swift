public import LinuxSystem
public import Netlink

/// The links, addresses, routes and neighbours of one network namespace.
///
/// The namespace is the one in which the value was made, whatever its owner enters later. Each verb is there twice: as
/// a `Change`, of which `apply` sends any number in one system call, and as a method that applies one at once.
///
/// Source: rtnetlink(7) and net/core/rtnetlink.c.
public struct Rtnetlink: ~Copyable, Sendable {
    var socket: NetlinkSocket

    /// The calling thread's network namespace.
    public init() throws(NetlinkError) {
        socket = try NetlinkSocket(.route)
    }

    /// Another network namespace.
    ///
    /// - Throws: `NetlinkError`, or `SystemError` when the namespace cannot be entered.
    public init(in namespace: borrowing Namespace) throws {
        socket = try NetlinkSocket(.route, in: namespace)
    }

    /// The same for who looks into many, and keeps open the namespace that the calling thread is in.
    public init(in namespace: borrowing Namespace, from home: borrowing Descriptor) throws {
        socket = try NetlinkSocket(.route, in: namespace, from: home)
    }

    /// Makes one change.
    public mutating func apply(_ change: Change) throws(NetlinkError) {
        try socket.transact(change.request)
    }

    /// Makes changes in order, in as few system calls as there can be, and fails with the first that was refused.
    ///
    /// This is no transaction: the kernel goes on to the changes behind a refused one, and nothing is undone.
    /// Equivalent to `ip -batch -force FILE`.
    public mutating func apply(_ changes: [Change]) throws(NetlinkError) {
        try socket.transact(changes.map(\.request))
    }

    /// Makes changes in order and returns for each the refusal that it met, or nil: for undoing, where everything is
    /// tried and every failure told.
    public mutating func attempt(_ changes: [Change]) throws(NetlinkError) -> [NetlinkError?] {
        try socket.exchange(changes.map(\.request)).map(\.error)
    }
}
