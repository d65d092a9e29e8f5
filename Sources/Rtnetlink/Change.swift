import Netlink

/// One change to a network namespace, ready to be sent, alone or with others (`Rtnetlink.apply`).
public struct Change: Sendable {
    let request: NetlinkRequest

    init(
        _ message: MessageBuilder, _ operation: String, _ object: String,
        hint: (@Sendable (NetlinkError) -> String?)? = nil
    ) {
        request = NetlinkRequest(message, operation, object, hint: hint)
    }
}
