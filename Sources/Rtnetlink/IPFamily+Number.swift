import Addressing
import CLinux

extension IPFamily {
    /// `AF_INET` or `AF_INET6`, in the one byte that rtnetlink's headers have for it.
    var number: UInt8 { UInt8(self == .v4 ? AF_INET : AF_INET6) }

    init?(number: UInt8) {
        switch Int32(number) {
        case AF_INET: self = .v4
        case AF_INET6: self = .v6
        default: return nil
        }
    }
}
