import Foundation
import TestSupport
import Testing

/// What tests ask of a host again and again. Answers come from the kernel or from a connection.
extension TestHost {
    /// What a server at `target` (`TCP:127.0.0.1:80`, `UDP6:[2001:db8::1]:53`) answers; nil when nobody does.
    func ask(_ target: String, at place: Place = .host, timeout: Int = 2) async throws -> String? {
        let options = target.hasPrefix("TCP") ? ",connect-timeout=\(timeout)" : ""
        let result = try await run(
            ["sh", "-c", "echo hello | socat -t \(timeout) -T \(timeout) - '\(target)\(options)' 2>/dev/null"],
            at: place)
        return result.output.isEmpty ? nil : result.output
    }

    /// The answer of a server that may still be starting.
    func answer(_ target: String, at place: Place = .host) async throws -> String? {
        var answer: String?
        _ = try await eventually {
            answer = try await ask(target, at: place)
            return answer != nil
        }
        return answer
    }

    /// The answer inside a container's network namespace.
    func ask(_ target: String, inside container: String, timeout: Int = 2) async throws -> String? {
        let options = target.hasPrefix("TCP") ? ",connect-timeout=\(timeout)" : ""
        let line = "echo hello | socat -t \(timeout) -T \(timeout) - '\(target)\(options)' 2>/dev/null"
        let output = try await inside(container, ["sh", "-c", line]).output
        return output.isEmpty ? nil : output
    }

    func answer(_ target: String, inside container: String) async throws -> String? {
        var answer: String?
        _ = try await eventually {
            answer = try await ask(target, inside: container)
            return answer != nil
        }
        return answer
    }

    /// The process number of a container's first process.
    func processIdentifier(of container: String) async throws -> Int {
        let document = try JSONValue(await box("inspect", container))
        guard let number = document[0]["State"]["Pid"].integer, number > 0 else {
            throw CommandError("\(container) has no process: \(document)")
        }
        return number
    }

    /// Runs a program of the host in a container's network namespace.
    @discardableResult
    func inside(_ container: String, _ words: [String]) async throws -> CommandResult {
        let number = try await processIdentifier(of: container)
        return try await run(["nsenter", "-t", "\(number)", "-n"] + words)
    }

    /// A container's global addresses, as its namespace has them.
    func addresses(of container: String, interface: String = "eth0") async throws -> (v4: String, v6: String?) {
        let text = try await inside(container, ["ip", "-j", "addr", "show", "dev", interface]).standardOutput
        let infos = try JSONValue(text)[0]["addr_info"].items.filter { $0["scope"].text == "global" }
        let local = { (family: String) in infos.first { $0["family"].text == family }?["local"].text }
        return (try #require(local("inet"), "\(text)"), local("inet6"))
    }

    /// How many elements one of our maps has, as nft sees it; 0 when there is no such map.
    func elements(_ name: String) async throws -> Int {
        let result = try await run(["nft", "-j", "list", "map", "inet", "swnet", name])
        guard result.status == 0 else { return 0 }
        return try JSONValue(result.standardOutput)["nftables"].items.reduce(0) { $0 + $1["map"]["elem"].items.count }
    }

    /// A server of the host or its neighbour that answers with the caller's address and its own name.
    func serve(_ listen: String, name: String, at place: Place = .host) throws -> Command {
        try start(["socat", listen, "SYSTEM:read question; echo $SOCAT_PEERADDR \(name)"], at: place)
    }

    /// Starts a detached container of the image `tools`.
    @discardableResult
    func detach(_ words: String...) async throws -> String {
        try await must([Products.path("swbox"), "run", "-d"] + words)
    }

    /// Removes containers, whatever their state.
    func remove(_ names: String...) async throws {
        try await must([Products.path("swbox"), "rm", "-f"] + names)
    }
}

/// Checks that a command failed with one line on standard error that names what it is about.
func expectRefusal(
    _ result: CommandResult, status: Int32?, names words: String..., sourceLocation: SourceLocation = #_sourceLocation
) {
    if let status {
        #expect(result.status == status, "\(result)", sourceLocation: sourceLocation)
    } else {
        #expect(result.status != 0, "\(result)", sourceLocation: sourceLocation)
    }
    let lines = result.errors.components(separatedBy: "\n")
    #expect(
        lines.count == 1 && !result.errors.isEmpty, "one line on standard error: \(result)",
        sourceLocation: sourceLocation)
    #expect(!result.errors.hasSuffix("."), "\(result)", sourceLocation: sourceLocation)
    for word in words where !word.isEmpty {
        #expect(result.errors.contains(word), "does not name \(word): \(result)", sourceLocation: sourceLocation)
    }
    #expect(!result.timedOut && !result.heldOpen, "\(result)", sourceLocation: sourceLocation)
}
