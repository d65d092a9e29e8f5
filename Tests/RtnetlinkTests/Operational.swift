import Foundation
import Rtnetlink
import Testing

/// Waits until the kernel's worker has seen a link's carrier: until then the link drops what is sent.
func expectOperational(_ name: String, _ route: inout Rtnetlink, location: SourceLocation = #_sourceLocation) throws {
    for _ in 0..<6000 {
        if try route.link(named: name)?.operationalState == .up { return }
        usleep(10_000)
    }
    Issue.record("\(name) does not come up", sourceLocation: location)
}
