import Foundation
import TestSupport
import Testing

/// What went wrong in other people's network tools, and the tests that try it here: each row is a class of defects, where
/// it was seen, and the tests, as `SUITE: NAME`. The test below only sees to it that those tests exist.
@Suite("exposures of others")
struct ExposureTests {
    private static let rows: [(exposure: String, seen: String, tests: [String])] = [
        (
            "leases leak on a crash, a reboot, or when the namespace is gone", "CNI plugins 252, 697, 1196",
            [
                "NetworkTests: addresses of the dead are taken over, and a full network says so",
                "CrashTests: after a reboot networks come back, and nothing else",
                "CrashTests: a process that is gone gives back what it had",
                "FaultTests: what takes down goes to the end",
                "CheckTests: what the dead leave is released", "CheckTests: whatever breaks",
            ]
        ),
        (
            "a stale translation shadows the live one", "podman 27516",
            [
                "ConntrackTests: a UDP flow that never pauses follows the port from hand to hand",
                "CrowdTests: thirty-two at a time",
                "OwnershipTests: a key of the map that somebody has is an error, and no shadow",
            ]
        ),
        (
            "teardown dies half-way or needs the namespace", "netavark 1223, 1451, 1482",
            [
                "FaultTests: what takes down goes to the end",
                "TeardownTests: the firewall is the first to go and the link the last",
                "TeardownTests: every error is told, and the rest is done all the same",
                "TeardownTests: twice is once",
                "CNILifecycleTests: DEL without the namespace, without a result, and of what never was",
            ]
        ),
        (
            "names of pairs race, strays after a crash", "netavark pull request 63",
            [
                "CrashTests: twenty at once get twenty addresses",
                "FaultTests: what is killed is undone by the next command",
                "OwnershipTests: nothing passes through the host under another name",
                "OwnershipTests: an interface that others put in the place of ours stays theirs",
            ]
        ),
        (
            "rules that grow with the number of containers", "moby 53466, CNI plugins 1139",
            [
                "PublishTests: a thousand ports are one batch, and go in one",
                "LargeBatchTests: 10,000 elements are added, listed and deleted in a batch each",
            ]
        ),
        (
            "a firewall reload removes protection", "CVE-2025-54388, CVE-2025-54410, netavark 1258",
            [
                "GateTests: between a flush of all rules and the next command nothing is open",
                "GateTests: frames made to slip past the gate, while there is no table",
                "CrashTests: a flushed ruleset is put back by the next command", "CheckTests: whatever breaks",
                "EventTests: a watch repairs what is damaged, whoever it was",
                "OwnershipTests: where the table cannot be made nobody is connected",
            ]
        ),
        (
            "a port of 127.0.0.1 is reached by a neighbour", "moby 41872, 45610",
            [
                "AttackTests: 127.0.0.1 of the host, with a route and a forged source",
                "AttackTests: a source address of 127.0.0.0/8 from outside is dropped",
                "MatrixTests: from everywhere to everything",
            ]
        ),
        (
            "unpublished ports are reached by a neighbour with a route", "moby 14041",
            ["AttackTests: unpublished ports, with a route", "MatrixTests: from everywhere to everything"]
        ),
        (
            "a published port captures traffic of others", "CVE-2019-9946, GHSA-jv3w-x3r3-g6rm",
            ["AttackTests: what only passes through is not captured"]
        ),
        (
            "the host becomes a router; router advertisements", "moby 50646, CVE-2020-10749, CVE-2020-13401",
            [
                "AttackTests: forwarding for containers makes no router of the host",
                "RouterTests: a host that learnt its way out from a router goes on learning it",
                "RouterTests: a container's word that it is a router is nobody's", "CheckTests: whatever breaks",
            ]
        ),
        (
            "stale UDP connections after a port changes hands", "moby 44742, 53384",
            [
                "PublishTests: a UDP client that goes on sending reaches the port's new owner",
                "ConntrackTests: a UDP flow that never pauses follows the port from hand to hand",
                "ConntrackTests: a TCP connection ends with its port, and no other does",
            ]
        ),
        (
            "stale neighbours after an address is reused", "moby 36069, 47176",
            [
                "AnnouncementTests: a neighbour learns where an address is now",
                "AnnouncementTests: a neighbour with a stale entry reaches the new owner at once",
            ]
        ),
        (
            "accepting does not override another's drop", "netavark 977, moby 22054",
            [
                "ForeignFirewallTests: said once, opened on request, closed with the last network",
                "ForeignFirewallTests: what the administrator has opened himself is no obstacle",
                "ForeignFirewallTests: packets between pairs of their own pass too",
                "LegacyFirewallTests: said, opened on request, closed with the last network",
            ]
        ),
        (
            "interrupted lists, lost answers, wrong numbers", "CNI plugins 1121, google/nftables 350",
            [
                "BatchTests: a list that changes while it is read misses nothing that was there all along",
                "BatchTests: a buffer laid out elsewhere gets the answers to its own numbers",
                "BatchTests: the one that is refused is named, the ones behind it are made",
                "LargeBatchTests: 10,000 rules and 2,000 refusals",
                "MonitorTests: lost events are told, and what comes later is heard",
            ]
        ),
        (
            "nft misreads sets", "google/nftables 353 to 355",
            [
                "SetTests: nft lists a set as it lists the same loaded by nft, and we read it back",
                "DifferentialTests: nft's words for the firewall make the same firewall",
            ]
        ),
        (
            "a thread is left in another namespace", "netavark exec_netns!",
            [
                "ProcessTests: what is done in a namespace stays there, and the thread comes back",
                "LinkTests: a socket stays in the namespace in which it was opened",
            ]
        ),
        (
            "default subnets collide or run out", "docker/for-linux 599, moby 46615",
            [
                "NetworkTests: the default network keeps away from the host's routes",
                "AddressingTests: pools avoid the host's routes of every table, and VPNs do not take everything",
                "AddressingTests: pools of a person's own, and what is wrong with them",
            ]
        ),
        (
            "rp_filter, br_netfilter, a read-only /proc/sys", "containerlab 3082, for-linux 1033",
            [
                "MatrixTests: from everywhere to everything",
                "EndpointOptionTests: two networks, whatever rp_filter is",
                "PublishTests: all addresses, from everywhere",
                "RouterTests: parameters that cannot be written need not be, when they are right",
            ]
        ),
    ]

    @Test func `every row names tests that exist`() throws {
        let folder = URL(fileURLWithPath: Products.package).appendingPathComponent("Tests")
        var sources: [String: String] = [:]
        let files = FileManager.default.enumerator(at: folder, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift", file.lastPathComponent != "ExposureTests.swift" else { continue }
            sources[file.deletingPathExtension().lastPathComponent, default: ""] += try String(
                contentsOf: file, encoding: .utf8)
        }
        for row in Self.rows {
            #expect(!row.tests.isEmpty, "\(row.exposure)")
            for test in row.tests {
                let parts = test.split(separator: ":", maxSplits: 1).map { $0.trimmingCharacters(in: .whitespaces) }
                #expect(
                    sources[parts[0]]?.contains("func `\(parts[1])`") == true, "\(row.exposure): there is no \(test)")
            }
        }
    }
}
