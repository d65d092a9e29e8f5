import Foundation
import TestSupport
import Testing

/// Every system call of `swrun run` is made to fail, and made the last of its process; strace does it, the program knows
/// nothing of it.
@Suite("swrun: every system call fails, and every system call is the last")
struct RuntimeFaultTests {
    /// Runs the container once for each call that a process of it makes, with a fault in that call, and prints what is
    /// wrong afterwards. What says that it failed may leave its state, and `delete --force` takes it away.
    ///
    /// Not among them is what belongs to the loader, to memory and to the end of a process.
    private static let script = #"""
        set -u
        swrun=$1 fault=$2
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
            '^(execve|exit|exit_group|mmap|mprotect|munmap|brk|newfstatat|pread64|arch_prctl|set_tid_address|set_robust_list|rseq|futex|getrandom|rt_sigreturn) ' \
            >/run/calls
        while read -r call count; do
            # One that fails has closed the file none the less (close(2)), which strace does not do.
            case $fault:$call in error=*:close) continue ;; esac
            for number in $(seq $((count < 40 ? count : 40))); do
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
                echo "$call $number" >>/run/tried
            done
        done </run/calls
        [ "$(wc -l </run/tried)" -gt 150 ] || echo "few faults: $(wc -l </run/tried)"
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
                ["bash", "-c", Self.script, "faults", Products.path("swrun"), fault], timeout: 1800)
            #expect(result.output == "" && result.status == 0, "\(result)")
            try await host.shell("find /sys/fs/cgroup -depth -path '*/faults' -type d -exec rmdir {} +")
        }
    }
}
