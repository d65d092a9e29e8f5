import CLinux
import CommandSupport
import ContainerRuntime
import LinuxSystem
import RuntimeSpec
import SystemPackage

extension SwrunCommands {
    static let state = Command<OCIRuntime>("state", "ID", summary: "show a container's state as JSON") { invocation in
        Output.line(try invocation.context.state(try invocation.identifier).text(isIndented: true))
        return .success
    }

    static let list = Command<OCIRuntime>(
        "list", "[OPTION…]", summary: "list the containers",
        grammar: FlagGrammar([
            .init("format", short: "f", value: "FORMAT", help: "table or json"),
            .init("quiet", short: "q", help: "only the IDs"),
        ])
    ) { invocation in
        try invocation.require(0...0, "no argument")
        let root = invocation.context.store.path
        // The usual place is missing until there is a first container.
        if root != SwrunCommands.defaultRoot, access(root, F_OK) != 0 { throw SystemError("list", root, errno: .last) }
        let states = try invocation.context.list()
        if invocation.flags.isOn("quiet") {
            for state in states { Output.line(state.id) }
        } else if try invocation.format == .json {
            // What runc prints for an empty list, too.
            let texts = states.map { $0.text(isIndented: false) }
            Output.line(texts.isEmpty ? "null" : "[\(texts.joined(separator: ","))]")
        } else {
            var table = TextTable(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"])
            for state in states {
                table.add([
                    state.id, "\(state.pid ?? 0)", state.status.rawValue, state.bundle, state.created ?? "",
                    state.owner ?? "",
                ])
            }
            table.print()
        }
        return .success
    }

    static let processes = Command<OCIRuntime>(
        "ps", "[OPTION…] ID [PS-OPTION…]", summary: "list a container's processes, with options of ps(1)",
        examples: ["swrun ps web -o pid,rss,args", "swrun ps --format json web"],
        grammar: FlagGrammar(
            [.init("format", short: "f", value: "FORMAT", help: "table or json")], interspersed: false)
    ) { invocation in
        try invocation.require(1..., "a container ID")
        let processes = try invocation.context.processes(invocation.arguments[0])
        if try invocation.format == .json {
            Output.line("[\(processes.map { "\($0)" }.joined(separator: ","))]")
        } else {
            try ProcessTable.print(processes, options: Array(invocation.arguments.dropFirst()))
        }
        return .success
    }

    static let features = Command<OCIRuntime>("features", summary: "show what this runtime can do as JSON") {
        invocation in
        try invocation.require(0...0, "no argument")
        try JSONOutput.print(Features.ofThisRuntime)
        return .success
    }
}
