import Addressing
import CLinux
public import ContainerLog
public import NetworkModel

/// A container as `ps` shows it.
public struct ContainerSummary: Hashable, Sendable {
    public let container: Container
    /// What is published.
    private let published: [PortMapping]
    /// Seconds since 1970.
    private let now: Int

    /// - Parameter ports: What the network has published for it; nil when it says nothing.
    public init(
        _ container: Container, ports: [PortMapping]? = nil, now: Int = ContainerLog.Timestamp.now().seconds
    ) {
        self.container = container
        published = ports ?? container.record.ports.compactMap(\.mapping)
        self.now = now
    }

    /// The command in quotes, at most 20 characters of it unless it is wanted whole.
    public func command(isTruncated: Bool) -> String {
        let text = container.record.arguments.joined(separator: " ")
        guard isTruncated, text.count > 20 else { return "\"\(text)\"" }
        return "\"\(text.prefix(19))…\""
    }

    /// `3 minutes ago`.
    public var created: String { Self.ago(container.record.created, now) + " ago" }

    /// `Up 3 minutes`, `Exited (0) 2 hours ago`.
    public var status: String {
        let status = container.status
        switch status.phase {
        case .creating: return "Created"
        case .running: return "Up " + Self.ago(status.started ?? "", now)
        case .removing: return "Removal In Progress"
        case .exited:
            let code = "Exited (\(status.exitCode ?? 255))"
            return status.finished.map { "\(code) \(Self.ago($0, now)) ago" } ?? code
        }
    }

    /// docker's one word for it.
    public var state: String {
        container.status.phase == .creating ? "created" : container.status.phase.rawValue
    }

    /// `0.0.0.0:8080->80/tcp, [::]:8080->80/tcp`; nothing when it does not run.
    public var ports: String {
        guard container.isRunning else { return "" }
        return published.flatMap { port in
            let hosts =
                port.hostAddress.map { $0.family == .v6 ? ["[\($0)]"] : ["\($0)"] } ?? ["0.0.0.0", "[::]"]
            return hosts.map { "\($0):\(port.hostPorts)->\(port.sandboxPorts)/\(port.transport.rawValue)" }
        }.joined(separator: ", ")
    }

    /// docker's words for a time that has passed (go-units, HumanDuration).
    static func ago(_ time: String, _ now: Int) -> String {
        guard let then = RFC3339.seconds(time) else { return "some time" }
        let seconds = max(0, now - then)
        let (minutes, hours) = (seconds / 60, (seconds + 1800) / 3600)
        switch seconds {
        case 0: return "Less than a second"
        case 1: return "1 second"
        case ..<60: return "\(seconds) seconds"
        case ..<120: return "About a minute"
        case ..<3600: return "\(minutes) minutes"
        default: break
        }
        if hours == 1 { return "About an hour" }
        if hours < 48 { return "\(hours) hours" }
        if hours < 24 * 7 * 2 { return "\(hours / 24) days" }
        if hours < 24 * 30 * 2 { return "\(hours / 24 / 7) weeks" }
        if hours < 24 * 365 * 2 { return "\(hours / 24 / 30) months" }
        return "\(hours / 24 / 365) years"
    }

    /// The same words for a moment in seconds since 1970, for images.
    public static func ago(seconds: Int, now: Int = ContainerLog.Timestamp.now().seconds) -> String {
        var bytes: [UInt8] = []
        ContainerLog.Timestamp(seconds: seconds, nanoseconds: 0).append(to: &bytes)
        return ago(String(decoding: bytes, as: UTF8.self), now) + " ago"
    }
}

/// Reads the times that records hold.
enum RFC3339 {
    /// Seconds since 1970 of `2026-11-21T04:00:16.5Z`; nil for anything else.
    static func seconds(_ text: String) -> Int? {
        var time = tm()
        let isRead = text.withCString { strptime($0, "%Y-%m-%dT%H:%M:%S", &time) != nil }
        guard isRead, text.hasSuffix("Z") else { return nil }
        return timegm(&time)
    }
}
