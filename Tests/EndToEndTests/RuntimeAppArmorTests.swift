import Foundation
import TestSupport
import Testing

private let isEnforced =
    (try? String(contentsOfFile: "/sys/module/apparmor/parameters/enabled", encoding: .utf8))?.first == "Y"

/// Profiles are the whole machine's, so that each test has one of its own name.
@Suite(
    "swrun: profiles of AppArmor", .enabled(if: isEnforced, "this kernel has no AppArmor switched on"),
    .enabled(if: Products.has("apparmor_parser"), "apparmor_parser is not installed (package apparmor)"))
struct RuntimeAppArmorTests {
    /// Loads a profile that allows everything but to read /etc/secret, and unloads it after the test.
    private func withProfile(_ host: TestHost, _ body: (String) async throws -> Void) async throws {
        let name = "swnet-test-\(UInt32.random(in: 0 ... .max))"
        try await host.must([
            "bash", "-ec",
            """
            mount -t securityfs securityfs /sys/kernel/security
            echo 'profile \(name) flags=(attach_disconnected, mediate_deleted) {
                file, capability, network, signal, ptrace, unix, mount, umount, pivot_root,
                deny /etc/secret rwklx,
            }' >/run/profile
            apparmor_parser --replace --skip-cache /run/profile
            """,
        ])
        let unload = ["sh", "-c", "apparmor_parser --remove /run/profile; umount /sys/kernel/security"]
        do {
            try await body(name)
        } catch {
            _ = try? await host.run(unload)
            throw error
        }
        try await host.must(unload)
    }

    /// What a program in the container is, may and may not.
    private static let look = "cat /proc/self/attr/current; cat /etc/secret; cat /etc/open"

    private func bundle(_ host: TestHost, _ change: String, _ command: String = look) async throws -> RuntimeBundle {
        let bundle = try await RuntimeBundle(host, command, change)
        try await host.must(["sh", "-c", "cd /run/bundle/rootfs/etc; echo secret >secret; echo open >open"])
        return bundle
    }

    @Test(arguments: [true, false]) func `the program is confined, and whatever is executed beside it`(
        noNewPrivileges: Bool
    ) async throws {
        try await TestHost.with { host in
            try await withProfile(host) { name in
                let change = ".process.apparmorProfile = \"\(name)\" | .process.noNewPrivileges = \(noNewPrivileges)"
                let result = try await bundle(host, change).swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.lines == ["\(name) (enforce)", "open"], "\(result)")
                #expect(result.errors.contains("/etc/secret"), "\(result)")

                let waiting = try await bundle(host, change, "exec sleep 1000")
                try await waiting.create()
                try await waiting.must("start", "box")
                let inherited = try await waiting.swrun("exec", "box", "sh", "-c", Self.look)
                #expect(inherited.lines == ["\(name) (enforce)", "open"], "\(inherited)")
                let other = try await waiting.swrun("exec", "--apparmor", "unconfined", "box", "sh", "-c", Self.look)
                #expect(other.lines == ["unconfined", "secret", "open"], "\(other)")
                expectRefusal(
                    try await waiting.swrun("exec", "--apparmor", "nosuchprofile", "box", "true"), status: nil,
                    names: "process.apparmorProfile", "nosuchprofile")
                try await waiting.must("delete", "--force", "box")
                #expect(try await waiting.leftovers() == "")
            }
        }
    }

    @Test func `one that is not loaded is told at once, and the container's hooks are confined too`() async throws {
        try await TestHost.with { host in
            try await withProfile(host) { name in
                let wrong = try await bundle(host, #".process.apparmorProfile = "nosuchprofile""#)
                expectRefusal(
                    try await wrong.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                    names: "process.apparmorProfile", "nosuchprofile", "loaded")
                #expect(try await wrong.leftovers() == "")

                let hook = #"[{path: "/bin/sh", args: ["sh", "-c", "cat /proc/self/attr/current >/tmp/hook"]}]"#
                let change = ".process.apparmorProfile = \"\(name)\" | .hooks.startContainer = \(hook)"
                let hooked = try await bundle(host, change, "cat /tmp/hook")
                let result = try await hooked.swrun("run", "--bundle", "/run/bundle", "box")
                #expect(result.lines == ["\(name) (enforce)"], "\(result)")
            }
        }
    }

    @Test func `a container without a profile gets one by exec`() async throws {
        try await TestHost.with { host in
            try await withProfile(host) { name in
                let waiting = try await bundle(host, ".", "exec sleep 1000")
                try await waiting.create()
                try await waiting.must("start", "box")
                let own = try await waiting.swrun("exec", "box", "sh", "-c", Self.look)
                #expect(own.lines == ["unconfined", "secret", "open"], "\(own)")
                let confined = try await waiting.swrun("exec", "--apparmor", name, "box", "sh", "-c", Self.look)
                #expect(confined.lines == ["\(name) (enforce)", "open"], "\(confined)")
                try await waiting.must("delete", "--force", "box")
            }
        }
    }

    @Test func `an ordinary user's container is confined by its document`() async throws {
        try await RootlessBundle.withHost { host in
            try await withProfile(host) { name in
                let bundle = try await RootlessBundle(
                    host, "cat /proc/self/attr/current", ".process.apparmorProfile = \"\(name)\"")
                let result = try await bundle.swrun("run", "--bundle", RootlessBundle.folder, "box")
                #expect(result.lines == ["\(name) (enforce)"], "\(result)")
            }
        }
    }
}
