import TestSupport
import Testing

/// Every step of every plan is made to fail, and every moment of every plan is made to be the last of its process
/// (`InjectedFaults`, which only debug builds have).
@Suite(
    "every step fails, and every step is the last",
    .serialized, .enabled(if: Products.folder.hasSuffix("debug"), "release programs have no faults"))
struct FaultTests {
    struct Operation: Sendable, CustomTestStringConvertible {
        var name: String
        /// Lines of shell that prepare the host.
        var setup: [String]
        /// What is done, as words of swnet.
        var words: String
        /// Whether it takes something down: then it goes on past errors, and to the end when it was killed.
        var takesDown = false
        var testDescription: String { name }
    }

    private static let web = "ip netns add web; ip -n web link set lo up"
    private static let lab = "$SWNET create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64"
    private static let ports = "-p 8080:80 -p 127.0.0.1:5300:53/udp -p 9000-9009:9000-9009"

    static let operations: [Operation] = [
        Operation(
            name: "create a bridge", setup: [], words: "create lab --subnet 10.44.0.0/24 --subnet fd00:44::/64"),
        Operation(name: "create a second", setup: [lab], words: "create more --subnet 10.45.0.0/24 --internal"),
        Operation(
            name: "create a VXLAN", setup: [],
            words: "create x --driver vxlan --opt vni=7 --opt peers=192.0.2.2 --subnet 10.46.0.0/24"),
        Operation(
            name: "create a macvlan", setup: [],
            words: "create m --driver macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26"),
        Operation(name: "connect", setup: [web, lab], words: "connect lab web \(ports)"),
        Operation(
            name: "connect after a reboot",
            setup: [web, lab, "ip link del sw-lab; nft delete table inet swnet; rm -r /run/swnet"],
            words: "connect lab web \(ports)"),
        Operation(
            name: "connect to a second network",
            setup: [web, lab, "$SWNET connect lab web \(ports); $SWNET create more --subnet 10.45.0.0/24"],
            words: "connect more web"),
        Operation(
            name: "connect by ptp",
            setup: [web, "$SWNET create p --driver ptp --subnet 10.45.0.0/24 --subnet fd00:45::/64"],
            words: "connect p web \(ports)"),
        Operation(
            name: "connect by macvlan",
            setup: [
                web,
                "$SWNET create m --driver macvlan --opt parent=eth0 --subnet 192.0.2.0/24 --ip-range 192.0.2.64/26",
            ], words: "connect m web"),
        Operation(
            name: "connect to an existing bridge",
            setup: [
                web, "ip link add br0 address 02:00:00:00:00:0b type bridge; ip link set br0 up",
                "$SWNET create e --opt bridge=br0 --subnet 10.47.0.0/24",
            ], words: "connect e web"),
        Operation(
            name: "connect a device of the host",
            setup: [
                web, "ip link add dev0 type veth peer name dev1",
                "$SWNET create d --driver host-device --opt device=dev0 --subnet 10.48.0.0/24",
            ], words: "connect d web"),
        Operation(
            name: "publish", setup: [web, lab, "$SWNET connect lab web -p 8081:81"],
            words: "publish web 8080:80 7000-7003:70-73/udp"),
        Operation(
            name: "unpublish", setup: [web, lab, "$SWNET connect lab web \(ports)"],
            words: "unpublish web 8080:80 9000-9009:9000-9009", takesDown: true),
        Operation(
            name: "disconnect", setup: [web, lab, "$SWNET connect lab web \(ports)"], words: "disconnect lab web",
            takesDown: true),
        Operation(
            name: "disconnect from one of two",
            setup: [
                web, lab, "$SWNET connect lab web \(ports)",
                "$SWNET create more --subnet 10.45.0.0/24; $SWNET connect more web",
            ], words: "disconnect lab web", takesDown: true),
        Operation(
            name: "disconnect from ptp",
            setup: [web, "$SWNET create p --driver ptp --subnet 10.45.0.0/24", "$SWNET connect p web \(ports)"],
            words: "disconnect p web", takesDown: true),
        Operation(
            name: "collect the dead", setup: [web, lab, "$SWNET connect lab web \(ports); ip netns del web"],
            words: "gc",
            takesDown: true),
        Operation(name: "remove the last network", setup: [lab], words: "rm lab", takesDown: true),
        Operation(
            name: "remove one of two", setup: [lab, "$SWNET create more --subnet 10.45.0.0/24"], words: "rm lab",
            takesDown: true),
        Operation(
            name: "remove a VXLAN",
            setup: ["$SWNET create x --driver vxlan --opt vni=7 --opt peers=192.0.2.2 --subnet 10.46.0.0/24"],
            words: "rm x", takesDown: true),
    ]

    /// No plan has more steps than this; a loop that gets here does not end.
    private static let mostSteps = 60

    private func prepare(_ host: NetworkHost, _ operation: Operation) async throws {
        // What every command makes that is the first since the boot is there.
        for line in ["$SWNET ls"] + operation.setup + ["$SWNET ls"] {
            let result = try await host.shell("SWNET=\(NetworkHost.swnet); set -e; \(line)")
            guard result.status == 0 else { throw CommandError("\(result)") }
        }
    }

    private func run(_ host: NetworkHost, _ operation: Operation, fault: String) async throws -> CommandResult {
        try await host.shell("exec env SWNET_FAULT=\(fault) \(NetworkHost.swnet) \(operation.words)")
    }

    /// `check` has nothing to say after a repair, and a second repair nothing to do.
    private func mend(_ host: NetworkHost, _ note: Comment) async throws {
        let repair = try await host.swnet("repair")
        #expect(repair.status == 0, "\(note): \(repair)")
        let check = try await host.swnet("check")
        #expect(check.status == 0 && check.output.isEmpty, "\(note): \(check)")
    }

    @Test(arguments: operations.filter { !$0.takesDown }, ["fail", "fail-after"])
    func `what fails is undone`(operation: Operation, fault: String) async throws {
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
                #expect(result.status == 1 && result.errors.contains("made to fail"), "\(note): \(result)")
                #expect(result.errors.split(separator: "\n").count == 1, "\(note): \(result)")
                #expect(!result.errors.contains("undo:"), "\(note): \(result)")
                let difference = try await host.difference(from: before)
                #expect(difference == [], note)
            }
            #expect(number > 1, "no step failed")
            #expect(try await host.net("check") == "")
        }
    }

    @Test(arguments: operations.filter { !$0.takesDown })
    func `what is killed is undone by the next command`(operation: Operation) async throws {
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

    @Test(arguments: operations.filter { ["create a bridge", "connect", "connect by ptp"].contains($0.name) })
    func `killed while it undoes`(operation: Operation) async throws {
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

    @Test(arguments: operations.filter(\.takesDown))
    func `what takes down goes to the end`(operation: Operation) async throws {
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
                        try await host.swnet(operation.words.split(separator: " ").map(String.init))
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
    private static func plain(_ line: String) -> String {
        if line.contains("networks/bridge.json") { return "the default network" }
        var line = line.replacing(/(veth|sw-)[0-9a-f]{8}/, with: "vethX")
        if line.contains(/link (vethX|eth0)/) { line = line.replacing(/([0-9a-f]{2}:){5}[0-9a-f]{2}/, with: "MAC") }
        return line.replacing(/"(device|inode)":[0-9]+/, with: "NUMBER")
            .replacing(/namespaces\/[0-9]+/, with: "namespaces/N")
    }
}
