import Cgroups
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

extension SwrunCommands {
    static let exec = Command<OCIRuntime>(
        "exec", "[OPTION…] ID COMMAND [ARG…] | --process FILE ID", summary: "run a further process in a container",
        details: "Ends with the status of the process, or 255 when there is none.",
        examples: ["swrun exec --tty web sh", "swrun exec --process process.json --detach --pid-file pid web"],
        grammar: FlagGrammar(
            [
                .init("process", short: "p", value: "FILE", help: "the process as a document"),
                .init("detach", short: "d", help: "leave it running"),
                .init("tty", short: "t", help: "with a terminal"),
                .init(
                    "console-socket", value: "SOCKET", help: "a socket that receives the terminal's controlling side"),
                .init("pid-file", value: "FILE", help: "a file for the process's number"),
                .init("pidfd-socket", value: "SOCKET", help: "a socket that receives a pidfd of the process"),
                .init("cwd", value: "DIR", help: "the working directory"),
                .init("env", short: "e", value: "NAME=VALUE", help: "a variable to add; repeatable"),
                .init("user", short: "u", value: "UID[:GID]", help: "who runs it, in numbers"),
                .init("additional-gids", short: "g", value: "GID", help: "a further group; repeatable"),
                .init("cap", short: "c", value: "NAME", help: "a capability to add; repeatable"),
                .init("no-new-privs", help: "keep the process from gaining privileges"),
                .init("preserve-fds", value: "N", help: "how many descriptors from 3 on the process gets"),
                .init("ignore-paused", help: "also in a paused container"),
                .init("apparmor", value: "PROFILE", help: "the AppArmor profile"),
                .init("process-label", value: "LABEL", help: "the SELinux label"),
                .init(
                    "cgroup", value: "[CONTROLLER,…:]PATH", help: "a cgroup inside the container's; repeatable for v1"),
            ], interspersed: false),
        failure: ExitStatus(rawValue: 255)
    ) { invocation in
        // The host's program is for a moment a process of the container.
        try ProtectedExecutable.ensure()
        return ExitStatus(rawValue: try invocation.context.exec(try options(invocation)))
    }

    private static func options(_ invocation: Invocation<OCIRuntime>) throws -> ExecOptions {
        let flags = invocation.flags
        let file = invocation.given("process")
        try invocation.require(file == nil ? 2... : 1..., "a container ID and a command, or --process")
        var options = ExecOptions(identifier: invocation.arguments[0])
        options.process = try file.map(process)
        options.arguments = Array(invocation.arguments.dropFirst())
        options.workingDirectory = invocation.given("cwd")
        options.environment = flags.values("env")
        options.user = try invocation.given("user").map { try user($0, invocation) }
        options.additionalGroups = try flags.values("additional-gids").map { text in
            guard let group = UInt32(text) else { throw invocation.misuse("'\(text)' is not the number of a group") }
            return group
        }
        options.capabilities = flags.values("cap")
        options.apparmorProfile = invocation.given("apparmor")
        options.selinuxLabel = invocation.given("process-label")
        options.noNewPrivileges = flags.value("no-new-privs").map { $0 == "true" }
        options.hasTerminal = flags.value("tty").map { $0 == "true" }
        options.consoleSocket = invocation.given("console-socket")
        options.pidFile = invocation.given("pid-file")
        options.pidfdSocket = invocation.given("pidfd-socket")
        options.isDetached = flags.isOn("detach")
        options.listenDescriptors = invocation.listenDescriptors
        if options.listenDescriptors > 0 { options.listenNames = invocation.listenNames }
        options.preservedDescriptors = (try invocation.number("preserve-fds") ?? 0) + options.listenDescriptors
        options.cgroups = try flags.values("cgroup").filter { !$0.isEmpty }.map { try CgroupSubpath($0) }
        options.ignoresPause = flags.isOn("ignore-paused")
        return options
    }

    private static func process(_ path: String) throws -> Spec.Process {
        let bytes = try contents(of: path, limit: 16 << 20)
        do {
            return try Spec.Process(json: bytes)
        } catch {
            throw ContainerError(.invalid, "\(path): \(error)")
        }
    }

    private static func user(_ text: String, _ invocation: Invocation<OCIRuntime>) throws -> Spec.User {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map { UInt32($0) }
        guard parts.count <= 2, let uid = parts[0], let gid = parts.count == 2 ? parts[1] : 0 else {
            throw invocation.misuse("'\(text)' is not UID[:GID] in numbers")
        }
        return Spec.User(uid: uid, gid: gid)
    }
}
