import CLinux

/// Whether packets can pass a link (RFC 2863, `ifOperStatus`).
public enum OperationalState: UInt8, Hashable, Sendable {
    case unknown, notPresent, down, lowerLayerDown, testing, dormant, up
}
