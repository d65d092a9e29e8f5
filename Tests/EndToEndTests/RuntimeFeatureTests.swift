import Foundation
import JSONCoding
import TestSupport
import Testing

/// What `features` says is what documents may say.
@Suite("swrun: features")
struct RuntimeFeatureTests {
    private func accept(
        _ trial: DocumentTrial, _ names: [String], besides: String, _ change: (String) throws -> JSONCoding.JSONValue
    ) async throws {
        #expect(names.count > 3)
        let documents = try (names + [besides]).map(change)
        for (name, result) in zip(names + [besides], try await trial.create(documents)) {
            #expect((result.status == 0) == (name != besides), "\(name): \(result)")
        }
    }

    private func value(_ text: String) throws -> JSONCoding.JSONValue {
        try JSONCoding.JSONValue(parsing: Array(text.utf8))
    }

    @Test func `every name of a filter is taken, and no other`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let seccomp = try TestSupport.JSONValue(try await host.must([Products.path("swrun"), "features"]))["linux"][
                "seccomp"]
            func names(_ member: String) -> [String] { seccomp[member].items.compactMap(\.text) }
            func with(_ text: String) throws -> JSONCoding.JSONValue {
                trial.document.replacing(DocumentPlace("linux.seccomp"), by: try value(text))
            }
            try await accept(trial, names("archs"), besides: "SCMP_ARCH_VAX") {
                try with(#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["\#($0)"]}"#)
            }
            // Those that libseccomp does not have are refused as well, by the member.
            let all = [
                "SCMP_ARCH_LOONGARCH64", "SCMP_ARCH_M68K", "SCMP_ARCH_SH", "SCMP_ARCH_SHEB", "SCMP_ARCH_RISCV64",
            ]
            let others = all.filter { !names("archs").contains($0) }
            let documents = try others.map {
                try with(#"{"defaultAction":"SCMP_ACT_ALLOW","architectures":["\#($0)"]}"#)
            }
            for (name, result) in zip(others, try await trial.create(documents)) {
                result.expectRefusal(["linux.seccomp"], name)
            }
            try await accept(trial, names("actions"), besides: "SCMP_ACT_NONE") {
                try with(
                    #"{"defaultAction":"SCMP_ACT_ALLOW","listenerPath":"/run/none","syscalls":[{"names":["acct"],"action":"\#($0)"}]}"#
                )
            }
            try await accept(trial, names("operators"), besides: "SCMP_CMP_NONE") {
                try with(
                    #"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["acct"],"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":1,"op":"\#($0)"}]}]}"#
                )
            }
            try await accept(trial, names("supportedFlags"), besides: "SECCOMP_FILTER_FLAG_NONE") {
                try with(#"{"defaultAction":"SCMP_ACT_ALLOW","flags":["\#($0)"]}"#)
            }
            try await trial.expectNothingLeft()
        }
    }

    @Test func `every option of mounts and every capability is taken`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let features = try TestSupport.JSONValue(try await host.must([Products.path("swrun"), "features"]))
            let options = features["mountOptions"].items.compactMap(\.text)
            // config.md, "Linux mount options".
            let required = """
                async atime bind defaults dev diratime dirsync exec iversion lazytime loud mand noatime nodev nodiratime noexec \
                noiversion nolazytime nomand norelatime nostrictatime nosuid nosymfollow private ratime rbind rdev rdiratime \
                relatime remount rexec rnoatime rnodiratime rnoexec rnorelatime rnostrictatime rnosuid rnosymfollow ro \
                rprivate rrelatime rro rrw rshared rslave rstrictatime rsuid rsymfollow runbindable rw shared silent slave \
                strictatime suid symfollow sync tmpcopyup unbindable idmap ridmap copy-symlink src-nofollow dest-nofollow
                """
            #expect(Set(required.split(separator: " ").map(String.init)).subtracting(options) == [])
            try await host.withMappableFolder(at: "/run/data") {
                // An option of fstab's is nobody's here: what it asks for is not done.
                try await accept(trial, options, besides: "nofail") { option in
                    let maps =
                        #""uidMappings":[{"containerID":0,"hostID":0,"size":9}],"gidMappings":[{"containerID":0,"hostID":0,"size":9}]"#
                    let mount =
                        switch option {
                        case "copy-symlink", "src-nofollow", "dest-nofollow":
                            #"{"destination":"/x","source":"/tmp","options":["bind","\#(option)"]}"#
                        case "bind", "rbind": #"{"destination":"/x","source":"/tmp","options":["\#(option)"]}"#
                        case "idmap", "ridmap":
                            #"{"destination":"/x","source":"/run/data","options":["bind","\#(option)"],\#(maps)}"#
                        case "remount": #"{"destination":"/dev","options":["remount","nosuid"]}"#
                        default: #"{"destination":"/x","type":"tmpfs","source":"x","options":["\#(option)"]}"#
                        }
                    return trial.document.replacing(DocumentPlace("mounts[9]"), by: try value(mount))
                }
            }
            let capabilities = features["linux"]["capabilities"].items.compactMap(\.text)
            let all = JSONCoding.JSONValue.array(capabilities.map { .string($0) })
            let result = try await trial.create([
                trial.document.replacing(DocumentPlace("process.capabilities.bounding"), by: all)
            ])
            // What this machine does not have is not to be had.
            let mask = UInt64(
                try await host.must(["sed", "-n", "s/^CapBnd:\t//p", "/proc/self/status"]), radix: 16)
            let held = try #require(mask)
            let missing = capabilities.enumerated().filter { held & 1 << UInt64($0.offset) == 0 }.map(\.element)
            let list = missing.joined(separator: " ")
            let warning = "swrun: warning: ignoring unknown or unavailable capabilities: [\(list)]"
            #expect(result.first?.status == 0, "\(result)")
            #expect(result.first?.errors == (missing.isEmpty ? "" : warning), "\(result)")
            try await trial.expectNothingLeft()
        }
    }

    @Test func `every policy of memory is taken that the kernel knows`() async throws {
        try await TestHost.with { host in
            let trial = try await DocumentTrial(host)
            let features = try TestSupport.JSONValue(try await host.must([Products.path("swrun"), "features"]))
            let modes = features["linux"]["memoryPolicy"]["modes"].items.compactMap(\.text)
            func with(_ mode: String) throws -> JSONCoding.JSONValue {
                let nodes = ["MPOL_DEFAULT", "MPOL_LOCAL"].contains(mode) ? "" : "0"
                return trial.document.replacing(
                    DocumentPlace("linux.memoryPolicy"), by: try value(#"{"mode":"\#(mode)","nodes":"\#(nodes)"}"#))
            }
            // What is known is what the runtime knows (features.md); an older kernel still refuses it.
            let new = "MPOL_WEIGHTED_INTERLEAVE"
            let isKnown = ProcessInfo.processInfo.isOperatingSystemAtLeast(
                OperatingSystemVersion(majorVersion: 6, minorVersion: 9, patchVersion: 0))
            #expect(modes.contains(new))
            try await accept(trial, modes.filter { isKnown || $0 != new }, besides: "MPOL_NONE", with)
            if !isKnown {
                try await trial.create([with(new)]).first?.expectRefusal(["linux.memoryPolicy", new, "Linux 6.9"], new)
            }
            try await trial.expectNothingLeft()
        }
    }
}
