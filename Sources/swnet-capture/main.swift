import CLinux
import CommandSupport
import LinuxSystem

/// `swnet capture` executes this program, so that swnet itself carries no libpcap: it enters a network namespace, opens the
/// interfaces and the file, gives up every privilege, and records.
let program = Program(name: "swnet")

program.main {
    let options = try CaptureOptions(Program.words)
    let home = try Namespace.current(.net)
    let interfaces = try options.interfaces.map { interface in
        // A socket stays where it was opened.
        let place = interface.namespace ?? home.descriptor.rawValue
        guard setns(place, CLONE_NEWNET) == 0 else {
            throw SystemError("enter the network namespace of", interface.description, errno: .last)
        }
        return try CaptureInterface(interface, options)
    }
    for place in Set(options.interfaces.compactMap(\.namespace)) { close(place) }
    // Whatever is wrong has been said by now: only then is a file made, or made anew.
    let output = try CaptureOutput(options, interfaces)
    let signals = try SignalDescriptor([SIGINT, SIGTERM, SIGHUP])
    try Privileges.giveUp()
    return try Capture(options, interfaces, output).run(until: signals)
}
