import CLinux
import LinuxSystem
import RuntimeSpec
import SystemPackage

/// A container that could not be started: which step failed, on what, and what the kernel answered.
public struct LaunchError: Error, Sendable, CustomStringConvertible {
    public var description: String
    /// The kernel's answer.
    public var errno: Int32
    /// As docker and the shell have it: 127 when the command does not exist, 126 when it cannot be executed, else 125.
    public var exitCode: Int32
    /// The same as the container's process would say it, when it is the kernel's refusal of its program.
    public var processWords: String?
    /// Whether it went wrong while the container's first process made the container, and not before.
    public var isOfInit = false

    init(_ description: String, errno: Int32, exitCode: Int32 = 125) {
        self.description = description
        self.errno = errno
        self.exitCode = exitCode
    }

    /// Somebody, or the kernel for want of memory, has ended the process before its program began.
    static var killed: LaunchError { LaunchError("the container's process was killed", errno: ECHILD) }

    /// Whether it is a hook that has failed: nothing else is cancelled.
    var isOfHook: Bool { errno == ECANCELED }

    init(_ error: SystemError) {
        self.init(error.description, errno: error.errno.rawValue)
    }
}

/// What a child was to do, and therefore what its records mean.
protocol LaunchPlan: Sendable {
    /// Puts a child's record into words, with the names only the plan knows.
    func error(_ record: InitRecord) -> LaunchError
    var process: ProcessPlan { get }
    /// Whether the child may ask its launcher for mounts, and wait for them, before it is ready.
    var asksForMounts: Bool { get }
}

extension InitPlan: LaunchPlan {
    func error(_ record: InitRecord) -> LaunchError {
        var error = words(for: record)
        error.isOfInit = true
        return error
    }

    private func words(for record: InitRecord) -> LaunchError {
        let index = Int(record.index)
        switch record.stage {
        case .mount, .mountTarget:
            return mountError(record, isTarget: record.stage == .mountTarget)
        case .joinNamespace where joins.indices.contains(index):
            let join = joins[index]
            return failure("join \(join.kind.rawValue) namespace (\(join.field))", join.path, record)
        case .device where devices.indices.contains(index):
            return failure("make device (\(devices[index].field))", "/\(devices[index].path)", record)
        case .sysctl where sysctls.indices.contains(index):
            let step = sysctls[index]
            return failure("set sysctl (linux.sysctl) \(step.name) to", step.value, record)
        case .maskedPath where maskedPaths.indices.contains(index):
            return failure("mask (linux.maskedPaths)", "/\(maskedPaths[index])", record)
        case .readOnlyPath where readOnlyPaths.indices.contains(index):
            return failure("make read-only (linux.readonlyPaths)", "/\(readOnlyPaths[index])", record)
        case .root, .attachRoot:
            return failure("mount the root (root.path)", root.name, record)
        case .hostname: return failure("set host name (hostname) to", hostname ?? "", record)
        default: return process.error(record)
        }
    }

    /// runc's words, because people search for them, and besides them which of the document's mounts it is.
    private func mountError(_ record: InitRecord, isTarget: Bool) -> LaunchError {
        guard let mount = mounts.first(where: { $0.index == record.index }) else {
            return failure("error mounting \"tmpfs\" to rootfs at", "\"/dev\"", record)
        }
        let name: String
        var place = "mounts[\(mount.index)]"
        switch mount.source {
        case .bind(let path, _): name = path
        case .cgroups: name = "cgroup"
        case .remount:
            name = "none"
            place += ", remount"
        case .fileSystem(let type):
            name = mount.settings.first { $0.name == "source" }?.value ?? type
            if name != type { place += ", type \(type)" }
        }
        var error = failure(
            "error mounting \"\(name)\" to rootfs at", "\"/\(mount.destination)\" (\(place))", record)
        if isTarget, record.errno == ENOTDIR, case .bind = mount.source {
            error.description += " (are both files, or both directories?)"
        } else if isTarget, record.errno == ELOOP || record.errno == ENOTDIR {
            // runc's words, and what they are about.
            error.description +=
                mount.role == .ordinary
                ? " (the target in the root is a symbolic link or not a directory)"
                : " (must be mounted on ordinary directory: it is a symbolic link or no directory in the root)"
        } else if isTarget, record.errno == EACCES || record.errno == EROFS {
            error.description += " (its target in the root cannot be reached or made)"
        }
        return error
    }
}

extension ProcessPlan {
    func error(_ record: InitRecord) -> LaunchError {
        let index = Int(record.index)
        switch record.stage {
        case .commandMissing, .commandDenied, .commandDirectory, .commandIsRuntime, .execute:
            return command.error(record)
        case .workingDirectory:
            return failure("chdir to cwd (process.cwd)", command.workingDirectory, record)
        case .workingDirectoryOutside:
            let text = "working directory (process.cwd) \(command.workingDirectory) is outside of the container's root"
            return LaunchError(text, errno: record.errno)
        case .rlimit where security.rlimits.indices.contains(index):
            let limit = security.rlimits[index]
            var error = failure(
                "set \(limit.name) (process.rlimits[\(index)]) to", "\(limit.soft):\(limit.hard)", record)
            if record.errno == EPERM { error.description += " (raising the hard limit needs CAP_SYS_RESOURCE)" }
            return error
        case .groups:
            let groups = security.groups ?? []
            // The kernel's NGROUPS_MAX is 65536, and nobody reads a line of them.
            let words = groups.count > 64 ? "\(groups.count) groups" : groups.map(String.init).joined(separator: ", ")
            return failure("set additional groups (process.user.additionalGids) to", words, record)
        case .gid: return failure("set the group (process.user.gid) to", "\(security.gid)", record)
        case .uid: return failure("set the user (process.user.uid) to", "\(security.uid)", record)
        case .oomScore:
            return failure("set process.oomScoreAdj to", security.oomScoreAdjustment ?? "", record)
        case .landlock:
            let rules = security.landlock?.pathRules ?? []
            let path = rules.indices.contains(index) ? rules[index].path : ""
            return failure("confine by annotations[\(Spec.Landlock.annotation)]", path, record)
        case .label:
            var error = failure("set \(security.label?.field ?? "label") to", security.label?.name ?? "", record)
            if record.errno == ENOENT { error.description += " (no profile of this name is loaded)" }
            return error
        case .scheduler where record.errno == EPERM:
            var error = failure(record.stage.operation, "", record)
            if scheduling.scheduler?.isDeadline == true {
                // runc's words: sched_setattr(2), EPERM, "does not include all CPUs".
                error.description +=
                    " (process scheduler can't be used together with AllowedCPUs: SCHED_DEADLINE needs all of them)"
            }
            return error
        case .memoryPolicy:
            var error = failure(record.stage.operation, "", record)
            if record.errno == EINVAL, let words = scheduling.memoryPolicy?.requirement { error.description += words }
            return error
        case .processMissing: return LaunchError("config.json: process is missing", errno: record.errno)
        // The words are the whole sentence.
        case .hook: return LaunchError(record.words, errno: record.errno)
        default: return failure(record.stage.operation, "", record)
        }
    }
}

private func failure(_ operation: String, _ object: String, _ record: InitRecord) -> LaunchError {
    let words = record.words.isEmpty ? nil : record.words
    return LaunchError(SystemError(operation, object, errno: Errno(rawValue: record.errno), hint: words))
}

extension CommandStep {
    /// docker's words for a command that cannot run, because people search for them.
    fileprivate func error(_ record: InitRecord) -> LaunchError {
        let kernel = SystemError("", errno: Errno(rawValue: record.errno)).description.dropFirst(2)
        let reason: String
        var code: Int32 = 126
        switch record.stage {
        case .commandMissing where name.contains("/"):
            (reason, code) = ("stat \(name): \(kernel)", 127)
        case .commandMissing:
            (reason, code) = ("executable file not found in $PATH", 127)
        // runc says the one or the other; podman and docker know by the second that the program is to blame.
        case .commandDirectory: reason = "is a directory: permission denied"
        case .commandIsRuntime: reason = "permission denied (it leads to the container runtime itself)"
        case .execute where record.errno == ENOENT:
            // What is missing is not the file, so its name is not quoted either.
            let words = "exec \(name): \(kernel)"
            var error = LaunchError(
                "\(words) (the interpreter that the file names is missing)", errno: record.errno, exitCode: 127)
            error.processWords = words
            return error
        default: reason = String(kernel)
        }
        return LaunchError("exec: \"\(name)\": \(reason)", errno: record.errno, exitCode: code)
    }
}

extension RootFilesystem {
    fileprivate var name: String {
        switch self {
        case .directory(let path): path
        case .overlay(let overlay):
            "overlay of \((overlay.upper.map { [$0] } ?? overlay.lower).joined(separator: ", "))"
        }
    }
}

extension InitStage {
    fileprivate var operation: String {
        switch self {
        case .parent: "tie the container to its parent"
        case .streams: "set up standard input and output"
        case .userNamespace: "become the superuser of the user namespace (is 0 in linux.uidMappings and gidMappings?)"
        case .cgroup: "join the cgroup"
        case .cgroupNamespace: "make a cgroup namespace"
        case .timeNamespace: "make a time namespace (linux.timeOffsets)"
        case .processors: "take the processors of process.execCPUAffinity"
        case .scheduler: "set the scheduler (process.scheduler)"
        case .ioPriority: "set the priority of input and output (process.ioPriority)"
        case .memoryPolicy: "set the memory policy (linux.memoryPolicy)"
        case .keyring: "make a session keyring"
        case .session: "make a session"
        case .loopback: "switch on lo"
        case .joinNamespace: "enter the container's namespaces"
        case .propagation: "set the propagation of mounts"
        case .deviceLinks: "fill /dev of the root (root.path)"
        case .terminal: "make a terminal"
        case .readOnlyRoot: "make the root read-only"
        case .pivot: "change the root"
        case .domainname: "set the domain name (domainname)"
        case .personality: "set the execution domain"
        case .bounding: "drop capabilities from the bounding set"
        case .capabilities: "set capabilities"
        case .ambient: "set ambient capabilities"
        case .noNewPrivileges: "set no_new_privs"
        case .label: "set the security label of the program"
        case .seccomp: "load the seccomp filter"
        case .hooks: "wait for the runtime's hooks"
        case .goAhead: "wait for the go-ahead"
        case .descriptors: "close descriptors"
        default: "\(self)"
        }
    }
}
