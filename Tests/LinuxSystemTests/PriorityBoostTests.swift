import CLinux
import LinuxSystem
import Testing

@Suite("priority")
struct PriorityBoostTests {
    /// Without an `await`: priorities belong to threads.
    @Test func `the holder runs first, what it starts does not, and afterwards all is as before`() throws {
        let before = getpriority(PRIO_PROCESS, 0)
        do {
            let boost = PriorityBoost()
            #expect(getpriority(PRIO_PROCESS, 0) == -20)
            #expect(try HelperProgram.run("/bin/sh", ["sh", "-c", "[ $(nice) = 0 ]"]) == 0)
            _ = consume boost
        }
        #expect(getpriority(PRIO_PROCESS, 0) == before)
        let status = try HelperProgram.run("/bin/sh", ["sh", "-c", "[ $(nice) = \(before) ]"])
        #expect(status == 0)
    }
}
