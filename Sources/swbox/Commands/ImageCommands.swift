import CommandSupport
import Engine
import ImageStore
import LinuxSystem

extension SwboxCommands {
    static let load = Command(
        "load", "[-i FILE] [-q]", summary: "load images from a docker archive or an OCI layout", grammar: nil,
        run: { try executeImageProgram("load", $0) })

    static let `import` = Command(
        "import", "FILE|- NAME[:TAG]", summary: "make an image of a root file system's archive", grammar: nil,
        run: { try executeImageProgram("import", $0) })

    static let rmi = Command(
        "rmi", "[-f] IMAGE…", summary: "remove images", examples: ["swbox rmi redis"],
        grammar: FlagGrammar([.init("force", short: "f", help: "also when containers that ended use it")]),
        run: removeImages)
}

/// Archives are read by a program of its own, so that this one carries no archive library.
private func executeImageProgram(_ command: String, _ invocation: Invocation) throws -> ExitStatus {
    let program = try invocation.engine.openSibling("swbox-image")
    let words = ["swbox-image", command, "--root", invocation.engine.roots.state] + invocation.words
    Executable.run(program.rawValue, words, environment: nil)
    throw CommandFailure("cannot execute swbox-image")
}

private func removeImages(_ invocation: Invocation) throws -> ExitStatus {
    try invocation.require(1..., "an image")
    try invocation.engine.recover()
    var status = ExitStatus.success
    for name in invocation.arguments {
        do {
            for removal in try invocation.engine.removeImage(name, isForced: invocation.flags.isOn("force")) {
                Output.line("\(removal)")
            }
        } catch {
            invocation.program.report(error)
            status = .failure
        }
    }
    return status
}
