import Foundation
import JSONCoding
import TestSupport
import Testing

/// `swrun create` of a document with one mistake: one line that names the member, and nothing is left.
@Suite("swrun: config.json with one mistake")
struct RuntimeMistakeTests {
    @Test(arguments: MistakeTable.all)
    func `a value that cannot be`(table: MistakeTable) async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host, table.change)
            #expect(try await trial.create([trial.document]).first?.status == 0, "without a mistake it can be made")
            for (row, result) in zip(
                table.rows, try await trial.create(table.rows.map { $0.applied(to: trial.document) }))
            {
                result.expectRefusal(row.names, row.description)
            }
            try await trial.expectNothingLeft()
        }
    }

    @Test func `a value of another type, in every member`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let document = try RuntimeDocument.value
            var mistakes: [(place: DocumentPlace, value: JSONCoding.JSONValue)] = []
            for (place, value) in document.places {
                mistakes += RuntimeDocument.wrongTypes(for: value).map { (place, $0) }
                if RuntimeDocument.required.contains(place.description) { mistakes.append((place, .null)) }
            }
            let documents = mistakes.map { document.replacing($0.place, by: $0.value) }
            for (mistake, result) in zip(mistakes, try await trial.create(documents)) {
                // With the colon, so that it is not one inside that is named.
                result.expectRefusal(["\(mistake.place): "], "\(mistake.place) = \(mistake.value.text)")
            }
            try await trial.expectNothingLeft()
        }
    }

    @Test func `bytes that are no text, a NUL byte, and documents that end early`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let text = trial.document.text
            let texts = [
                (
                    "process.cwd: is not JSON: a string is not UTF-8",
                    text.replacing("\"cwd\":\"/\"", with: "\"cwd\":\"/\u{1}\"")
                ),
                (
                    "process.args[0]: is not JSON: a string is not UTF-8",
                    text.replacing("[\"sh\"", with: "[\"s\u{1}h\"")
                ),
                (
                    "is not JSON: a comma or a closing brace is missing",
                    text.replacing("\",\"root\":", with: ",\"root\":")
                ),
                (
                    "process.args[1]: is not JSON",
                    String(text.prefix(upTo: text.firstRange(of: "\"-c\"")?.lowerBound ?? text.startIndex))
                ),
                ("is not JSON: the document ends early", ""), ("is not JSON", "\u{1}"), ("has to be an object", "[]"),
                ("has to be an object", "null"), ("is not JSON: something follows", text + "{}"),
                ("nested more than", text.dropLast() + ",\"x\":" + String(repeating: "[", count: 100_000)),
            ]
            let documents = texts.map { Array($0.1.utf8).map { $0 == 1 ? 0xFF : $0 } }
            for (text, result) in zip(texts, try await trial.create(bytes: documents)) {
                result.expectRefusal(["config.json", text.0], String(text.1.prefix(60)))
            }
            try await trial.expectNothingLeft()
        }
    }

    @Test func `what cannot be granted is told and left out, what is unknown is left out`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let rows = MistakeTable.rows(
                """
                process.capabilities.bounding[0]  "CAP_NO_SUCH"  CAP_NO_SUCH
                process.capabilities.ambient  ["CAP_CHOWN"]  CAP_CHOWN
                linux.seccomp  {"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["x"],"action":"SCMP_ACT_ERRNO"}]}  rule for x
                linux.resources.memory.kernel  1000000  linux.resources.memory.kernel '1000000'
                linux.resources.memory.kernel  -1
                linux.resources.devices[0].access  "rwa"  linux.resources.devices[0].access: 'rwa'
                process.noSuchMember  {"a":[null]}
                noSuchMember  1
                process.consoleSize  {"height":70000,"width":1}
                linux.seccomp  {"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/no/such/socket"}
                linux.namespaces[0].path  ""
                linux.resources.unified  {}
                annotations  {"a":""}
                """)
            for (row, result) in zip(rows, try await trial.create(rows.map { $0.applied(to: trial.document) })) {
                #expect(result.status == 0, "\(row): \(result)")
                let words = row.names.dropFirst()
                #expect(result.errors.isEmpty == words.isEmpty, "\(row): \(result)")
                for word in words {
                    #expect(result.errors.contains("warning: ") && result.errors.contains(word), "\(result)")
                }
            }
            try await trial.expectNothingLeft()
        }
    }

    @Test(arguments: SplitMix.seeds(1, for: "documents that are made"))
    func `documents at random`(seed: UInt64) async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            var generator = SplitMix(state: seed)
            let text = trial.document.text
            let documents = (0..<150).map { _ in Mutations.bytes(of: text, using: &generator) }
            for (document, result) in zip(documents, try await trial.create(bytes: documents)) {
                let text = String(decoding: document, as: UTF8.self)
                if result.status == 0 { continue }
                // A capability that nobody knows is told before.
                let lines = result.errors.split(separator: "\n").drop { $0.hasPrefix("swrun: warning: ") }
                DocumentTrial.Result(status: result.status, errors: lines.joined(separator: "\n")).expectRefusal(
                    [], text)
            }
            try await trial.expectNothingLeft()
        }
    }
}

/// Documents that are given to `swrun create` on a host, one after the other.
struct DocumentTrial {
    let bundle: RuntimeBundle
    /// One that can be carried out.
    let document: JSONCoding.JSONValue

    struct Result: CustomStringConvertible {
        var status: Int
        var errors: String
        var description: String { "status \(status): \(errors)" }

        func expectRefusal(
            _ names: [String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(status == 1, "\(what): \(self)", sourceLocation: sourceLocation)
            let isLine = errors.hasPrefix("swrun create failed: ") && !errors.contains("\n") && !errors.hasSuffix(".")
            #expect(isLine, "one line of standard error: \(what): \(self)", sourceLocation: sourceLocation)
            for name in names {
                #expect(
                    errors.contains(name), "'\(name)' is not named: \(what): \(self)", sourceLocation: sourceLocation)
            }
        }
    }

    /// - Parameter change: What the document has besides, as a jq program.
    init(_ host: TestHost, _ change: String = ".") async throws {
        bundle = try await RuntimeBundle(host, "exec sleep 1000", "del(.hostname) | \(change)")
        document = try JSONCoding.JSONValue(
            parsing: Array(try await host.must(["cat", "\(RuntimeBundle.folder)/config.json"]).utf8))
    }

    func create(_ documents: [JSONCoding.JSONValue]) async throws -> [Result] {
        try await create(bytes: documents.map(\.bytes))
    }

    /// Makes a container of each, and deletes those that could be made.
    func create(bytes documents: [[UInt8]]) async throws -> [Result] {
        let folder = FileManager.default.temporaryDirectory.appending(path: "swnet-documents-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (index, document) in documents.enumerated() {
            try Data(document).write(to: folder.appending(path: "\(index)-config.json"))
        }
        try await bundle.host.run(
            ["bash", "-c", Self.script, Products.path("swrun"), folder.path, "\(documents.count)"], timeout: 1200)
        return try documents.indices.map { index in
            let errors = try String(contentsOf: folder.appending(path: "\(index)-errors"), encoding: .utf8)
            let status = try String(contentsOf: folder.appending(path: "\(index)-status"), encoding: .utf8)
            return Result(
                status: Int(status.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1,
                errors: errors.trimmingCharacters(in: .newlines))
        }
    }

    private static let script = #"""
        try() {
            "$0" create --bundle /run/bundle --config "$1/$2-config.json" "box$2" </dev/null >/dev/null 2>"$1/$2-errors"
            status=$?
            # A failure is not tidied up after: what it leaves stays for everybody to see.
            [ $status != 0 ] || "$0" delete --force "box$2" || status="$status, then delete failed"
            echo "$status" >"$1/$2-status"
        }
        half() { for ((n = $3; n < $2; n += 2)); do try "$1" $n; done; }
        half "$1" "$2" 0 &
        half "$1" "$2" 1
        wait
        """#

    /// The kernel's answer: no state, no cgroup, no process; mounts are looked at when the host ends.
    func expectNothingLeft() async throws {
        let clean = try await eventually { try await bundle.leftovers() == "" }
        let left = try await bundle.leftovers()
        #expect(clean, "left behind: \(left)")
    }
}
