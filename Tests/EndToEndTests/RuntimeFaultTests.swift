import Foundation
import TestSupport
import Testing

/// Every system call of `swrun run` is made to fail, and made the last of its process; strace does it, the program knows
/// nothing of it.
@Suite("swrun: every system call fails, and every system call is the last")
struct RuntimeFaultTests {
    /// Of `SWNET_FAULTS=K/N`, K and N: only the K-th of each N faults, for a machine on which all of them take hours.
    static let part: [String] = {
        let text = ProcessInfo.processInfo.environment["SWNET_FAULTS"] ?? ""
        let words = text.split(separator: "/").compactMap { Int($0) }
        return words.count == 2 && (1...max(words[1], 1)).contains(words[0]) ? words.map { "\($0)" } : ["1", "1"]
    }()

    /// Whether the fault at the NUMBER-th call of the one in line LINE belongs to the part. All are counted.
    private static let mine = """
        seen=0
        mine() { seen=$((seen + 1)); [ $((($1 * 13 + $2) % parts)) = $((part % parts)) ]; }

        """

    /// Runs the container once for each call that a process of it makes, with a fault in that call, and prints what is
    /// wrong afterwards. What says that it failed may leave its state, and `delete --force` takes it away.
    ///
    /// Not among them is what belongs to the loader, to memory and to the end of a process.
    private static let script = #"""
        set -u
        swrun=$1 fault=$2 part=$3 parts=$4
        cd /run/bundle
        groups() { find /sys/fs/cgroup -path '*/faults/*' -type d; }
        others() { ps -e -o pid,stat,comm --no-headers | grep -vE ' Z| (bash|cat|ps|grep|find|strace)( |$)'; }
        "$swrun" run box || exit
        strace -f -qq -o /run/trace "$swrun" run box
        mounts=$(wc -l </proc/self/mountinfo) before=$(groups; others)
        # CALL and how often one process makes it.
        awk '{ split($2, words, "("); count[$1 " " words[1]]++ }
            END { for (key in count) { split(key, words, " ")
                if (count[key] > most[words[2]]) most[words[2]] = count[key] }
                for (call in most) print call, most[call] }' /run/trace | grep -E '^[a-z0-9_]+ [0-9]+$' | grep -vE \
            '^(execve|exit|exit_group|mmap|mprotect|munmap|brk|newfstatat|pread64|arch_prctl|set_tid_address|set_robust_list|rseq|futex|getrandom|rt_sigreturn) ' |
            sort | nl >/run/calls
        while read -r line call count; do
            # One that fails has closed the file none the less (close(2)), which strace does not do.
            case $fault:$call in error=*:close) continue ;; esac
            for number in $(seq $((count < 40 ? count : 40))); do
                mine "$line" "$number" || continue
                timeout -s KILL 120 strace -f -qq -o /dev/null -e trace="$call" -e inject="$call:$fault:when=$number" \
                    "$swrun" run box </dev/null >/run/out 2>/run/err
                status=$?
                grep -q 'while loading shared libraries' /run/err && continue
                wrong=''
                case $fault:$status in
                    error=*:0 | signal=KILL:0 | signal=KILL:137) ;;
                    # Also because a child was killed.
                    signal=KILL:1 | error=*:1 | error=*:125 | error=*:126 | error=*:127)
                        [ "$(wc -l </run/err)" = 1 ] || wrong='not one line' ;;
                    *) wrong="status $status" ;;
                esac
                if [ -e /run/swrun/box ]; then
                    [ "$status" != 0 ] || wrong+=', a state'
                    "$swrun" delete --force box 2>>/run/err || wrong+=', not deleted'
                fi
                [ ! -e /run/swrun/box ] || wrong+=', still a state'
                for wait in $(seq 50); do [ "$(groups; others)" = "$before" ] && break; sleep 0.1; done
                [ "$(groups; others)" = "$before" ] || wrong+=", left: $(groups; others)"
                [ "$(wc -l </proc/self/mountinfo)" = "$mounts" ] || wrong+=', mounts'
                [ -z "$wrong" ] || echo "$call $number: $wrong: $(head -c 500 /run/err)"
            done
        done </run/calls
        [ "$seen" -gt 150 ] || echo "few faults: $seen"
        """#

    @Test(arguments: ["error=EIO", "error=ENOMEM", "signal=KILL"])
    func `nothing hangs, nothing traps, nothing is left`(fault: String) async throws {
        try await TestHost.with { host in
            _ = try await RuntimeBundle(
                host, "true",
                """
                .process.args = ["true"] | .linux.cgroupsPath = "/faults/box"
                    | .linux.resources.memory.limit = 100000000
                """)
            let result = try await host.run(
                ["bash", "-c", Self.mine + Self.script, "faults", Products.path("swrun"), fault] + Self.part,
                timeout: 1800)
            #expect(result.output == "" && result.status == 0, "\(result)")
            try await host.shell("find /sys/fs/cgroup -depth -path '*/faults' -type d -exec rmdir {} +")
        }
    }

    /// Kills `run` at each call that makes, mounts or enters something, and lets each such call of `delete` fail or be the
    /// last; a further `delete` takes away what is left. What is wrong afterwards, in this mount namespace and in the
    /// onlooker's, is printed.
    private static let mounting = #"""
        set -u
        swrun=$1 onlooker=$2 part=$3 parts=$4
        cd /run/bundle
        mounts() { cat /proc/self/mountinfo "/proc/$onlooker/mountinfo"; }
        before=$(mounts)
        # CALL and how often one process makes it.
        calls() {
            strace -f -qq -o /run/trace "$swrun" "$@" </dev/null >/run/out 2>&1 || cat /run/out
            awk '{ split($2, words, "("); count[$1 " " words[1]]++ }
                END { for (key in count) { split(key, words, " ")
                    if (count[key] > most[words[2]]) most[words[2]] = count[key] }
                    for (call in most) print call, most[call] < 12 ? most[call] : 12 }' /run/trace | grep -E \
                '^(clone3|unshare|setns|chroot|open_tree|move_mount|mount|mount_setattr|fsmount|umount2|openat2|mkdirat|unlinkat|symlinkat|mknodat|renameat|flock|sendmsg|sendto|recvmsg|recvfrom) ' | sort | nl
        }
        faulty() {
            timeout -s KILL 60 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:$2:when=$3" \
                "$swrun" "${@:4}" </dev/null >/run/out 2>&1
        }
        finish() {
            for wait in $(seq 50); do "$swrun" delete --force box 2>/run/err && break; sleep 0.1; done
            [ ! -e /run/swrun/box ] || echo "$*: a state: $(cat /run/err)"
            [ "$(mounts)" = "$before" ] || { echo "$*: mounts: $(mounts | diff - <(echo "$before"))"; before=$(mounts); }
        }
        while read -r line call count; do
            for number in $(seq "$count"); do
                mine "$line" "$number" || continue
                faulty "$call" signal=KILL "$number" run box
                finish "run, $call $number"
            done
        done < <(calls run box)
        jq '.process.args = ["sleep", "1000"]' config.json >new && mv new config.json
        "$swrun" create box </dev/null >/run/out 2>&1
        calls delete --force box >/run/calls
        while read -r line call count; do
            for number in $(seq "$count"); do
                for fault in signal=KILL error=EIO; do
                    mine "$line" "$number" || continue
                    "$swrun" create box </dev/null >/run/out 2>&1 || cat /run/out
                    faulty "$call" "$fault" "$number" delete --force box && [ "$(mounts)" != "$before" ] &&
                        echo "delete, $call $number $fault: says that all is well"
                    finish "delete, $call $number $fault"
                done
            done
        done </run/calls
        [ "$seen" -gt 60 ] || echo "few faults: $seen"
        """#

    @Test(arguments: [true, false])
    func `nothing stays mounted in a mount namespace of others`(isNamed: Bool) async throws {
        try await TestHost.with { host in
            let pid = try await host.must([
                "bash", "-c",
                """
                unshare -m --propagation \(isNamed ? "private" : "slave") sleep 1000 </dev/null >/dev/null 2>&1 &
                until [ "$(cat /proc/$!/comm)" = sleep ]; do :; done; echo $!
                """,
            ])
            let path = isNamed ? "[{type: \"mount\", path: \"/proc/\(pid)/ns/mnt\"}]" : "[]"
            _ = try await RuntimeBundle(
                host, "true",
                ".process.args = [\"true\"] | .linux.namespaces |= map(select(.type != \"mount\")) + \(path)")
            let result = try await host.run(
                ["bash", "-c", Self.mine + Self.mounting, "faults", Products.path("swrun"), pid] + Self.part,
                timeout: 900)
            #expect(result.output == "" && result.status == 0, "\(result)")
            try await host.must(["kill", pid])
        }
    }

    /// The same for what is done with a container that is there. A `start` that says all is well has started it, and an
    /// `exec` leaves it as it was, whatever becomes of itself. (What `create` calls, `run` does.)
    private static let verbs = #"""
        set -u
        swrun=$1 fault=$2 part=$3 parts=$4
        cd /run/bundle
        groups() { find /sys/fs/cgroup -path '*/faults/*' -type d; }
        others() { ps -e -o pid,stat,comm --no-headers | grep -vE ' Z| (bash|cat|ps|grep|find|strace)( |$)'; }
        state() { "$swrun" state box 2>/dev/null | jq -r .status; }
        delete() { "$swrun" delete --force box </dev/null 2>>/run/err || echo "$*: not deleted: $(cat /run/err)"; }
        calls() {
            strace -f -qq -o /run/trace "$swrun" "$@" </dev/null >/run/out 2>&1 || cat /run/out
            awk '{ split($2, words, "("); count[$1 " " words[1]]++ }
                END { for (key in count) { split(key, words, " ")
                    if (count[key] > most[words[2]]) most[words[2]] = count[key] }
                    for (call in most) print call, most[call] < 12 ? most[call] : 12 }' /run/trace |
                grep -E '^[a-z0-9_]+ [0-9]+$' | grep -vE \
            '^(execve|exit|exit_group|mmap|mprotect|munmap|brk|newfstatat|pread64|arch_prctl|set_tid_address|set_robust_list|rseq|futex|getrandom|rt_sigreturn) ' |
                sort | nl
        }
        faulty() {
            timeout -s KILL 60 strace -f -qq -o /dev/null -e trace="$1" -e inject="$1:$fault:when=$2" \
                "$swrun" "${@:3}" </dev/null >/run/out 2>/run/err
        }
        ended() {
            [ "$status" -lt 124 ] || [ "$status" -gt 124 -a "$status" -lt 128 ] || [ "$status" = 255 ] ||
                [ "$fault/$status" = signal=KILL/137 ] && return
            # Who cannot come back from a namespace must do nothing more (Namespace.enter).
            case "$fault/$*/$status" in error=*/*", setns "*/134) ;; *) echo "$*: status $status" ;; esac
        }
        settled() {
            for wait in $(seq 50); do [ "$(groups; others)" = "$before" ] && return; sleep 0.1; done
            echo "$*: left: $( (groups; others) | diff - <(echo "$before"))"
        }
        each() {
            while read -r line call count; do
                case $fault:$call in error=*:close) continue ;; esac
                for number in $(seq "$count"); do mine "$line" "$number" && "$1" "$call" "$number"; done
            done
        }
        start() {
            "$swrun" create box </dev/null >/run/out 2>&1 || cat /run/out
            faulty "$1" "$2" start box
            status=$?
            ended "start, $1 $2"
            [ "$status" != 0 ] || [ "$(state)" != created ] || echo "start, $1 $2: says that all is well"
            delete "start, $1 $2"
            settled "start, $1 $2"
        }
        run() {
            faulty "$1" "$2" exec box true
            status=$?
            ended "exec, $1 $2"
            [ "$(state)" = running ] || echo "exec, $1 $2: the container is $(state)"
            settled "exec, $1 $2"
        }
        before=$(groups; others)
        "$swrun" create box </dev/null >/run/out 2>&1 || cat /run/out
        calls start box >/run/calls.start
        delete first
        each start </run/calls.start
        jq '.process.args = ["sleep", "1000"]' config.json >new && mv new config.json
        "$swrun" run -d box </dev/null >/run/out 2>&1 || cat /run/out
        before=$(groups; others)
        calls exec box true >/run/calls.exec
        each run </run/calls.exec
        delete last
        [ "$seen" -gt 100 ] || echo "few faults: $seen"
        """#

    @Test(arguments: ["error=EIO", "signal=KILL"])
    func `start and exec, too`(fault: String) async throws {
        try await TestHost.with { host in
            _ = try await RuntimeBundle(
                host, "true", ".process.args = [\"true\"] | .linux.cgroupsPath = \"/faults/box\"")
            let result = try await host.run(
                ["bash", "-c", Self.mine + Self.verbs, "faults", Products.path("swrun"), fault] + Self.part,
                timeout: 1800)
            #expect(result.output == "" && result.status == 0, "\(result)")
            try await host.shell("find /sys/fs/cgroup -depth -path '*/faults' -type d -exec rmdir {} +")
        }
    }
}
