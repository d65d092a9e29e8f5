import Foundation
import ImageArchive
import ImageStore
import Testing

/// `import --change`, in the words of a Dockerfile.
@Suite(.enabled(if: isRoot, needsRoot)) struct ConfigChangeTests {
    private func config(_ changes: [String]) throws -> ImageConfig {
        let fixture = try ArchiveFixture()
        var tar = TarBuilder()
        tar.add("file")
        try fixture.unpack(tar.finished, changes: changes)
        return try #require(try fixture.store.image("test")).config
    }

    @Test func changesAreApplied() throws {
        let config = try config([
            #"ENTRYPOINT ["/init", "a b"]"#, "cmd echo hello && exit", "ENV A=b PATH=/bin",
            #"ENV B="x y" C='$z' D=a\ b"#,
            "ENV OLD some text", "ENV A=c", "WORKDIR /srv", "WORKDIR data/../x", "USER redis:redis",
            "EXPOSE 6379 53/udp 8000-8002/tcp", #"VOLUME ["/data", "/more"]"#, "VOLUME /third /fourth",
            #"LABEL a=1 "b c"="d e""#, "STOPSIGNAL SIGQUIT",
        ])
        #expect(config.entrypoint == ["/init", "a b"])
        #expect(config.command == ["/bin/sh", "-c", "echo hello && exit"])
        #expect(config.environment == ["PATH=/bin", "B=x y", "C=$z", "D=a b", "OLD=some text", "A=c"])
        #expect(config.workingDirectory == "/srv/x")
        #expect(config.user == "redis:redis")
        #expect(config.exposedPorts == ["53/udp", "6379/tcp", "8000/tcp", "8001/tcp", "8002/tcp"])
        #expect(config.volumes == ["/data", "/fourth", "/more", "/third"])
        #expect(config.labels == ["a": "1", "b c": "d e"])
        #expect(config.stopSignal == "SIGQUIT")
    }

    @Test(arguments: [
        ("RUN echo", "unknown instruction RUN"), ("", "needs an argument"), ("CMD", "CMD needs an argument"),
        ("ENV A", "needs NAME=value"), ("ENV A=b c", "'c' is not NAME=value"), ("ENV =b", "is not NAME=value"),
        ("EXPOSE 0", "is not PORT"), ("EXPOSE 70000", "is not PORT"), ("EXPOSE 80/icmp", "is not PORT"),
        ("EXPOSE 9-8", "is not PORT"), ("LABEL \"a=b", "quote is not closed"), ("ENV A=b\\", "ends with a backslash"),
    ])
    func badChangesAreExplained(change: String, reason: String) throws {
        let error = #expect(throws: ImageArchiveError.self) { try self.config([change]) }
        #expect(error?.description.hasPrefix("change '\(change)': ") == true)
        #expect(error?.description.contains(reason) == true, "\(String(describing: error))")
    }
}
