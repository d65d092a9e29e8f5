import RuntimeSpec

extension CommandStep {
    init(_ process: Spec.Process) throws(SpecError) {
        let arguments = process.args ?? []
        guard let name = arguments.first else { throw SpecError("process.args", "is empty") }
        self.name = name
        let variables = Self.variables(process.env ?? [])
        if name.utf8.contains(UInt8(ascii: "/")) {
            candidates = [name]
        } else if name.isEmpty {
            // Each folder of PATH would be found.
            candidates = []
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
        let names = list.map { String(Substring($0.utf8.prefix { $0 != UInt8(ascii: "=") })) }
        // Sorted, so that those of one name are side by side: for a dictionary more of the standard library would have to
        // be in memory.
        let order = list.indices.sorted { names[$0] == names[$1] ? $0 < $1 : names[$0] < names[$1] }
        var result = list.map(Optional.some)
        var place = order.first
        for (index, next) in zip(order, order.dropFirst()) {
            if let first = place, names[index] == names[next] {
                result[first] = list[next]
                result[next] = nil
            } else {
                place = next
            }
        }
        return result.compactMap(\.self).filter { $0 != "HOME=" }
    }

    /// The environment of the program.
    ///
    /// - Parameter home: The home directory of who runs it, asked for when the document does not say.
    func environment(home: () -> String) -> CStringVector {
        environment ?? CStringVector(variables + ["HOME=\(home())"])
    }
}
