import TestSupport
import Testing

/// Every step of every plan is made to fail, and every moment of every plan is made to be the last of its process
/// (`InjectedFaults`, which only debug builds have).
@Suite(
    "every step fails, and every step is the last",
    .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"))
struct FaultTests {
    /// No plan has more steps than this; a loop that gets here does not end.
    private static let mostSteps = 60

    private func prepare(_ host: NetworkHost, _ operation: FaultyOperation) async throws {
        // What every command makes that is the first since the boot is there.
        for line in ["$SWNET ls"] + operation.setup + ["$SWNET ls"] {
            let result = try await host.shell("SWNET=\(NetworkHost.swnet); set -e; \(line)")
            guard result.status == 0 else { throw CommandError("\(result)") }
        }
    }

    private func run(_ host: NetworkHost, _ operation: FaultyOperation, fault: String) async throws -> CommandResult {
        try await host.shell(operation.line(fault: fault))
    }

    /// `check` has nothing to say after a repair, and a second repair nothing to do.
    private func mend(_ host: NetworkHost, _ note: Comment) async throws {
        let repair = try await host.swnet("repair")
        #expect(repair.status == 0, "\(note): \(repair)")
        let check = try await host.swnet("check")
        #expect(check.status == 0 && check.output.isEmpty, "\(note): \(check)")
    }

    @Test(arguments: FaultyOperation.all.filter { !$0.takesDown }, ["fail", "fail-after"])
    func `what fails is undone`(operation: FaultyOperation, fault: String) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, operation)
            let before = try await host.state()
            var number = 0
            while true {
                number += 1
                let result = try await run(host, operation, fault: "\(fault)=\(number)")
                if result.status == 0 { break }
                try #require(number < Self.mostSteps)
                let note: Comment = "\(operation.name), step \(number)"
                let told = try operation.complaint(result)
                #expect(result.status == 1 && told.contains("made to fail"), "\(note): \(result)")
                #expect(told.split(separator: "\n").count == 1, "\(note): \(result)")
                #expect(!told.contains("undo:"), "\(note): \(result)")
                let difference = try await host.difference(from: before)
                #expect(difference == [], note)
            }
            #expect(number > 1, "no step failed")
            #expect(try await host.net("check") == "")
        }
    }

    @Test(arguments: FaultyOperation.all.filter { !$0.takesDown })
    func `what is killed is undone by the next command`(operation: FaultyOperation) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, operation)
            let before = try await host.state()
            var number = 0
            while true {
                number += 1
                let result = try await run(host, operation, fault: "kill=\(number)")
                if result.status == 0 { break }
                try #require(number < Self.mostSteps)
                let note: Comment = "\(operation.name), moment \(number)"
                #expect(result.status == 137, "\(note): \(result)")
                try await mend(host, note)
                let difference = try await host.difference(from: before)
                #expect(difference == [], note)
            }
            #expect(number > 1, "nothing was killed")
        }
    }

    @Test(arguments: FaultyOperation.all.filter { ["create a bridge", "connect", "connect by ptp"].contains($0.name) })
    func `killed while it undoes`(operation: FaultyOperation) async throws {
        try await NetworkHost.with { host in
            try await prepare(host, operation)
            let before = try await host.state()
            var step = 1
            while try await run(host, operation, fault: "fail=\(step)").status != 0 {
                try #require(step < Self.mostSteps)
                // The moments behind the failed step are those of undoing.
                var moment = 2 * step
                while true {
                    let result = try await run(host, operation, fault: "fail=\(step),kill=\(moment)")
                    if result.status != 137 { break }
                    let note: Comment = "\(operation.name), step \(step) failed, moment \(moment)"
                    try await mend(host, note)
                    let difference = try await host.difference(from: before)
                    #expect(difference == [], note)
                    moment += 1
                }
                step += 1
            }
        }
    }

    @Test(arguments: FaultyOperation.all.filter(\.takesDown))
    func `what takes down goes to the end`(operation: FaultyOperation) async throws {
        // What there is when all went well, to compare with.
        var wanted: [String] = []
        try await NetworkHost.with { host in
            try await prepare(host, operation)
            let result = try await run(host, operation, fault: "none=0")
            #expect(result.status == 0, "\(result)")
            try await mend(host, "\(operation.name)")
            // The kernel deletes links in its own time.
            for _ in 0..<3 {
                try await Task.sleep(for: .milliseconds(200))
                wanted = try await host.state().map(Self.plain)
            }
        }
        for fault in ["fail", "kill"] {
            var number = 0
            var isOver = false
            while !isOver {
                number += 1
                try #require(number < Self.mostSteps)
                try await NetworkHost.with { host in
                    try await prepare(host, operation)
                    let result = try await run(host, operation, fault: "\(fault)=\(number)")
                    isOver = result.status == 0
                    let note: Comment = "\(operation.name), \(fault)=\(number)"
                    try await mend(host, note)
                    // What failed was told, and can be asked for again; what was killed is done by whoever comes next.
                    if fault == "fail" && !isOver {
                        _ = try await run(host, operation, fault: "none=0")
                        try await mend(host, note)
                    }
                    let difference = try await host.difference(from: wanted, Self.plain)
                    #expect(difference == [], note)
                }
            }
            #expect(number > 1, "no fault happened")
        }
    }

    /// Without what is another on every host: names by chance, Ethernet addresses, the numbers of namespaces, the default
    /// network's subnets.
    static func plain(_ line: String) -> String {
        if line.contains("networks/bridge.json") { return "the default network" }
        var line = line.replacing(/(veth|sw-)[0-9a-f]{8}/, with: "vethX")
        if line.contains(/link (vethX|eth0)/) { line = line.replacing(/([0-9a-f]{2}:){5}[0-9a-f]{2}/, with: "MAC") }
        return line.replacing(/"(device|inode)":[0-9]+/, with: "NUMBER")
            .replacing(/namespaces\/[0-9]+/, with: "namespaces/N")
    }
}
