#if DEBUG
import CLinux
import NetworkModel

/// Faults that a test asks for in `SWNET_FAULT`, so that every step of every plan is seen to fail and to be cut short.
///
/// The text is `fail=N`, `fail-after=N`, `kill=N`, or several of them with commas. Steps count from 1, those of undoing
/// too; a `kill` counts the moments before and after each: 1 is before the first step, 2 after it. There is nothing of
/// this in a release build.
struct InjectedFaults {
    private var step = 0
    /// Of those that can fail after they are done.
    private var finished = 0
    private let faults: [String: Int]

    init() {
        var faults: [String: Int] = [:]
        let text = getenv("SWNET_FAULT").map { String(cString: $0) } ?? ""
        for fault in text.split(separator: ",") {
            let words = fault.split(separator: "=")
            if words.count == 2, let number = Int(words[1]) { faults[String(words[0])] = number }
        }
        self.faults = faults
    }

    mutating func reachStep() throws {
        step += 1
        if faults["kill"] == 2 * step - 1 { kill(getpid(), SIGKILL) }
        if faults["fail"] == step { throw NetworkError(.failed, "step \(step) was made to fail") }
    }

    /// What is done whole or not at all does not fail after it is done.
    mutating func leaveStep(isAtomic: Bool) throws {
        if faults["kill"] == 2 * step { kill(getpid(), SIGKILL) }
        if isAtomic { return }
        finished += 1
        if faults["fail-after"] == finished {
            throw NetworkError(.failed, "step \(step) was made to fail after it")
        }
    }
}
#endif
