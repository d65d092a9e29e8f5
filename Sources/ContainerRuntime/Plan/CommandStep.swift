import RuntimeSpec

extension CommandStep {
    init(_ process: Spec.Process, makesWorkingDirectory: Bool) throws(SpecError) {
        let arguments = process.args ?? []
        guard let name = arguments.first else { throw SpecError("process.args", "is empty") }
        self.name = name
        let environment = process.env ?? []
        if name.contains("/") {
            candidates = [name]
        } else {
            let variable = environment.last { $0.hasPrefix("PATH=") }?.dropFirst("PATH=".count)
            // What execvp(3) searches when there is no PATH, without the current directory.
            let path = variable.map(String.init) ?? "/bin:/usr/bin"
            candidates = path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
        }
        self.arguments = CStringVector(arguments)
        self.environment = CStringVector(environment)
        workingDirectory = process.cwd
        self.makesWorkingDirectory = makesWorkingDirectory
    }
}
