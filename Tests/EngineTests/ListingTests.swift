import CLinux
import ContainerLog
import Foundation
import LinuxSystem
import JSONCoding
import NetworkModel
import Testing

@testable import Engine

@Suite struct SummaryTests {
    private func summary(_ change: (inout Container) -> Void = { _ in }) throws -> ContainerSummary {
        var status = ContainerStatus(.running)
        status.started = "2026-11-21T04:00:01.25Z"
        var container = Container(record: try sampleRecord(), status: status)
        change(&container)
        return ContainerSummary(container, now: 1_795_233_600 + 200)
    }

    @Test func columns() throws {
        let summary = try summary()
        #expect(summary.created == "3 minutes ago" && summary.status == "Up 3 minutes")
        #expect(summary.command(isTruncated: true) == "\"redis-server --port…\"")
        #expect(summary.command(isTruncated: false) == "\"redis-server --port 6379\"")
        #expect(summary.ports == "127.0.0.1:80-81->8080-8081/tcp")
        let all = try self.summary { $0.record.ports = (try? PortRequest(parsing: "53:53/udp")).map { [$0] } ?? [] }
        #expect(all.ports == "0.0.0.0:53->53/udp, [::]:53->53/udp")
    }

    @Test func anEndedOne() throws {
        let summary = try summary {
            $0.status.phase = .exited
            $0.status.exitCode = 137
            $0.status.finished = "2026-11-21T04:03:20Z"
        }
        #expect(summary.status == "Exited (137) Less than a second ago" && summary.ports.isEmpty)
    }

    @Test(arguments: [
        (0, "Less than a second"), (1, "1 second"), (59, "59 seconds"), (60, "About a minute"), (150, "2 minutes"),
        (3600, "About an hour"), (7200, "2 hours"), (47 * 3600, "47 hours"), (3 * 86400, "3 days"),
        (20 * 86400, "2 weeks"), (90 * 86400, "3 months"), (800 * 86400, "2 years"), (-5, "Less than a second"),
    ])
    func passedTime(_ seconds: Int, _ words: String) {
        #expect(ContainerSummary.ago("1970-01-01T00:00:00Z", seconds) == words)
    }
}

@Suite struct TimestampTests {
    @Test(arguments: [
        (0, 0, "1970-01-01T00:00:00Z"), (1_709_210_096, 120_000_000, "2024-02-29T12:34:56.12Z"),
        (-1, 1, "1969-12-31T23:59:59.000000001Z"), (4_102_444_800, 999_999_999, "2100-01-01T00:00:00.999999999Z"),
    ])
    func textIsRFC3339(_ seconds: Int, _ nanoseconds: Int, _ text: String) {
        var bytes: [UInt8] = []
        ContainerLog.Timestamp(seconds: seconds, nanoseconds: nanoseconds).append(to: &bytes)
        #expect(String(decoding: bytes, as: UTF8.self) == text)
        #expect(RFC3339.seconds(text) == seconds)
    }
}

@Suite struct LogTests {
    private func written(_ body: (inout LogWriter) -> Void) throws -> [LogEntry] {
        let path = NSTemporaryDirectory() + "log-\(UUID().uuidString)"
        defer { unlink(path) }
        let file = try LogFile.open(path: path)
        var writer = LogWriter(file: file.rawValue)
        body(&writer)
        writer.finish()
        var reader = try LogReader(path: path)
        return try reader.next()
    }

    private func write(_ text: String, _ stream: LogStream, _ writer: inout LogWriter) {
        writer.write(Array(text.utf8)[...], from: stream)
    }

    @Test func linesOfBothStreamsAreWhole() throws {
        let entries = try written { writer in
            write("one\ntw", .output, &writer)
            write("problem\n", .error, &writer)
            write("o\nrest", .output, &writer)
        }
        #expect(entries.map(\.text) == ["one\n", "problem\n", "two\n", "rest"])
        #expect(entries.map(\.stream) == [.output, .error, .output, .output])
        #expect(entries.allSatisfy { RFC3339.seconds($0.time) != nil })
    }

    @Test func anythingSurvives() throws {
        let text = "quote \" back\\slash tab\t bell\u{7} nul\u{0} é 漢 😀 \u{7f}\n"
        #expect(try written { write(text, .output, &$0) }.map(\.text) == [text])
        let bad = try written { $0.write([0x61, 0xff, 0xc3, 0x28, 0xe2, 0x82, 0x0a][...], from: .output) }
        #expect(bad.map(\.text) == ["a\u{fffd}\u{fffd}(\u{fffd}\u{fffd}\n"])
    }

    @Test func longLinesAreCutIntoPieces() throws {
        let entries = try written { write(String(repeating: "x", count: 40_000) + "\n", .output, &$0) }
        #expect(entries.map(\.text.utf8.count) == [16_384, 16_384, 7_233])
        #expect(entries.dropLast().allSatisfy { !$0.text.hasSuffix("\n") })
    }

    @Test func aCharacterIsNeverCutInTwo() throws {
        for letter in ["é", "€", "😀"] {
            for shift in 0..<4 {
                let text = String(repeating: "x", count: shift) + String(repeating: letter, count: 20_000) + "\n"
                let entries = try written { write(text, .output, &$0) }
                #expect(entries.count > 1 && entries.map(\.text).joined() == text, "\(letter) \(shift)")
                #expect(entries.allSatisfy { $0.text.utf8.count <= 16_384 })
            }
        }
        // What is no character is not waited for.
        let noise = [UInt8](repeating: 0x80, count: 40_000) + [0xF0]
        let entries = try written { $0.write(noise[...], from: .output) }
        #expect(entries.count == 3)
    }

    @Test func aLargeLogIsReadInPieces() throws {
        let path = NSTemporaryDirectory() + "log-\(UUID().uuidString)"
        defer { unlink(path) }
        let line =
            #"{"log":"\#(String(repeating: "y", count: 8000))\n","stream":"stdout","time":"2026-11-21T04:00:00Z"}"#
        let noise = String(repeating: "#", count: 6 << 20)
        try (String(repeating: line + "\n", count: 400) + noise + "\n" + line + "\n")
            .write(toFile: path, atomically: true, encoding: .utf8)
        var reader = try LogReader(path: path)
        var (calls, count) = (0, 0)
        while case let more = try reader.next(), !more.isEmpty { (calls, count) = (calls + 1, count + more.count) }
        #expect(count == 401 && calls > 2, "\(count) in \(calls)")
    }

    @Test func damagedLinesAreLeftOut() throws {
        let path = NSTemporaryDirectory() + "log-\(UUID().uuidString)"
        defer { unlink(path) }
        let good = #"{"log":"x\n","stream":"stdout","time":"2026-11-21T04:00:00Z"}"#
        try "\(good)\nnoise\n{}\n\(good)\n\(good)".write(toFile: path, atomically: true, encoding: .utf8)
        var reader = try LogReader(path: path)
        // The last line has no end yet: it is still being written.
        #expect(try reader.next().count == 2)
        let none = try reader.next()
        #expect(none.isEmpty)
        var missing = try LogReader(path: path + ".missing")
        #expect(try missing.next().isEmpty)
    }
}

@Suite struct InspectionTests {
    @Test func documentHasDockersMembers() throws {
        var status = ContainerStatus(.running)
        status.process = 4242
        let document = Inspection(
            container: Container(record: try sampleRecord(), status: status), directory: "/c", endpoints: [],
            ports: [try PortMapping(parsing: "127.0.0.1:80-81:8080-8081/tcp")]
        ).json
        #expect(try document["State"]?.integer("Pid") == 4242)
        #expect(try document["State"]?.string("Status") == "running")
        #expect(try document.string("Name") == "/web")
        let ports = document["NetworkSettings"]?["Ports"]
        #expect(
            ports?["8081/tcp"]
                == .array([JSONValue(["HostIp": .string("127.0.0.1"), "HostPort": .string("81")])]))
        #expect(document["Mounts"]?.text.contains(#""RW":false"#) == true)
    }
}
