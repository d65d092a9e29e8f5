import CLinux
import SystemdUnits

/// One request, carried out.
struct UnitVerb {
    private let request: UnitRequest
    private let bus: SystemBus
    /// What an update has changed, as it was.
    private var before: [UnitProperty] = []

    init(_ request: UnitRequest) throws(UnitError) {
        self.request = request
        bus = try SystemBus(isUser: request.isUser)
    }

    /// - Returns: Where a started unit is.
    mutating func carryOut(_ verb: String) throws(UnitError) -> String? {
        switch verb {
        case "start":
            let version = try bus.version() ?? 0
            let properties = try request.startProperties(
                process: UInt32(getpid()), version: version, devices: KernelDevices())
            // What has begun ends with this process, which is the only one in it.
            try bus.startTransient(request.unit, properties)
            return try bus.controlGroup(of: request.unit)
        case "update":
            let properties = try request.limitProperties(version: try bus.version() ?? 0)
            before = bus.present(properties, of: request.unit)
            if !properties.isEmpty { try bus.set(request.unit, properties) }
            return nil
        case "attach":
            guard let process = request.process.flatMap({ UInt32(exactly: $0) }), process > 0 else {
                throw UnitError("attach to \(request.unit): no process is named")
            }
            try bus.attach(process, to: request.unit, request.subpath ?? "")
            return nil
        case "clear":
            guard bus.clear(request.unit, waits: true) else {
                throw UnitError("\(request.unit): it is there, and has processes")
            }
            return nil
        default:
            try bus.stop(request.unit)
            return nil
        }
    }

    /// Gives the unit again what it had before the update, as far as systemd takes it.
    func takeBack() {
        for property in before { try? bus.set(request.unit, [property]) }
    }
}
