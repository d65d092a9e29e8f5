import Netlink
import SystemPackage
import Testing

/// Expects that the kernel refuses what `body` asks, with an errno, in an error that names `object`.
@discardableResult
func expectRefusal(
    _ errno: Errno, naming object: String, location: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> NetlinkError? {
    do {
        try body()
        Issue.record("nothing was refused", sourceLocation: location)
    } catch let error as NetlinkError {
        #expect(error.errno == errno, "\(error)", sourceLocation: location)
        #expect(error.description.contains(object), "\(error)", sourceLocation: location)
        return error
    } catch {
        Issue.record("not a netlink error: \(error)", sourceLocation: location)
    }
    return nil
}
