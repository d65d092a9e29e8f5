import NetworkModel
import JSONCoding

/// The limits of a container's cgroup as they were asked for; nil is no limit.
public struct ResourceOptions: Hashable, Sendable {
    /// Bytes.
    public var memory: Int64?
    public var cpuShares: Int64?
    /// Microseconds in each period.
    public var cpuQuota: Int64?
    public var cpuPeriod: Int64?
    /// A list such as `0-1,3`.
    public var cpus: String?
    public var pids: Int64?

    public init() {}

    public var isEmpty: Bool { self == ResourceOptions() }
}

extension ResourceOptions {
    init(json: JSONValue) throws(JSONCodingError) {
        func number(_ name: String) throws(JSONCodingError) -> Int64? {
            json[name] == nil ? nil : Int64(try json.integer(name))
        }
        memory = try number("memory")
        cpuShares = try number("cpuShares")
        cpuQuota = try number("cpuQuota")
        cpuPeriod = try number("cpuPeriod")
        cpus = try json.optionalText("cpus")
        pids = try number("pids")
    }

    var json: JSONValue {
        JSONValue([
            "memory": memory.map { .integer(Int($0)) }, "cpuShares": cpuShares.map { .integer(Int($0)) },
            "cpuQuota": cpuQuota.map { .integer(Int($0)) }, "cpuPeriod": cpuPeriod.map { .integer(Int($0)) },
            "cpus": cpus.map { .string($0) }, "pids": pids.map { .integer(Int($0)) },
        ])
    }
}
