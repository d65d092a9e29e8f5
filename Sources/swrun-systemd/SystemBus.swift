import CLinux
import CSystemd
import SystemdUnits

/// A connection to systemd, its own socket where that is there: no bus daemon is needed then.
///
/// The methods are those of `org.freedesktop.systemd1.Manager` (org.freedesktop.systemd1(5)).
final class SystemBus {
    private(set) var bus: OpaquePointer?
    private let isUser: Bool
    /// Jobs that have ended: their paths, and how.
    fileprivate var ended: [String: String] = [:]
    private var isSubscribed = false

    /// - Throws: `UnitError` when nobody answers.
    init(isUser: Bool) throws(UnitError) {
        self.isUser = isUser
        let directory = isUser ? getenv("XDG_RUNTIME_DIR").map { String(cString: $0) } : "/run"
        var answer = -ENOENT
        if let directory, access("\(directory)/systemd/private", F_OK) == 0 {
            answer = open("unix:path=\(directory)/systemd/private")
        }
        if answer < 0 {
            sd_bus_unref(bus)
            bus = nil
            answer = isUser ? sd_bus_open_user(&bus) : sd_bus_open_system(&bus)
        }
        guard answer >= 0 else {
            sd_bus_unref(bus)
            throw UnitError("connect to the \(manager): \(String(cString: strerror(-answer)))")
        }
    }

    deinit { sd_bus_flush_close_unref(bus) }

    private var manager: String { isUser ? "user's systemd" : "systemd" }

    /// Speaks with one other end, and not with a bus of many.
    private func open(_ address: String) -> Int32 {
        var answer = sd_bus_new(&bus)
        if answer >= 0 { answer = sd_bus_set_address(bus, address) }
        return answer < 0 ? answer : sd_bus_start(bus)
    }

    static let destination = "org.freedesktop.systemd1"
    private static let path = "/org/freedesktop/systemd1"
    private static let interface = "org.freedesktop.systemd1.Manager"

    /// systemd's version, 252 for `252.39-1~deb12u2`; nil when it does not say one.
    func version() throws(UnitError) -> Int? {
        let text: String
        do throws(BusFailure) {
            text = try property("Version", of: Self.path, Self.interface)
        } catch {
            throw error.error
        }
        return Int(text.drop { !$0.isNumber }.prefix { $0.isNumber })
    }

    /// The unit's cgroup, below the root of the hierarchies.
    func controlGroup(of unit: String) throws(UnitError) -> String {
        let interface = "\(Self.destination).\(unit.hasSuffix(".slice") ? "Slice" : "Scope")"
        do throws(BusFailure) {
            return try property("ControlGroup", of: try object(of: unit), interface)
        } catch {
            throw error.error
        }
    }

    /// Where on the bus a unit is.
    ///
    /// - Throws: `BusFailure`, of the name `noSuchUnit` for one that systemd does not have.
    func object(of unit: String) throws(BusFailure) -> String {
        let reply = try request("GetUnit", unit) { message in message.append(.string(unit)) }
        var path: UnsafePointer<CChar>?
        guard sd_bus_message_read_basic(reply.pointer, CChar(UInt8(ascii: "o")), &path) > 0, let path else {
            throw BusFailure("\(unit): \(manager) does not name the unit's object")
        }
        return String(cString: path)
    }

    func property(_ name: String, of path: String, _ interface: String) throws(BusFailure) -> String {
        var failure = sd_bus_error()
        var text: UnsafeMutablePointer<CChar>?
        defer {
            sd_bus_error_free(&failure)
            free(text)
        }
        let answer = sd_bus_get_property_string(bus, Self.destination, path, interface, name, &failure, &text)
        guard answer >= 0, let text else { throw self.failure("get \(name)", path, failure, answer) }
        return String(cString: text)
    }

    /// Starts a unit that lives until it is stopped or its last process has ended, and waits for it.
    func startTransient(_ unit: String, _ properties: [UnitProperty]) throws(UnitError) {
        let begin = { (message: BusMessage) in
            message.append(.string(unit))
            message.append(.string("replace"))
            message.append(properties)
            // No further units.
            message.append(.array(signature: "(sa(sv))", []))
        }
        try subscribe()
        do throws(BusFailure) {
            try wait(for: try request("StartTransientUnit", unit, begin), unit, "start")
        } catch {
            if error.isOfJob { try? resetFailed(unit) }
            guard error.name == "org.freedesktop.systemd1.UnitExists", clear(unit) else { throw error.error }
            do throws(BusFailure) {
                try wait(for: try request("StartTransientUnit", unit, begin), unit, "start")
            } catch {
                throw error.error
            }
        }
    }

    /// What a unit has of some properties, among them what is not set, which systemd has a number for.
    func present(_ properties: [UnitProperty], of unit: String) -> [UnitProperty] {
        guard let object = try? object(of: unit) else { return [] }
        let interface = "\(Self.destination).\(unit.hasSuffix(".slice") ? "Slice" : "Scope")"
        return properties.compactMap { property in
            var failure = sd_bus_error()
            defer { sd_bus_error_free(&failure) }
            var reply: OpaquePointer?
            let answer = sd_bus_get_property(
                bus, Self.destination, object, interface, property.name, &failure, &reply, property.value.signature)
            guard answer >= 0, let reply else { return nil }
            return BusMessage(reply).value(property.value.signature).map { UnitProperty(property.name, $0) }
        }
    }

    /// Changes properties until the next start of the machine.
    func set(_ unit: String, _ properties: [UnitProperty]) throws(UnitError) {
        _ = try call("SetUnitProperties", unit) { message in
            message.append(.string(unit))
            message.append(.boolean(true))
            message.append(properties)
        }
    }

    /// Puts a process into a unit's cgroup, or into one inside.
    func attach(_ process: UInt32, to unit: String, _ subpath: String) throws(UnitError) {
        _ = try call("AttachProcessesToUnit", unit) { message in
            message.append(.string(unit))
            message.append(.string(subpath))
            message.append(.array(signature: "u", [.uint32(process)]))
        }
    }

    /// Stops a unit, waits until it has, and has it forgotten; one that is not there is fine.
    func stop(_ unit: String) throws(UnitError) {
        if !isSubscribed { try subscribe() }
        do throws(BusFailure) {
            let job = try request("StopUnit", unit) { message in
                message.append(.string(unit))
                message.append(.string("replace"))
            }
            try wait(for: job, unit, "stop")
        } catch {
            guard error.name == BusFailure.noSuchUnit else { throw error.error }
        }
        try? resetFailed(unit)
    }

    func resetFailed(_ unit: String) throws(UnitError) {
        _ = try call("ResetFailedUnit", unit) { message in message.append(.string(unit)) }
    }
}

extension SystemBus {
    /// Has systemd tell of jobs that end, before one is begun.
    private func subscribe() throws(UnitError) {
        let handler: sd_bus_message_handler_t = { message, context, _ in
            guard let context else { return 0 }
            var (number, job, unit, result): (UInt32, UnsafePointer<CChar>?, UnsafePointer<CChar>?, _) =
                (0, nil, nil, nil as UnsafePointer<CChar>?)
            let letters = "uoss".utf8.map { CChar($0) }
            guard sd_bus_message_read_basic(message, letters[0], &number) > 0,
                sd_bus_message_read_basic(message, letters[1], &job) > 0,
                sd_bus_message_read_basic(message, letters[2], &unit) > 0,
                sd_bus_message_read_basic(message, letters[3], &result) > 0, let job, let result
            else { return 0 }
            let bus = Unmanaged<SystemBus>.fromOpaque(context).takeUnretainedValue()
            bus.ended[String(cString: job)] = String(cString: result)
            return 0
        }
        let context = Unmanaged.passUnretained(self).toOpaque()
        let answer = sd_bus_match_signal(
            bus, nil, Self.destination, Self.path, Self.interface, "JobRemoved", handler, context)
        guard answer >= 0 else { throw UnitError("listen to the \(manager): \(String(cString: strerror(-answer)))") }
        // On a bus it tells only those that ask; at its own socket everybody, and the call is answered all the same.
        _ = try call("Subscribe", "") { _ in }
        isSubscribed = true
    }

    /// Waits for the end of a job, half a minute as runc does.
    private func wait(for reply: BusMessage, _ unit: String, _ verb: String) throws(BusFailure) {
        var path: UnsafePointer<CChar>?
        guard sd_bus_message_read_basic(reply.pointer, CChar(UInt8(ascii: "o")), &path) > 0, let path else {
            throw BusFailure("\(verb) \(unit): \(manager) names no job")
        }
        let job = String(cString: path)
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let end = now.tv_sec + 30
        while ended[job] == nil {
            let answer = sd_bus_process(bus, nil)
            guard answer >= 0 else { throw BusFailure("\(verb) \(unit): \(String(cString: strerror(-answer)))") }
            if answer > 0 { continue }
            clock_gettime(CLOCK_MONOTONIC, &now)
            guard now.tv_sec < end else {
                throw BusFailure("\(verb) \(unit): timeout waiting for the \(manager) to end job \(job)")
            }
            sd_bus_wait(bus, UInt64(end - now.tv_sec) * 1_000_000)
        }
        guard let result = ended[job], result == "done" else {
            // It tells the reason to its journal only.
            let hint =
                isUser && verb == "start" ? " (without the system's bus it takes only processes that are below it)" : ""
            throw BusFailure(
                "\(verb) \(unit): \(manager): the job's result is '\(ended[job] ?? "")'\(hint)", isOfJob: true)
        }
    }

    private func call(
        _ method: String, _ unit: String, _ fill: (BusMessage) -> Void
    ) throws(UnitError) -> BusMessage {
        do throws(BusFailure) {
            return try request(method, unit, fill)
        } catch {
            throw error.error
        }
    }

    func request(
        _ method: String, _ unit: String, _ fill: (BusMessage) -> Void
    ) throws(BusFailure) -> BusMessage {
        var pointer: OpaquePointer?
        let made = sd_bus_message_new_method_call(
            bus, &pointer, Self.destination, Self.path, Self.interface, method)
        guard made >= 0, let pointer else { throw failure(method, unit, sd_bus_error(), made) }
        let message = BusMessage(pointer)
        fill(message)
        guard message.failure == 0 else { throw failure(method, unit, sd_bus_error(), message.failure) }
        var failure = sd_bus_error()
        defer { sd_bus_error_free(&failure) }
        var reply: OpaquePointer?
        let answer = sd_bus_call(bus, pointer, 0, &failure, &reply)
        guard answer >= 0, let reply else { throw self.failure(method, unit, failure, answer) }
        return BusMessage(reply)
    }

    /// systemd's own words, when it has said any.
    func failure(_ method: String, _ object: String, _ failure: sd_bus_error, _ answer: Int32) -> BusFailure {
        let words = failure.message.map { String(cString: $0) } ?? String(cString: strerror(-answer))
        let name = failure.name.map { String(cString: $0) }
        let place = object.isEmpty ? method : "\(method) \(object)"
        return BusFailure("\(place): \(manager): \(words)" + (name.map { " (\($0))" } ?? ""), name: name)
    }
}

/// What systemd refused.
struct BusFailure: Error {
    static let noSuchUnit = "org.freedesktop.systemd1.NoSuchUnit"

    var error: UnitError
    /// D-Bus' name of the error.
    var name: String?
    /// Whether what was begun has failed.
    var isOfJob: Bool

    init(_ description: String, name: String? = nil, isOfJob: Bool = false) {
        error = UnitError(description)
        self.name = name
        self.isOfJob = isOfJob
    }
}
