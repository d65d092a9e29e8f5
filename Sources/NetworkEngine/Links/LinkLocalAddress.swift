import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink

/// The link-local address of a newcomer on a bridge of ours, which it gets while it is down.
///
/// The kernel would make the same address when the link comes up, and have the link say at once which groups it listens
/// to (RFC 3810; `addrconf_dad_completed`, net/ipv6/addrconf.c), under the lock of all the machine's links; some ticks
/// later it says so again because it has come up (`ipv6_mc_up`, net/ipv6/mcast.c). A bridge carries each of the two to
/// all its ports, 2.6 ms with a thousand of them. What a link says while it is down goes nowhere, and is not said again.
struct LinkLocalAddress: ~Copyable {
    let address: InterfaceAddress
    let monitor: RtnetlinkMonitor

    /// In nanoseconds. It takes 30 µs where a processor is free; without it the link says it twice, no more than that.
    private static let patience = 500_000

    /// In the sandbox's network namespace, whose kernel makes such addresses from Ethernet addresses.
    ///
    /// - Returns: nil where there is nobody to be spared.
    static func new(of endpoint: Endpoint, link: UInt32) -> LinkLocalAddress? {
        guard endpoint.link.bridge?.hasPrefix(Network.interfaceMark) == true, endpoint.address(.v6) != nil,
            // Who sets parameters may have said something of this address.
            endpoint.options.sysctls.isEmpty,
            let owner = endpoint.macAddress, let prefix = IPPrefix(linkLocalOf: owner),
            let monitor = try? RtnetlinkMonitor(.addresses, receiveBuffer: 64 << 10)
        else { return nil }
        return LinkLocalAddress(address: InterfaceAddress(prefix, link: link), monitor: monitor)
    }

    /// Adds it, and waits until the kernel has finished it.
    ///
    /// Best effort: who was quicker to set the link up inside has it already.
    func add(_ inside: inout Rtnetlink) {
        guard let errors = try? inside.attempt([.addAddress(address)]), errors.allSatisfy({ $0 == nil }) else { return }
        var patience = timespec(tv_sec: 0, tv_nsec: Self.patience)
        // It is told twice: when it is there, and when it is finished. Who tells more of others is not listened to.
        for _ in 0..<3 {
            var events = pollfd(fd: monitor.pollDescriptor, events: Int16(POLLIN), revents: 0)
            guard ppoll(&events, 1, &patience, nil) == 1, let news = try? monitor.next() else { return }
            for case .changed(.address(let news)) in news where news.prefix == address.prefix {
                if !news.flags.contains(.tentative) { return }
            }
        }
    }
}

extension IPPrefix {
    /// The link-local address that follows from an Ethernet address (RFC 4291, appendix A).
    init?(linkLocalOf owner: MACAddress) {
        var bytes = owner.bytes
        bytes[0] ^= 2
        bytes.insert(contentsOf: [0xff, 0xfe], at: 3)
        guard let address = IPAddress(bytes: [0xfe, 0x80, 0, 0, 0, 0, 0, 0] + bytes) else { return nil }
        self.init(address: address, length: 64)
    }
}
