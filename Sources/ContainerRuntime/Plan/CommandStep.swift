import RuntimeSpec

extension CommandStep {
    init(_ process: Spec.Process) throws(SpecError) {
        let arguments = process.args ?? []
        guard let name = arguments.first else { throw SpecError("process.args", "is empty") }
        self.name = name
        let variables = Self.variables(process.env ?? [])
        if name.utf8.contains(UInt8(ascii: "/")) {
            candidates = [name]
        } else {
            let variable = variables.first { $0.utf8.starts(with: "PATH=".utf8) }
                .map { Substring($0.utf8.dropFirst("PATH=".utf8.count)) }
            // What execvp(3) searches when there is no PATH, without the current directory.
            let path = variable.map(String.init) ?? "/bin:/usr/bin"
            candidates = path.utf8.split(separator: UInt8(ascii: ":")).map { Substring($0) }
                .filter { $0.utf8.first == UInt8(ascii: "/") }.map { "\($0)/\(name)" }
        }
        self.arguments = CStringVector(arguments)
        self.variables = variables
        let hasHome = variables.contains { $0.utf8.starts(with: "HOME=".utf8) }
        environment = hasHome ? CStringVector(variables) : nil
        workingDirectory = process.cwd
    }

    /// Each variable once: of a name that comes twice the last counts, in the place of the first. `HOME` says nothing when
    /// it is empty, and is then looked up like a missing one.
    private static func variables(_ list: [String]) -> [String] {
        var places: [String: Int] = [:]
        var result: [String] = []
        for variable in list {
            let name = String(Substring(variable.utf8.prefix { $0 != UInt8(ascii: "=") }))
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
