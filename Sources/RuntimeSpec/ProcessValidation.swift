extension Spec.Process {
    /// Checks a process that is started in a running container; `Spec.validate()` includes this.
    public func validate() throws(SpecError) {
        try Spec.checkAbsolute("process.cwd", cwd)
        guard let args, !args.isEmpty else { throw SpecError("process.args", "is empty") }
        for (index, argument) in args.enumerated() { try Spec.checkText("process.args[\(index)]", argument) }
        for (index, variable) in (env ?? []).enumerated() {
            try Spec.checkVariable("process.env[\(index)]", variable)
        }
        var seen: Set<String> = []
        for (index, limit) in (rlimits ?? []).enumerated() {
            let field = "process.rlimits[\(index)]"
            guard limit.soft <= limit.hard else {
                throw SpecError(field, "\(limit.type): soft limit \(limit.soft) is above the hard limit \(limit.hard)")
            }
            guard seen.insert(limit.type).inserted else { throw SpecError(field, "\(limit.type) is given twice") }
        }
        if let adjustment = oomScoreAdj, !(-1000...1000).contains(adjustment) {
            throw SpecError("process.oomScoreAdj", "\(adjustment) is outside -1000 to 1000")
        }
        try Spec.checkText("process.apparmorProfile", apparmorProfile)
        try Spec.checkText("process.selinuxLabel", selinuxLabel)
        try execCPUAffinity?.validate("process.execCPUAffinity")
        try user?.validate("process.user")
        // Ignored without a terminal, whatever it says (config.md, "Process").
        guard terminal ?? false, let consoleSize else { return }
        for (name, length) in [("height", consoleSize.height), ("width", consoleSize.width)] {
            // `struct winsize`.
            guard length > UInt16.max else { continue }
            throw SpecError("process.consoleSize.\(name)", "\(length) is more than \(UInt16.max) characters")
        }
    }
}

extension Spec.User {
    fileprivate func validate(_ field: String) throws(SpecError) {
        try Spec.checkIdentifier("\(field).uid", uid)
        try Spec.checkIdentifier("\(field).gid", gid)
        for (index, group) in (additionalGids ?? []).enumerated() {
            try Spec.checkIdentifier("\(field).additionalGids[\(index)]", group)
        }
        if let umask, umask > 0o777 { throw SpecError("\(field).umask", "\(umask) has bits outside 0777") }
    }
}

extension Spec.ExecCPUAffinity {
    /// A container's first process does not have it, but whoever enters the container later should not be the one to
    /// learn that it is wrong.
    fileprivate func validate(_ field: String) throws(SpecError) {
        for (name, text) in [("initial", initial), ("final", final)] {
            guard let text, !text.isEmpty else { continue }
            _ = try Spec.numbers(in: text, "\(field).\(name)")
        }
    }
}

extension Spec {
    /// The ranges of a list of processors or memory nodes such as `0-2,7` (cpuset(7), "List format"). As for the kernel and
    /// runc there may be spaces and nothing between the commas.
    ///
    /// - Throws: `SpecError` for anything else, and for numbers above 8191, which no kernel has.
    public static func numbers(in text: String, _ field: String) throws(SpecError) -> [ClosedRange<Int>] {
        var ranges: [ClosedRange<Int>] = []
        let refusal = SpecError(field, "'\(text)' is no list such as 0-2,7")
        for part in text.split(separator: ",") {
            let words = part.split(separator: " ")
            guard words.count <= 1 else { throw refusal }
            guard let word = words.first else { continue }
            let ends = word.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
            guard let first = ends.first.flatMap({ Int($0) }), let last = ends.last.flatMap({ Int($0) }),
                0 <= first, first <= last, last < 8192
            else { throw refusal }
            ranges.append(first...last)
        }
        guard !ranges.isEmpty else { throw refusal }
        return ranges
    }
}
