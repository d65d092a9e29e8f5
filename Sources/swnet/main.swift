import CLinux
import CommandSupport
import NetworkEngine

let program = Program(name: "swnet")

program.main {
    Program.occupyStandardStreams()
    let arguments = Program.words
    let environment = { (name: String) in getenv(name).map { String(cString: $0) } }
    // A runtime gives no arguments, and a person who types some means them, whatever the environment.
    if arguments.isEmpty, environment("CNI_COMMAND") != nil {
        return CNICommand.run(program, environment: environment)
    }
    if arguments.count <= 1, NetworkEngine.isLeaseHandler(environment) {
        try NetworkEngine.handleLease(arguments.first, environment)
        return .success
    }
    return try SwnetCommands.table(program).run(arguments)
}
