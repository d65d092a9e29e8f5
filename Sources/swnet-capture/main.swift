import CLinux
import CommandSupport
import LinuxSystem

/// `swnet capture` executes this program, so that swnet itself carries no libpcap: it enters a network namespace, opens the
/// interfaces and the file, gives up every privilege, and records.
let program = Program(name: "swnet")

program.main {
    let options = try CaptureOptions(Array(CommandLine.arguments.dropFirst()))
    if let path = options.namespace {
        let namespace = try Namespace(path: path, kind: .net)
        guard setns(namespace.descriptor.rawValue, CLONE_NEWNET) == 0 else {
            throw SystemError("enter network namespace", path, errno: .last)
        }
    }
    let interfaces = try options.interfaces.map { try CaptureInterface($0, options) }
    // Whatever is wrong has been said by now: only then is a file made, or made anew.
    let output = try CaptureOutput(options, interfaces)
    let signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP])
    try Privileges.giveUp()
    return try Capture(options, interfaces, output).run(until: signals)
}
