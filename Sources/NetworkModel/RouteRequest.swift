public import Addressing

/// A route that somebody asks for with one endpoint, where its network gives routes to all.
public struct RouteRequest: Hashable, Sendable {
    /// 0.0.0.0/0 or ::/0 is the default route.
    public var destination: IPPrefix
    /// A router in one of the network's subnets; nil for the network's own.
    public var gateway: IPAddress?
    /// nil for the kernel's own, or what follows from the order of default routes.
    public var metric: UInt32?

    public init(to destination: IPPrefix, via gateway: IPAddress? = nil, metric: UInt32? = nil) {
        self.destination = destination
        self.gateway = gateway
        self.metric = metric
    }

    public var family: IPFamily { destination.family }
    public var isDefault: Bool { destination.length == 0 }
}

extension RouteRequest: CustomStringConvertible {
    public var description: String {
        "\(destination)" + (gateway.map { " via \($0)" } ?? "") + (metric.map { " of metric \($0)" } ?? "")
    }
}
