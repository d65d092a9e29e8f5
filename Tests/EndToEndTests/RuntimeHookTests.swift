import Foundation
import TestSupport
import Testing

@Suite("swrun: hooks, at the points of a container's life")
struct RuntimeHookTests {
    /// A document whose hooks write what they are told, and where they are, to `/run/KIND` or, inside, `/KIND`.
    private static let all = """
        .hooks = (["prestart", "createRuntime", "createContainer", "poststart", "poststop"] | map({key: ., value: [
            {path: "/bin/sh", args: ["sh", "-c", ("cat >/run/" + . + "; echo $A >>/run/order; echo " + . + " >>/run/order; readlink /proc/self/ns/mnt >/run/" + . + ".ns"), "x"],
             env: ["PATH=/bin:/usr/bin", "A=b"]}]}) | from_entries)
        | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "cat >/startContainer; id -u >>/who"]}]
        | .process.user = {uid: 0, gid: 0} | .annotations = {"a": "b"}
        """

    @Test func `each kind runs at its time, in its place, and is told the state`() async throws {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(host, "cp /startContainer /seen; exec sleep 1000", Self.all)
            try await bundle.must("create", "--bundle", "/run/bundle", "box")
            let pid = try #require(try await bundle.state()["pid"].integer)
            for kind in ["prestart", "createRuntime", "createContainer"] {
                let state = try JSONValue(try await host.must(["cat", "/run/\(kind)"]))
                let status = kind == "prestart" ? "created" : "creating"
                #expect(state["id"].text == "box" && state["status"].text == status, "\(kind): \(state)")
                #expect(state["pid"].integer == pid && state["bundle"].text == "/run/bundle", "\(kind): \(state)")
                #expect(state["annotations"]["a"].text == "b")
            }
            let host1 = try await host.must(["readlink", "/proc/self/ns/mnt"])
            let inside = try await host.must(["readlink", "/proc/\(pid)/ns/mnt"])
            #expect(try await host.must(["cat", "/run/createRuntime.ns"]) == host1)
            #expect(try await host.must(["cat", "/run/createContainer.ns"]) == inside)
            #expect(
                try await host.shell("test -e /run/poststart || test -e /run/bundle/rootfs/startContainer").status == 1)

            try await bundle.must("start", "box")
            #expect(try await eventually { try await host.shell("test -s /run/bundle/rootfs/seen").status == 0 })
            var state = try JSONValue(try await host.must(["cat", "/run/bundle/rootfs/seen"]))
            #expect(state["status"].text == "created" && state["pid"].integer == pid, "\(state)")
            state = try JSONValue(try await host.must(["cat", "/run/poststart"]))
            #expect(state["status"].text == "running" && state["pid"].integer == pid, "\(state)")

            try await bundle.must("delete", "--force", "box")
            state = try JSONValue(try await host.must(["cat", "/run/poststop"]))
            #expect(state["status"].text == "stopped", "\(state)")
            let order = try await host.must(["bash", "-c", "xargs </run/order"])
            #expect(order == "b prestart b createRuntime b createContainer b poststart b poststop")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a hook that fails before the start ends the container`() async throws {
        try await TestHost.with { host in
            for kind in ["prestart", "createRuntime", "createContainer"] {
                let change =
                    ".hooks.\(kind) = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"echo no luck >&2; exit 9\"]}]"
                    + " | .hooks.poststop = [{path: \"/bin/sh\", args: [\"sh\", \"-c\", \"cat >/run/after-\(kind)\"]}]"
                let bundle = try await RuntimeBundle(host, "sleep 1000", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                    names: "\(kind) hook #0", "/bin/sh", "exit status 9", "no luck")
                #expect(try await bundle.leftovers() == "")
                // It ends as other containers do.
                let state = try JSONValue(try await host.must(["cat", "/run/after-\(kind)"]))
                #expect(state["status"].text == "stopped" && state["id"].text == "box", "\(state)")
            }
            // Without hooks that have begun there was no container.
            let unmade = try await RuntimeBundle(
                host, "sleep 1000",
                """
                .process.args = ["no-such-command"]
                    | .hooks.poststop = [{path: "/bin/touch", args: ["touch", "/run/after-none"]}]
                """)
            #expect(try await unmade.swrun("create", "--bundle", "/run/bundle", "box").status == 1)
            #expect(try await host.shell("test -e /run/after-none").status == 1)
            let bundle = try await RuntimeBundle(
                host, "sleep 1000",
                """
                .hooks.startContainer = [{path: "/nowhere"}]
                    | .hooks.poststop = [{path: "/bin/touch", args: ["touch", "/run/after-start"]}]
                """)
            try await bundle.create()
            expectRefusal(
                try await bundle.swrun("start", "box"), status: 1, names: "startContainer hook #0", "/nowhere")
            expectRefusal(try await bundle.swrun("state", "box"), status: 1, names: "does not exist")
            #expect(try await host.shell("test -e /run/after-start").status == 0)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [true, false])
    func `a hook inside is filtered like the program, and starts although the filter forbids to start any`(
        noNewPrivileges: Bool
    ) async throws {
        try await TestHost.with { host in
            let filter = """
                .process.noNewPrivileges = \(noNewPrivileges)
                | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
                    {names: ["mkdir", "mkdirat"], action: "SCMP_ACT_KILL"},
                    {names: ["clone", "clone3", "fork", "vfork", "waitid", "poll", "ppoll"], action: "SCMP_ACT_ERRNO"}]}
                """
            let hook = #".hooks.startContainer = [{path: "/bin/busybox", args: ["mkdir", "/made"]}]"#
            let bundle = try await RuntimeBundle(host, "exec true", "\(filter) | \(hook)")
            let killed = try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            expectRefusal(killed, status: 1, names: "error running startContainer hook #0", "bad system call")
            #expect(try await host.shell("test -e /run/bundle/rootfs/made").status == 1)
            let allowed = #".hooks.startContainer = [{path: "/bin/busybox", args: ["touch", "/made"]}]"#
            let other = try await RuntimeBundle(host, "exec true", "\(filter) | \(allowed)")
            let result = try await other.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(result.status == 0 && result.errors.isEmpty, "\(result)")
            #expect(try await host.shell("test -e /run/bundle/rootfs/made").status == 0)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test(arguments: [true, false])
    func `a hook that fails after the start is the end of the container`(isDetached: Bool) async throws {
        try await TestHost.with { host in
            let change = """
                .hooks.poststart = [{path: "/bin/false"}, {path: "/bin/touch", args: ["touch", "/run/second"]}]
                | .hooks.poststop = [{path: "/bin/touch", args: ["touch", "/run/stopped"]}]
                """
            let bundle = try await RuntimeBundle(host, "sleep 1000", change)
            if isDetached { try await bundle.create() }
            let start =
                isDetached
                ? try await bundle.swrun("start", "box")
                : try await bundle.swrun("run", "--bundle", "/run/bundle", "box")
            #expect(
                start.status != 0 && start.errors.contains("error running poststart hook #0: /bin/false"), "\(start)")
            #expect(try await host.shell("test -e /run/stopped && ! test -e /run/second").status == 0)
            #expect(try await bundle.swrun("state", "box").status == 1)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a hook that fails after the end is only told about`() async throws {
        try await TestHost.with { host in
            let change = """
                .hooks.poststop = [{path: "/nowhere"}, {path: "/bin/touch", args: ["touch", "/run/second"]}]
                """
            let bundle = try await RuntimeBundle(host, "sleep 1000", change)
            try await bundle.create()
            let delete = try await bundle.swrun(
                "--log", "/run/log", "--log-format", "json", "delete", "--force", "box")
            #expect(delete.status == 0 && delete.errors == "", "\(delete)")
            let warning = try JSONValue(try await host.must(["cat", "/run/log"]))
            #expect(warning["level"].text == "warning", "\(warning)")
            #expect(warning["msg"].text?.contains("poststop hook #0: /nowhere") == true, "\(warning)")
            #expect(try await host.shell("test -e /run/second").status == 0)
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test
    func
        `begin in the bundle or the container's root in its place, and have the caller's environment, but not in there`()
        async throws
    {
        try await TestHost.with { host in
            let change = """
                .hooks.createRuntime = [{path: "/bin/sh", args: ["sh", "-c", "pwd >/run/where; echo $SECRET >/run/runtime"]}]
                | .hooks.createContainer = [{path: "/bin/sh", args: ["sh", "-c",
                    "pwd >>/run/where; readlink proc/self/ns/mnt >/run/mnt; test -c dev/null; env >/run/env"]}]
                | .hooks.startContainer = [{path: "/bin/sh", args: ["sh", "-c", "echo $SECRET $INSIDE >/hook"]}]
                | .process.env += ["INSIDE=yes"]
                """
            let bundle = try await RuntimeBundle(host, "true", change)
            let swrun = Products.path("swrun")
            let result = try await host.shell("cd /; SECRET=host \(swrun) run --bundle /run/bundle box")
            #expect(result.status == 0, "\(result)")
            #expect(try await host.must(["cat", "/run/where"]) == "/run/bundle\n/run/bundle/rootfs")
            #expect(try await host.must(["cat", "/run/runtime"]) == "host")
            #expect(try await host.must(["cat", "/run/mnt"]).hasPrefix("mnt:["))
            // Nothing of the host's environment in the container, nor of the container's in the host's programs: the rest is the
            // shell's own.
            let variables = try await host.must(["sed", "s/=.*//", "/run/env"]).split(separator: "\n").map(String.init)
            #expect(Set(variables).subtracting(["PWD", "OLDPWD", "SHLVL", "_"]) == [], "\(variables)")
            #expect(try await host.must(["cat", "/run/bundle/rootfs/hook"]) == "yes")
            #expect(
                try await host.must([
                    "sh", "-c", "ls /run/bundle/rootfs/proc; grep -c rootfs /proc/self/mountinfo || true",
                ]) == "0")
            #expect(try await bundle.leftovers() == "")
        }
    }

    @Test func `a hook that takes too long is killed, one that never reads or prints for ever harms nobody`()
        async throws
    {
        try await TestHost.with { host in
            var bundle = try await RuntimeBundle(
                host, "true", ".hooks.prestart = [{path: \"/bin/sleep\", args: [\"sleep\", \"1000\"], timeout: 1}]")
            expectRefusal(
                try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1,
                names: "prestart hook #0: /bin/sleep: timed out after 1 s")
            #expect(try await bundle.leftovers() == "")
            bundle = try await RuntimeBundle(
                host, "true",
                ".hooks.prestart = [{path: \"/usr/bin/head\", args: [\"head\", \"-c\", \"3000000\", \"/dev/zero\"]}]")
            try await bundle.must("run", "--bundle", "/run/bundle", "box")
            for (change, name) in [
                (".hooks.prestart = [{path: \"relative\"}]", "hooks.prestart[0].path"),
                (".hooks.poststop = [{path: \"/x\", timeout: -1}]", "hooks.poststop[0].timeout"),
            ] {
                bundle = try await RuntimeBundle(host, "true", change)
                expectRefusal(
                    try await bundle.swrun("create", "--bundle", "/run/bundle", "box"), status: 1, names: name)
            }
        }
    }

    @Test func `what hooks print goes to the files of crun's annotations, and a poststop hook that fails is told`()
        async throws
    {
        try await TestHost.with { host in
            let bundle = try await RuntimeBundle(
                host, "true",
                """
                .annotations = {"run.oci.hooks.stdout": "/run/hook.out", "run.oci.hooks.stderr": "/run/hook.err"}
                | .hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "echo said; echo complained >&2"]}]
                | .hooks.createContainer = .hooks.prestart | .hooks.poststop = [{path: "/bin/false"}]
                """)
            let result = try await bundle.swrun("run", "--bundle", RuntimeBundle.folder, "box")
            #expect(result.status == 0 && result.errors.contains("poststop hook failed with exit code 1"), "\(result)")
            #expect(try await host.must(["cat", "/run/hook.out"]) == "said\nsaid")
            #expect(try await host.must(["cat", "/run/hook.err"]) == "complained\ncomplained")
            let broken = try await RuntimeBundle(
                host, "true",
                """
                .annotations = {"run.oci.hooks.stdout": "/nowhere/out"} | .hooks.prestart = [{path: "/bin/true"}]
                """)
            expectRefusal(
                try await broken.swrun("run", "--bundle", RuntimeBundle.folder, "box"), status: 1,
                names: "prestart hook #0", "/nowhere/out")
            #expect(try await bundle.leftovers() == "")
        }
    }
}
