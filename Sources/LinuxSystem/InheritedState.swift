import CLinux
import SystemPackage

/// What a child has from this process that it may have to undo.
public struct InheritedState: Hashable, Sendable {
    /// Bit n-1 is signal n. An exec leaves ignored what is ignored.
    public var ignoredSignals: UInt64
    /// The capabilities that can be had at all.
    public var boundingSet: CapabilitySet
    /// Those that this process has.
    public var permitted: CapabilitySet
    /// Whether this process was started as the superuser, in every way in which it can be: real, effective and saved. It
    /// is what the kernel said at the exec (getauxval(3)).
    public var isSuperuser: Bool

    /// Of this process, from /proc/self/status (proc_pid_status(5)): one file instead of a call for each of the hundred.
    public static func current() throws(SystemError) -> InheritedState {
        let path = "/proc/self/status"
        let lines = try Descriptor.open(path).readRecord().split(separator: UInt8(ascii: "\n"))
        func set(_ name: String) throws(SystemError) -> UInt64 {
            for line in lines where line.starts(with: name.utf8) {
                let text = String(decoding: line.dropFirst(name.utf8.count), as: UTF8.self)
                if let number = UInt64(text, radix: 16) { return number }
            }
            throw SystemError("read", path, errno: Errno(rawValue: EPROTO), hint: "it has no \(name)")
        }
        return InheritedState(
            ignoredSignals: try set("SigIgn:\t"), boundingSet: CapabilitySet(rawValue: try set("CapBnd:\t")),
            permitted: CapabilitySet(rawValue: try set("CapPrm:\t")),
            isSuperuser: [AT_UID, AT_EUID, AT_GID, AT_EGID].allSatisfy { getauxval(UInt($0)) == 0 })
    }
}
