import NetworkModel
import Rtnetlink

extension EndpointDriver {
    /// How the host's end differs, as a port of its bridge, from what it was made as: the first that is found.
    func portProblem(_ link: Link, bridge: Link?) -> String? {
        if link.master == nil || link.master != bridge?.index {
            "the host's end \(link.name) is no port of \(endpoint.link.bridge ?? "")"
        } else if link.hairpin != true {
            "hairpin is off at \(link.name)"
        } else if (link.port?.isolated ?? false) != endpoint.isIsolated {
            "the port \(link.name) is \(endpoint.isIsolated ? "not isolated" : "isolated")"
        } else if link.port?.locked == true, endpoint.isOnOwnBridge {
            "the port \(link.name) is locked"
        } else {
            nil
        }
    }
}
