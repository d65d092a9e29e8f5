#if DEBUG
import CLinux
import NetworkModel

/// Faults that a test asks for in `SWNET_FAULT`, so that every step of every plan, and of a repair, is seen to fail and to
/// be cut short.
///
/// The text is `fail=N`, `fail-after=N`, `kill=N`, `stop=N`, or several of them with commas. Steps count from 1, those of
/// undoing too; `kill` and `stop` count the moments before and after each: 1 is before the first step, 2 after it. There
/// is nothing of this in a release build.
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
        reach(moment: 2 * step - 1)
        if faults["fail"] == step { throw NetworkError(.failed, "step \(step) was made to fail") }
    }

    private func reach(moment: Int) {
        if faults["kill"] == moment { kill(getpid(), SIGKILL) }
        if faults["stop"] == moment { kill(getpid(), SIGSTOP) }
    }

    /// What is done whole or not at all does not fail after it is done.
    mutating func leaveStep(isAtomic: Bool) throws {
        reach(moment: 2 * step)
        if isAtomic { return }
        finished += 1
        if faults["fail-after"] == finished {
            throw NetworkError(.failed, "step \(step) was made to fail after it")
        }
    }
}
#endif
