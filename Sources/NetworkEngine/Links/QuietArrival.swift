import Addressing
import CLinux
import LinuxSystem
import NetworkModel
import Rtnetlink
import SystemPackage

/// How a newcomer with IPv6 comes to a bridge of ours without a word to all the others on it.
///
/// A link that comes up says which groups it listens to, and that there is no router yet; a bridge carries each of these
/// to all its ports, 5 ms of a processor with a thousand of them. They are for who distributes by groups: a bridge does
/// that only after somebody has asked (`br_multicast_querier_exists`, net/bridge/br_multicast.c), and who begins to ask
/// hears from everybody then (RFC 3810, section 6.1). So where nobody asks they are said while the port is locked.
///
/// In version 2 of the protocol they would be said some ticks later (`mld_ifc_event`, net/ipv6/mcast.c), in version 1 at
/// once. What comes of the addresses, under the lock of all the machine's links, is said while the link is down, and goes
/// nowhere.
///
/// Version 1 repeats each report, after a delay that the kernel draws (`igmp6_join_group`). It is drawn from a day, because
/// the port is open again by then: so of every newcomer one report for each of its groups is heard late, some time within
/// a day, and not all at once.
struct QuietArrival: ~Copyable {
    private let addresses: [InterfaceAddress]
    private let link: UInt32
    private let monitor: RtnetlinkMonitor
    private let version: Descriptor
    private let repetition: Descriptor
    /// What the second of the two files had.
    private let before: String

    /// In nanoseconds. It takes 30 µs where a processor is free; without it the others hear of it, no more than that.
    private static let patience = 2_000_000

    /// Whether a newcomer may come that way: to nobody who distributes by groups, with the kernel's own settings.
    ///
    /// A bridge that does not listen to groups does not know who asks either: a router in a sandbox, or another host's
    /// bridge, which would keep from a newcomer what it has not heard to be wanted.
    ///
    /// - Parameter bridge: The bridge's index.
    static func isPossible(_ endpoint: Endpoint, bridge: UInt32, _ host: inout Rtnetlink) -> Bool {
        guard endpoint.isOnOwnBridge, endpoint.address(.v6) != nil,
            // Who sets parameters may have said something of these.
            endpoint.options.sysctls.isEmpty, !endpoint.believesRouters,
            case .bridge(let bridge) = try? host.link(.index(bridge))?.details
        else { return false }
        return bridge.multicastSnooping == true && bridge.multicastQuerier != true && bridge.multicastQuerierIPv6 == nil
    }

    /// In the sandbox's network namespace.
    ///
    /// - Parameters:
    ///   - folder: The interface's kernel parameters of IPv6.
    /// - Returns: nil where it cannot be done.
    init?(of endpoint: Endpoint, link: UInt32, in folder: borrowing Descriptor) {
        func open(_ name: String, _ flags: Int32) throws(SystemError) -> Descriptor {
            try Descriptor.open(name, flags, relativeTo: folder.rawValue)
        }
        // 0 is the way of RFC 4291, appendix A (`IN6_ADDR_GEN_MODE_EUI64`), and of a version that nobody has chosen, as
        // may be done for all interfaces to come (`net.ipv6.conf.default`).
        guard let mode = try? open("addr_gen_mode", O_RDONLY).readRecord(), mode.first == UInt8(ascii: "0"),
            let owner = endpoint.macAddress, let own = IPPrefix(linkLocalOf: owner),
            let monitor = try? RtnetlinkMonitor([.addresses, .links], receiveBuffer: 64 << 10),
            let version = try? open("force_mld_version", O_RDWR),
            let chosen = try? version.readRecord(), chosen.first == UInt8(ascii: "0"),
            let repetition = try? open("mldv1_unsolicited_report_interval", O_RDWR),
            let interval = try? repetition.readRecord(), Self.set(version, "1")
        else { return nil }
        Self.set(repetition, "\(SandboxInterface.aDay)")
        self.link = link
        self.monitor = monitor
        addresses =
            [InterfaceAddress(own, link: link)]
            + endpoint.addresses.filter { $0.family == .v6 }.map {
                InterfaceAddress($0, link: link, flags: .noDuplicateDetection)
            }
        before = String(decoding: interval, as: UTF8.self)
        self.version = version
        self.repetition = repetition
    }

    /// Adds the addresses, and waits until the kernel has finished them.
    ///
    /// Best effort: who was quicker to set the link up inside has them already.
    borrowing func settle(_ inside: inout Rtnetlink) {
        guard let errors = try? inside.attempt(addresses.map { .addAddress($0) }), errors.allSatisfy({ $0 == nil })
        else { return }
        var open = addresses.map(\.prefix.address)
        // It is told twice of each: when it is there, and when it is finished.
        wait(2 * open.count) { event in
            if case .changed(.address(let news)) = event, !news.flags.contains(.tentative) {
                open.removeAll { $0 == news.prefix.address }
            }
            return open.isEmpty
        }
    }

    /// When it has been set up: waits until the link has said what it says, and lets it speak as usual from then on.
    consuming func end() {
        wait(16) { event in
            guard case .changed(.link(let news)) = event else { return false }
            return news.index == link && news.operationalState == .up
        }
        Self.set(version, "0")
        Self.set(repetition, before)
    }

    @discardableResult
    private static func set(_ file: borrowing Descriptor, _ value: String) -> Bool {
        // A number is taken at the beginning of its file alone (`sysctl_writes_strict`).
        guard lseek(file.rawValue, 0, SEEK_SET) == 0 else { return false }
        return (try? file.write(text: value)) != nil
    }

    /// - Parameter most: Of what more others say is not listened to.
    private borrowing func wait(_ most: Int, _ isOver: (RtnetlinkEvent) -> Bool) {
        var patience = timespec(tv_sec: 0, tv_nsec: Self.patience)
        for _ in 0..<most {
            var events = pollfd(fd: monitor.pollDescriptor, events: Int16(POLLIN), revents: 0)
            guard ppoll(&events, 1, &patience, nil) == 1, let news = try? monitor.next() else { return }
            if news.contains(where: isOver) { return }
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
