import CLinux
import CSystemd
import SystemdUnits

/// What is left of a unit whose maker was killed.
///
/// systemd ends a scope when it hears of its last process' end. Of one whose first process ended before it was in there, or
/// was a zombie by then, which the kernel lets it put there and does not move (cgroup_migrate_add_task in
/// kernel/cgroup/cgroup.c), it hears nothing, and the scope stays with its name.
extension SystemBus {
    private enum Condition {
        case absent
        /// On its way to one of the others.
        case changing
        case failed
        /// A scope that has begun and has nobody in it.
        case empty
        case inhabited
    }

    /// Takes away a scope with nobody in it, or a unit that has failed and keeps its name until somebody has seen it. What
    /// has processes is left alone.
    ///
    /// - Parameter waits: Whether processes are on their way out.
    /// - Returns: Whether the name is free.
    func clear(_ unit: String, waits: Bool = false) -> Bool {
        for _ in 0..<100 {
            do throws(BusFailure) {
                switch try condition(of: unit) {
                case .absent: return true
                case .failed: return (try? resetFailed(unit)) != nil
                case .empty: return (try? stop(unit)) != nil
                case .inhabited: if !waits { return false }
                case .changing: break
                }
            } catch {
                return false
            }
            usleep(20_000)
        }
        return false
    }

    private func condition(of unit: String) throws(BusFailure) -> Condition {
        do throws(BusFailure) {
            let object = try object(of: unit)
            let interface = "\(Self.destination).Unit"
            // In this order: one that is being started has nobody in it yet, and may be somebody else's.
            switch try property("ActiveState", of: object, interface) {
            case "active":
                guard unit.hasSuffix(".scope"), try isEmpty(unit) else { return .inhabited }
                return .empty
            case "failed": return .failed
            case "inactive": return try hasJob(object, interface) ? .changing : .absent
            default: return .changing
            }
        } catch {
            guard error.name == BusFailure.noSuchUnit else { throw error }
            return .absent
        }
    }

    private func isEmpty(_ unit: String) throws(BusFailure) -> Bool {
        let reply = try request("GetUnitProcesses", unit) { message in message.append(.string(unit)) }
        return sd_bus_message_enter_container(reply.pointer, CChar(UInt8(ascii: "a")), "(sus)") >= 0
            && sd_bus_message_at_end(reply.pointer, 0) > 0
    }

    private func hasJob(_ object: String, _ interface: String) throws(BusFailure) -> Bool {
        var failure = sd_bus_error()
        defer { sd_bus_error_free(&failure) }
        var reply: OpaquePointer?
        let answer = sd_bus_get_property(bus, Self.destination, object, interface, "Job", &failure, &reply, "(uo)")
        guard answer >= 0, let reply else { throw self.failure("get Job", object, failure, answer) }
        let message = BusMessage(reply)
        var number: UInt32 = 0
        guard sd_bus_message_enter_container(message.pointer, CChar(UInt8(ascii: "r")), "uo") >= 0,
            sd_bus_message_read_basic(message.pointer, CChar(UInt8(ascii: "u")), &number) > 0
        else { return false }
        return number != 0
    }
}
