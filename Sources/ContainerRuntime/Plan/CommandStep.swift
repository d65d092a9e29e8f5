import RuntimeSpec

extension CommandStep {
    init(_ process: Spec.Process) throws(SpecError) {
        let arguments = process.args ?? []
        guard let name = arguments.first else { throw SpecError("process.args", "is empty") }
        self.name = name
        let variables = Self.variables(process.env ?? [])
        if name.contains("/") {
            candidates = [name]
        } else {
            let variable = variables.first { $0.hasPrefix("PATH=") }?.dropFirst("PATH=".count)
            // What execvp(3) searches when there is no PATH, without the current directory.
            let path = variable.map(String.init) ?? "/bin:/usr/bin"
            candidates = path.split(separator: ":").filter { $0.hasPrefix("/") }.map { "\($0)/\(name)" }
        }
        self.arguments = CStringVector(arguments)
        self.variables = variables
        let hasHome = variables.contains { $0.hasPrefix("HOME=") }
        environment = hasHome ? CStringVector(variables) : nil
        workingDirectory = process.cwd
    }

    /// Each variable once: of a name that comes twice the last counts, in the place of the first. `HOME` says nothing when
    /// it is empty, and is then looked up like a missing one.
    private static func variables(_ list: [String]) -> [String] {
        var places: [Substring: Int] = [:]
        var result: [String] = []
        for variable in list {
            let name = variable.prefix { $0 != "=" }
            if let place = places[name] {
                result[place] = variable
            } else {
                places[name] = result.count
                result.append(variable)
            }
        }
        return result.filter { $0 != "HOME=" }
    }

    /// The environment of the program.
    ///
    /// - Parameter home: The home directory of who runs it, asked for when the document does not say.
    func environment(home: () -> String) -> CStringVector {
        environment ?? CStringVector(variables + ["HOME=\(home())"])
    }
}
