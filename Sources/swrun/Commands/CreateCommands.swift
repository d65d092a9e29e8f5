import CLinux
import Cgroups
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec

extension SwrunCommands {
    private static let bundleFlags: [FlagGrammar.Flag] = [
        .init("bundle", short: "b", value: "DIR", help: "the bundle (the current directory)"),
        .init("config", short: "f", value: "FILE", help: "another document than the bundle's config.json"),
        .init("console-socket", value: "SOCKET", help: "a socket that receives the terminal's controlling side"),
        .init("pid-file", value: "FILE", help: "a file for the process's number"),
        .init("pidfd-socket", value: "SOCKET", help: "a socket that receives a pidfd of the process"),
        .init("no-pivot", help: "chroot instead of pivot_root, for a root on a ramdisk"),
        .init("no-new-keyring", help: "keep the caller's session keyring"),
        .init("no-subreaper", help: ""),
        .init("preserve-fds", value: "N", help: "how many descriptors from 3 on the container gets"),
    ]

    static let create = Command<OCIRuntime>(
        "create", "[OPTION…] ID", summary: "make a container that waits to be started",
        examples: ["swrun create --bundle /srv/web --pid-file /run/web.pid web"], grammar: FlagGrammar(bundleFlags)
    ) { invocation in
        try invocation.context.create(try options(invocation))
        return .success
    }

    static let run = Command<OCIRuntime>(
        "run", "[OPTION…] ID", summary: "make a container, run it and delete it",
        details:
            "Ends with the status of the container's program; 126 and 127 mean that it cannot be executed, 1 any other failure.",
        examples: ["swrun run --bundle /srv/web web", "swrun run --detach --bundle /srv/web web </dev/null >log 2>&1"],
        grammar: FlagGrammar(
            bundleFlags + [
                .init("detach", short: "d", help: "leave it running"),
                .init("keep", help: "do not delete it when it has ended"),
            ]),
        failure: .engineFailure
    ) { invocation in
        let options = try options(invocation)
        guard invocation.flags.isOn("detach") else {
            let keeps = invocation.flags.isOn("keep")
            return ExitStatus(rawValue: try invocation.context.run(options, keeps: keeps, isLast: true))
        }
        try invocation.context.create(options)
        do {
            try invocation.context.start(options.identifier, notifySocket: options.notifySocket)
        } catch {
            try? invocation.context.delete(options.identifier, force: true)
            throw error
        }
        return .success
    }

    static let start = Command<OCIRuntime>("start", "ID", summary: "let a created container's program run") {
        invocation in
        try invocation.context.start(try invocation.identifier, notifySocket: invocation.notifySocket)
        return .success
    }

    static let spec = Command<OCIRuntime>(
        "spec", "[OPTION…]", summary: "write a config.json to start from",
        grammar: FlagGrammar([
            .init("bundle", short: "b", value: "DIR", help: "the bundle (the current directory)"),
            .init(
                "file", short: "f", value: "PATH", help: "another file than the bundle's config.json, and in its place"),
            .init("rootless", help: "for whoever is not root: in a user namespace"),
        ])
    ) { invocation in
        try invocation.require(0...0, "no argument")
        let bundle = invocation.flags.value("bundle") ?? "."
        // As crun has it: a file that is named is written anew, and is one of the bundle's unless its path is absolute.
        let name = invocation.given("file")
        let path = name.map { $0.hasPrefix("/") ? $0 : "\(bundle)/\($0)" } ?? "\(bundle)/config.json"
        let file = try Descriptor.open(path, O_WRONLY | O_CREAT | (name == nil ? O_EXCL : O_TRUNC), mode: 0o644)
        var spec = Spec.standard()
        // The newest, in whose text people look up what a setting means.
        spec.ociVersion = Spec.supportedVersion
        spec.root = Spec.Root(path: "rootfs", readonly: true)
        spec.hostname = "swrun"
        spec.process?.terminal = true
        // As few as runc's and crun's has: who needs more adds them.
        spec.process?.capabilities = Spec.Capabilities(
            bounding: capabilities, effective: capabilities, permitted: capabilities)
        // As runc has it: without the namespace, what is mounted of v1 is the container's own directories.
        if (try? CgroupRoot.find())?.mode != .unified { spec.linux?.namespaces?.removeAll { $0.type == .cgroup } }
        if invocation.flags.isOn("rootless") { spec.makeRootless(uid: geteuid(), gid: getegid()) }
        try file.writeAll(spec.document + [UInt8(ascii: "\n")])
        return .success
    }

    private static let capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]

    private static func options(_ invocation: Invocation<OCIRuntime>) throws -> CreateOptions {
        var options = CreateOptions(
            identifier: try invocation.identifier, bundle: invocation.given("bundle") ?? ".")
        options.document = invocation.given("config")
        options.consoleSocket = invocation.given("console-socket")
        options.pidFile = invocation.given("pid-file")
        options.pidfdSocket = invocation.given("pidfd-socket")
        options.pivots = !invocation.flags.isOn("no-pivot")
        options.makesKeyring = !invocation.flags.isOn("no-new-keyring")
        options.listenDescriptors = invocation.listenDescriptors
        if options.listenDescriptors > 0 { options.listenNames = invocation.listenNames }
        options.notifySocket = invocation.notifySocket
        options.preservedDescriptors = (try invocation.number("preserve-fds") ?? 0) + options.listenDescriptors
        return options
    }
}
