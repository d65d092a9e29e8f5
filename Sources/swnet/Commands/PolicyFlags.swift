import Addressing
import CommandSupport
import NetworkModel

extension SwnetCommands {
    /// What a network lets pass.
    static let policyFlags: [FlagGrammar.Flag] = [
        .init("isolation", value: "MODE", help: "from other networks: on, off or strict (on)"),
        .init("isolate-ports", help: "sandboxes reach the gateway and not each other"),
        .init("antispoof", help: "drop what a sandbox sends under another's address"),
        .init("announce-all", help: "tell all neighbours of each newcomer, however many"),
        .init(
            "source", value: "ADDRESS", isRepeatable: true,
            help: "the host's address that goes out, one of each family; none: the sandboxes' own"
        ),
    ]

    static func policy(_ invocation: Invocation) throws(CommandFailure) -> NetworkPolicy {
        let sources = invocation.flags.values("source")
        let keepsSources = sources == ["none"]
        if !keepsSources, sources.contains("none"), let address = sources.first(where: { $0 != "none" }) {
            throw invocation.misuse("--source \(address) and --source none contradict each other")
        }
        var policy = NetworkPolicy(
            isolatesPorts: invocation.flags.isOn("isolate-ports"), guardsSources: invocation.flags.isOn("antispoof"),
            announcesToAll: invocation.flags.isOn("announce-all"),
            sources: keepsSources ? [] : try invocation.values("source", "an IP address"), keepsSources: keepsSources)
        if let word = invocation.flags.value("isolation") {
            guard let isolation = NetworkPolicy.Isolation(rawValue: word) else {
                throw invocation.misuse("'\(word)' for --isolation is none of on, off, strict")
            }
            policy.isolation = isolation
        }
        return policy
    }
}
