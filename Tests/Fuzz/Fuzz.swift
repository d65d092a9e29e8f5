import Addressing
import CNI
import Foundation
import JSONCoding
@testable import Netlink
import NetworkModel
@testable import Rtnetlink
import RuntimeSpec
import TestSupport

/// What reads bytes that somebody else has written.
///
/// `tools/fuzz TARGET` runs one of these under libFuzzer, which changes its inputs by what they reach in the code. A trap is
/// a find, and so is an answer that breaks the promise in the comment.
private enum Target: String, CaseIterable {
    /// The netlink attribute reader, and all that is made of its attributes.
    case netlink
    /// A CNI plugin's standard input: an error has a code of the specification, and can be said in JSON.
    case cni
    /// An OCI document: what is taken says the same when it is written down, what is refused fits on a line.
    case config
    /// What people type: a value prints as what it was parsed from.
    case words

    static let chosen = ProcessInfo.processInfo.environment["FUZZ_TARGET"].flatMap(Target.init) ?? .netlink

    func read(_ bytes: [UInt8]) {
        switch self {
        case .netlink: readMessages(bytes)
        case .cni: for operation in CNIOperation.allCases { readRequest(bytes, operation) }
        case .config: readDocument(bytes)
        case .words: readWords(String(decoding: bytes, as: UTF8.self))
        }
    }
}

private func readMessages(_ bytes: [UInt8]) {
    for message in NetlinkMessage.split(bytes[...]) {
        _ = message.failure?.description
        _ = Link(message)
        _ = InterfaceAddress(message)
        _ = Route(message)
        _ = Neighbour(message)
        _ = ForwardingEntry(message)
        _ = RoutingRule(message)
        _ = Qdisc(message)
        _ = TrafficClass(message)
        _ = TrafficFilter(message)
        _ = BoundSocket(message, .tcp)
        for attribute in Attributes(message.payload) {
            _ = (attribute.u8, attribute.u16, attribute.u32, attribute.u64, attribute.i32, attribute.string)
            for inner in attribute.nested { _ = inner.string }
        }
    }
}

private func readRequest(_ bytes: [UInt8], _ operation: CNIOperation) {
    let environment = [
        "CNI_COMMAND": operation.rawValue, "CNI_CONTAINERID": "example", "CNI_NETNS": "/run/netns/blue",
        "CNI_IFNAME": "eth0", "CNI_PATH": "/opt/cni/bin",
    ]
    do throws(CNIError) {
        let request = try CNIRequest(operation, environment: { environment[$0] }, input: bytes)
        _ = try? request.configuration()
        _ = try? request.validAttachments()
        _ = try request.previousResult()?.json(request.version).text
        _ = try request.configuration()
    } catch {
        precondition([1, 2, 6, 7].contains(error.code.rawValue), "\(error)")
        precondition((try? JSONCoding.JSONValue(parsing: error.json().bytes)) != nil, "\(error)")
    }
}

private func readDocument(_ bytes: [UInt8]) {
    do throws(SpecError) {
        let spec = try Spec(json: bytes)
        try spec.validate()
        let again = try? Spec(json: spec.document)
        precondition(again == spec, "it says something else when it is written down")
    } catch {
        precondition(!error.reason.isEmpty && !error.description.contains("\n"), "\(error)")
    }
}

private func readWords(_ text: String) {
    func check<Value: LosslessStringConvertible & Equatable>(_ type: Value.Type) {
        guard let value = Value(text) else { return }
        precondition(Value(value.description) == value, "\(type) of \(text): \(value)")
    }
    check(IPAddress.self)
    check(IPPrefix.self)
    check(MACAddress.self)
    check(AddressRange.self)
    check(RateLimit.self)
    check(StaticRoute.self)
    if let request = try? PortRequest(parsing: text) {
        precondition((try? PortRequest(parsing: request.description)) == request, "\(text): \(request)")
    }
    _ = try? SandboxReference(parsing: text)
}

/// Writes what the search begins with, into the folder that FUZZ_SEEDS names.
private func writeSeeds() {
    guard let folder = ProcessInfo.processInfo.environment["FUZZ_SEEDS"] else { return }
    let seeds =
        switch Target.chosen {
        case .config: [RuntimeDocument.text]
        case .words:
            [
                "127.0.0.1:8000-8009:80-89/udp", "[2001:db8::1]:80:80", "10.1.0.0/24", "02:53:0a:01:00:02",
                "10.1.0.8-10.1.0.9", "10mbit,64kb", "10.8.0.0/16,10.1.0.9,5", "blackhole:fd00::/8", "pid:17",
            ]
        default: [String]()
        }
    for (number, seed) in seeds.enumerated() {
        _ = FileManager.default.createFile(atPath: "\(folder)/seed-\(number)", contents: Data(seed.utf8))
    }
}

/// What libFuzzer calls with its inputs.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    Target.chosen.read(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// libFuzzer's main loop (compiler-rt/lib/fuzzer/FuzzerInterface.h), whose own `main` SwiftPM leaves no room for.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ read: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

@main
enum Fuzz {
    static func main() {
        writeSeeds()
        var count = CommandLine.argc
        var arguments = CommandLine.unsafeArgv
        exit(runDriver(&count, &arguments, testOneInput))
    }
}
