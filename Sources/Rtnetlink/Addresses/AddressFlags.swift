import CLinux

/// The flags of an address (`IFA_F_*`, linux/if_addr.h).
public struct AddressFlags: OptionSet, Hashable, Sendable {
    public var rawValue: UInt32

    public init(rawValue: UInt32) { self.rawValue = rawValue }
    private init(_ flag: Int32) { rawValue = UInt32(flag) }

    /// Another address of the same subnet came first.
    public static let secondary = AddressFlags(IFA_F_SECONDARY)
    /// Use it at once, without asking the link whether someone else has it (IPv6 duplicate address detection).
    public static let noDuplicateDetection = AddressFlags(IFA_F_NODAD)
    /// Someone else has it.
    public static let duplicateDetectionFailed = AddressFlags(IFA_F_DADFAILED)
    /// It is not yet known whether someone else has it.
    public static let tentative = AddressFlags(IFA_F_TENTATIVE)
    /// It does not expire.
    public static let permanent = AddressFlags(IFA_F_PERMANENT)
    /// No route to its subnet comes with it.
    public static let noPrefixRoute = AddressFlags(IFA_F_NOPREFIXROUTE)
}
