import Addressing
import Foundation
import LinuxSystem
import Netlink
import Rtnetlink
import SystemPackage
import Testing
import TestSupport

@Suite("many changes at once")
struct BatchTests {
    @Test func `hundreds of changes go out together and all arrive`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let addresses = try (0..<500).map { number in
            InterfaceAddress(try #require(IPPrefix("10.\(number / 250).\(number % 250).1/24")), link: 1)
        }
        try route.apply(addresses.map { .addAddress($0) })
        #expect(Set(try route.addresses(family: .v4).map(\.prefix)) == Set(addresses.map(\.prefix)))
        try route.apply(addresses.map { .deleteAddress($0) })
        #expect(try route.addresses(family: .v4).isEmpty)
    }

    @Test func `the one that is refused is named, the ones behind it are made`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let addresses = try (1...5).map { InterfaceAddress(try #require(IPPrefix("10.0.\($0).1/24")), link: 1) }
        try route.addAddress(addresses[2])
        expectRefusal(.fileExists, naming: "add address 10.0.3.1/24") {
            try route.apply(addresses.map { .addAddress($0) })
        }
        #expect(try route.addresses(family: .v4).count == 5)
        let failures = try route.attempt(addresses.map { .deleteAddress($0) } + [.deleteAddress(addresses[0])])
        #expect(failures.map { $0 == nil } == [true, true, true, true, true, false])
        #expect(failures.last??.object == "10.0.1.1/24")
    }

    @Test func `a refusal of every one of many is told for each`() throws {
        let host = try NetworkNamespaceFixture()
        var route = try Rtnetlink(in: host.namespace)
        let changes: [Change] = (0..<1000).map { .delete(.name("no\($0)")) }
        let failures = try route.attempt(changes)
        #expect(failures.count == 1000)
        for (number, failure) in failures.enumerated() { #expect(failure?.object == "no\(number)") }
        // The socket is as good as before.
        #expect(try route.links().count == 1)
    }

    @Test func `a buffer laid out elsewhere gets the answers to its own numbers`() throws {
        let host = try NetworkNamespaceFixture()
        var socket = try NetlinkSocket(.route, in: host.namespace)
        let first = socket.takeSequenceNumbers(6000)
        var bytes: [UInt8] = []
        for sequence in first..<first + 6000 {
            var message = MessageBuilder(type: 17)  // RTM_DELLINK
            message.put(header: (UInt64(0), UInt64(0)))
            message.put(3, "no\(sequence)")
            bytes += try message.finished(sequence: sequence)
        }
        // More than a socket's buffers take by default, in both directions.
        #expect(bytes.count > 212_992)
        let answers = try socket.exchange(bytes, sequences: first...first + 5999)
        #expect(answers.map(\.sequence) == Array(first...first + 5999))
        #expect(answers.allSatisfy { $0.error?.errno == Errno(rawValue: ENODEV) })
    }

    @Test func `namespaces in parallel do not see each other`() async throws {
        try await withThrowingTaskGroup(of: Int.self) { group in
            for number in 0..<16 {
                group.addTask {
                    let host = try NetworkNamespaceFixture()
                    var route = try Rtnetlink(in: host.namespace)
                    try route.apply((0..<number).map { .add(NewLink("br\($0)", .bridge(.init()), up: true)) })
                    return try route.links().count - number
                }
            }
            for try await rest in group { #expect(rest == 1) }
        }
    }

    @Test func `a list that changes while it is read misses nothing that was there all along`() throws {
        let host = try NetworkNamespaceFixture()
        let path = host.path
        var route = try Rtnetlink(in: host.namespace)
        // So many that the kernel hands the list out in pieces.
        let stay = try (0..<1000).map {
            InterfaceAddress(try #require(IPPrefix("10.\($0 / 250).\($0 % 250).1/24")), link: 1)
        }
        try route.apply(stay.map { .addAddress($0) })
        let expected = Set(stay.map(\.prefix))
        // A thread of its own: this one is the reader's.
        Thread.detachNewThread { try? Self.churn(path) }
        for _ in 0..<10 {
            // nil: ten times in a row something changed. That is said, and nothing half is returned.
            guard let addresses = try Self.addresses(&route) else { continue }
            #expect(expected.isSubset(of: addresses.map(\.prefix)))
        }
    }

    private static func addresses(_ route: inout Rtnetlink) throws -> [InterfaceAddress]? {
        do {
            return try route.addresses(family: .v4)
        } catch {
            guard error.errno == .resourceTemporarilyUnavailable else { throw error }
            return nil
        }
    }

    private static func churn(_ path: String) throws {
        let namespace = try Namespace(path: path)
        var route = try Rtnetlink(in: namespace)
        let address = InterfaceAddress(try #require(IPPrefix("10.200.0.1/24")), link: 1)
        for _ in 0..<2000 {
            try route.addAddress(address)
            try route.deleteAddress(address)
        }
    }
}
