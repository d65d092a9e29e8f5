import CommandSupport
import ContainerRuntime

// Installed as `runc` it is to be taken for it, by people too.
// Its own failures are 1, whether it has understood its command line or not: any other number of `run` may be the
// program's.
let program = Program(name: "swrun", calledAs: Program.calledName, usage: .failure)

// A word that is no command costs a start, nothing else.
if Program.isAsked(for: "exec") || Program.isAsked(for: "create") { ProtectedExecutable.begin() }

// The runtime's program is kept to a table: it starts several times for every container, and a parser that could do
// more would take longer to load than the container takes to start.
program.main {
    let words = Program.words
    let table = SwrunCommands.table(program)
    do {
        return try table.run(words)
    } catch {
        let log = Log(globals: try? table.globals().parse(words), program: program)
        guard log.write("\(error)"), log.isOnStandardError else { throw error }
        var failure = error as? CommandFailure ?? CommandFailure("\(error)", status: program.failure)
        failure.isTold = true
        throw failure
    }
}
