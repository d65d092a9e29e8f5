/// A container as others see it: what it is, and what has become of it.
public struct Container: Hashable, Sendable {
    public var record: ContainerRecord
    public var status: ContainerStatus

    public init(record: ContainerRecord, status: ContainerStatus) {
        self.record = record
        self.status = status
    }

    public var isRunning: Bool { status.phase == .running }
}
