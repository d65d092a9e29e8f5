import RuntimeSpec

/// A hook, ready to be executed.
struct HookStep: Sendable {
    /// For errors, in runc's words: `prestart hook #0`.
    var name: String
    var path: String
    var arguments: CStringVector
    /// Nil for a hook without `env`, which gets its caller's: the runtime's, or inside that of the program.
    var environment: CStringVector?
    /// In milliseconds; -1 for no limit.
    var timeout: Int32
    /// Files that what it prints is appended to; nil to keep it for the error.
    var output: String?
    var errors: String?

    /// The steps of one kind.
    ///
    /// - Throws: `SpecError` for a hook that is none.
    static func steps(_ hooks: [Spec.Hook]?, _ kind: String) throws(SpecError) -> [HookStep] {
        var steps: [HookStep] = []
        for (index, hook) in (hooks ?? []).enumerated() {
            // Also of a document that was kept, and that somebody may have changed meanwhile.
            try hook.validate("hooks.\(kind)[\(index)]")
            // args[0] is the program's own name, as in execv(3); a hook without args has just that.
            let arguments = hook.args ?? []
            steps.append(
                HookStep(
                    name: "\(kind) hook #\(index)", path: hook.path,
                    arguments: CStringVector(arguments.isEmpty ? [hook.path] : arguments),
                    environment: hook.env.map { CStringVector($0) },
                    timeout: hook.timeout.map { Int32($0 * 1000) } ?? -1))
        }
        return steps
    }
}

/// The hooks of a document, by who runs them.
struct HookPlan: Sendable {
    /// By the runtime, when the container's mounts are made and its root is not entered yet.
    var prestart: [HookStep]
    var createRuntime: [HookStep]
    /// By the container's process, at the same moment.
    var createContainer: [HookStep]
    /// By the container's process, right before its program.
    var startContainer: [HookStep]
    var poststart: [HookStep]
    var poststop: [HookStep]
    /// What they are told, but for the process and the status.
    var state: State

    /// - Throws: `SpecError`.
    init(_ hooks: Spec.Hooks, state: State) throws(SpecError) {
        // crun's annotations. A hook that is run inside has no file of the host in sight.
        func steps(_ hooks: [Spec.Hook]?, _ kind: String) throws(SpecError) -> [HookStep] {
            try HookStep.steps(hooks, kind).map { step in
                var step = step
                step.output = state.annotations?["run.oci.hooks.stdout"]
                step.errors = state.annotations?["run.oci.hooks.stderr"]
                return step
            }
        }
        prestart = try steps(hooks.prestart, "prestart")
        createRuntime = try steps(hooks.createRuntime, "createRuntime")
        // Without `env` these get none, as with runc since 1.3. They are the host's programs among the container's processes:
        // the host's environment could be read there in a pid namespace that containers share, and of the container's the
        // linker would load the image's code into them (CVE-2025-23266).
        createContainer = try steps(hooks.createContainer, "createContainer").map { step in
            var step = step
            step.environment = step.environment ?? CStringVector([] as [String])
            return step
        }
        startContainer = try HookStep.steps(hooks.startContainer, "startContainer")
        poststart = try steps(hooks.poststart, "poststart")
        poststop = try steps(hooks.poststop, "poststop")
        self.state = state
    }

    /// Whether the container's process waits for the runtime before it enters its root: for the runtime's hooks, or to
    /// learn its own number, which its own hooks are told.
    var needsPause: Bool {
        !(prestart.isEmpty && createRuntime.isEmpty && createContainer.isEmpty && startContainer.isEmpty)
    }

    func text(_ status: State.Status, _ process: Int32) -> [UInt8] {
        var state = state
        state.status = status
        state.pid = process
        return Array(state.text(isIndented: false).utf8)
    }
}
