import Addressing
import CNI
import NetworkModel

/// What an endpoint that was made by CNI says about itself.
struct CNILabels {
    let attachment: CNIAttachment
    /// The ports that were asked for with it.
    let ports: [PortMapping]

    private static let container = "cni.container"
    private static let interface = "cni.interface"
    private static let ports = "cni.ports"

    init(_ attachment: CNIAttachment, _ ports: [PortMapping]) {
        self.attachment = attachment
        self.ports = ports
    }

    /// - Returns: nil for an endpoint that somebody else made.
    init?(_ endpoint: Endpoint) {
        guard let container = endpoint.labels[Self.container], let interface = endpoint.labels[Self.interface],
            let attachment = CNIAttachment(container: container, interface: interface)
        else { return nil }
        self.attachment = attachment
        ports = (endpoint.labels[Self.ports] ?? "").split(separator: " ").compactMap { PortMapping(String($0)) }
    }

    var labels: [String: String] {
        var labels = [Self.container: attachment.container, Self.interface: attachment.interface.text]
        if !ports.isEmpty { labels[Self.ports] = ports.map(\.description).joined(separator: " ") }
        return labels
    }

    /// The ports that came with an endpoint; none for one that somebody else made.
    static func ports(of endpoint: Endpoint) -> [PortMapping] { CNILabels(endpoint)?.ports ?? [] }
}
