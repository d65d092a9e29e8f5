/// A published port whose host port was not asked for but chosen.
public struct ChosenPort: Hashable, Sendable {
    public var mapping: PortMapping
    /// What it was chosen for, which is how it is named when it is taken back.
    public var request: PortRequest

    public init(_ mapping: PortMapping, for request: PortRequest) {
        self.mapping = mapping
        self.request = request
    }
}
