import CLinux
import Cgroups
import LinuxSystem
import RuntimeSpec
import SystemPackage
import SystemdUnits

/// A `cgroupsPath` for systemd, `slice:prefix:name`: the unit that it means.
struct SystemdUnit: Hashable {
    /// For example `libpod-4f2a.scope`.
    let name: String
    let slice: String
    /// Whether it is the user's own systemd that has it.
    let isUser: Bool
    /// Where the system's systemd would put it; systemd says where it is.
    let expectedPath: CgroupPath

    /// - Parameter text: Empty for a scope of the container's name.
    /// - Throws: `ContainerError` for a slice that is none; `CgroupError`.
    init(_ text: String, container identifier: String, isUser: Bool) throws {
        let parts = (text.isEmpty ? ":swrun:\(identifier)" : text)
            .split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count == 3, !parts[2].isEmpty else {
            throw ContainerError(
                .invalid,
                "linux.cgroupsPath: expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got '\(text)' instead"
            )
        }
        slice = parts[0].isEmpty ? (isUser ? "user.slice" : "system.slice") : parts[0]
        let folders = try Self.folders(of: slice)
        name =
            parts[2].hasSuffix(".slice") ? parts[2] : (parts[1].isEmpty ? "" : "\(parts[1])-") + "\(parts[2]).scope"
        self.isUser = isUser
        expectedPath = try CgroupPath((folders + [name]).joined(separator: "/"))
    }

    /// A dash in a slice's name is a level: `a-b.slice` lies in `a.slice` (systemd.slice(5)), and `-.slice` is the root.
    private static func folders(of slice: String) throws(ContainerError) -> [String] {
        if slice == "-.slice" { return [] }
        let components = slice.dropLast(".slice".count).split(separator: "-", omittingEmptySubsequences: false)
        guard slice.hasSuffix(".slice"), !slice.contains("/"), !components.contains("") else {
            throw ContainerError(.invalid, "linux.cgroupsPath: '\(slice)' is not the name of a slice")
        }
        var prefix = ""
        return components.map { component in
            prefix += (prefix.isEmpty ? "" : "-") + component
            return "\(prefix).slice"
        }
    }
}

/// A unit that systemd has made for a container that is being made, if systemd was asked for one. There is a process in it,
/// which ends with this value: by then another one has to be there, or systemd takes the unit away.
struct StartedUnit: ~Copyable {
    /// Where the container's cgroup is.
    let path: CgroupPath
    private let helper: SystemdHelper?

    /// - Throws: `ContainerError` in systemd's words.
    init(_ place: CgroupPlace, _ spec: Spec, container identifier: String) throws {
        guard let unit = place.unit else {
            path = place.path
            helper = nil
            return
        }
        let mode = try CgroupRoot.find().mode
        guard mode == .unified || !unit.isUser else {
            throw ContainerError(
                .failed, "start \(unit.name): a user's systemd has controllers of cgroup v2 only (here: \(mode))"
            )
        }
        let request = UnitRequest(
            unit: unit.name, slice: unit.slice, description: "swrun container \(identifier)", isUser: unit.isUser,
            isUnified: mode == .unified, resources: spec.linux?.resources, annotations: spec.annotations ?? [:])
        let helper: SystemdHelper
        do {
            helper = try SystemdHelper("start", request)
        } catch let error as SystemError {
            // It was killed, and what it has begun has nobody in it.
            _ = try? SystemdHelper("clear", request)
            throw error
        }
        guard let place = helper.reply.controlGroup, let path = try? CgroupPath(place) else {
            throw ContainerError(.failed, "start \(unit.name): systemd does not say where it is")
        }
        self.helper = consume helper
        self.path = path
    }
}

/// A unit of the user's systemd that a process is put into by systemd itself. The user may not: above its services and its
/// login is a cgroup of root's, whose systemd the user's one asks in turn.
struct UnitJoin: Hashable {
    let name: String
    /// Inside the unit's cgroup; empty for the cgroup itself.
    var components: [String] = []

    /// - Throws: `SystemError` in systemd's words. Its method is `AttachProcessesToUnit`, of org.freedesktop.systemd1(5).
    func attach(process: Int32) throws(SystemError) {
        var request = UnitRequest(unit: name, slice: "", description: "", isUser: true, isUnified: true)
        request.process = Int64(process)
        request.subpath = components.isEmpty ? nil : "/" + components.joined(separator: "/")
        do {
            _ = try SystemdHelper("attach", request)
        } catch let error as SystemError {
            throw error
        } catch {
            let place = ([name] + components).joined(separator: "/")
            throw SystemError("put a process into", place, errno: Errno(rawValue: EREMOTEIO), hint: "\(error)")
        }
    }
}

extension StateRecord {
    /// How a process gets into the cgroup of a unit of the user's, when the user may not put it there.
    func unitJoin(_ cgroup: Cgroup?, inside components: (Cgroup) -> [String] = { _ in [] }) -> UnitJoin? {
        guard hasUserUnit == true, let unit, let cgroup, !cgroup.isWithinReach else { return nil }
        return UnitJoin(name: unit, components: components(cgroup))
    }

    /// Has systemd know of other limits.
    ///
    /// - Returns: Who can take that back; nil where systemd has not made the cgroup.
    /// - Throws: `ContainerError` in systemd's words.
    func updateUnit(_ resources: Spec.Linux.Resources) throws -> SystemdHelper? {
        guard let request = unitRequest(resources) else { return nil }
        return try SystemdHelper("update", request)
    }

    /// Has systemd take the container's unit away, and waits until it has.
    func stopUnit() throws {
        guard let request = unitRequest(nil) else { return }
        _ = try SystemdHelper("stop", request)
    }

    /// Has systemd take away a unit that a command was killed over, once its processes have ended. One that keeps some is
    /// somebody else's, whose name that command was about to be refused.
    ///
    /// - Returns: Whether there is none any more.
    func clearUnit() -> Bool {
        guard let request = unitRequest(nil) else { return true }
        return (try? SystemdHelper("clear", request)) != nil
    }

    private func unitRequest(_ resources: Spec.Linux.Resources?) -> UnitRequest? {
        guard let unit else { return nil }
        return UnitRequest(
            unit: unit, slice: "", description: "", isUser: hasUserUnit ?? false,
            isUnified: (try? CgroupRoot.find())?.mode == .unified, resources: resources)
    }
}
