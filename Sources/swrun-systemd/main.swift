import CLinux
import CommandSupport
import LinuxSystem
import SystemdUnits

/// `swrun` starts this program for who asks for the systemd manager: it speaks with systemd through libsystemd.
///
/// One verb, one request on standard input, one reply on standard output. `start` makes itself the first process of a
/// scope, because systemd makes none without, and stays until standard input ends: the runtime has its container in
/// there by then. `update` stays as long, for a further byte that has it taken back.
let program = Program(name: "swrun-systemd")

program.main {
    guard let verb = CommandLine.arguments.dropFirst().first, CommandLine.arguments.count == 2,
        ["start", "update", "attach", "clear", "stop"].contains(verb)
    else {
        throw CommandFailure("usage: swrun-systemd start | update | attach | clear | stop, for swrun", status: .usage)
    }
    // Whoever leaves the runtime by Ctrl-C leaves this process to it.
    _ = setsid()
    var reply = UnitReply()
    var done: UnitVerb?
    do {
        let request = try UnitRequest(line: try readLine())
        var carried = try UnitVerb(request)
        reply.controlGroup = try carried.carryOut(verb)
        done = carried
    } catch {
        reply.error = "\(error)"
    }
    // Whoever does not listen any more says why itself.
    guard (try? Descriptor(owning: dup(STDOUT_FILENO)).writeAll(reply.line)) != nil else { return .failure }
    if verb == "start" || verb == "update", reply.error == nil {
        var byte: UInt8 = 0
        while retryingOnInterrupt({ read(STDIN_FILENO, &byte, 1) }) > 0 {
            guard verb == "update" else { continue }
            done?.takeBack()
            try? Descriptor(owning: dup(STDOUT_FILENO)).writeAll(UnitReply().line)
        }
    }
    return reply.error == nil ? .success : .failure
}

/// What stands before the first line break.
private func readLine() throws -> [UInt8] {
    var line: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while line.last != UInt8(ascii: "\n") {
        let count = retryingOnInterrupt { read(STDIN_FILENO, &buffer, buffer.count) }
        guard count > 0 else { throw CommandFailure("the request has no end") }
        line += buffer[..<count]
        guard line.count < 32 << 20 else { throw CommandFailure("the request is too long") }
    }
    return line
}
