// The kernel's own headers, and the system calls for which glibc has no wrapper.
//
// This target holds no logic: Swift cannot import function-like macros, variadic functions or anonymous unions,
// and what is here is only what it therefore cannot say itself. Every function returns what the system call
// returns, or a negative errno where it says so; nothing here allocates, so all of it may run in a cloned child.

#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <math.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <regex.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <unistd.h>

#include <linux/audit.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/fib_rules.h>
#include <linux/filter.h>
#include <linux/gen_stats.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/inet_diag.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/landlock.h>
#include <linux/keyctl.h>
#include <linux/loop.h>
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/neighbour.h>
#include <linux/net_namespace.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/netfilter_ipv6/ip6_tables.h>
#include <linux/netlink.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <linux/sock_diag.h>
#include <linux/tc_act/tc_gact.h>
#include <linux/tc_act/tc_mirred.h>
#include <linux/veth.h>

// Constants newer than the headers of the oldest distribution that we build on (Linux 6.1).
#ifndef PIDFD_GET_NET_NAMESPACE
#define PIDFD_GET_NET_NAMESPACE _IO(0xFF, 4)
#endif

// MARK: Files

/// `openat2(2)`, tried again (128 times at most) when the kernel could not be sure of a `..` or was interrupted.
/// Returns a descriptor, or -1 with `errno`.
int swn_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
/// `renameat2(2)`.
int swn_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);
/// `close(2)`, or nothing while descriptors are left open.
void swn_close(int descriptor);
/// In a process that is about to end or to execute a program, which closes all of them at once: whether `swn_close` does
/// nothing.
void swn_leave_descriptors_open(int leaves);
/// `close_range(2)`.
int swn_close_range(unsigned int first, unsigned int last, unsigned int flags);
/// `open(2)` with a mode, which is variadic in C.
int swn_openat(int directory, const char *path, int flags, mode_t mode);
/// `fcntl(2)` with an integer argument.
int swn_fcntl(int descriptor, int command, int argument);
/// `ioctl(2)` with an integer argument.
int swn_ioctl(int descriptor, unsigned long request, unsigned long argument);
/// `ioctl(2)` with a pointer argument.
int swn_ioctl_pointer(int descriptor, unsigned long request, void *argument);
/// `ioctl(2)` `NS_GET_NSTYPE` of nsfs: the `CLONE_NEW*` flag of an open namespace's kind.
int swn_namespace_type(int descriptor);
/// `sendfile`-free copy of a whole file: `copy_file_range(2)`.
ssize_t swn_copy_file_range(int from, int to, size_t length);
/// `dev_t` from its numbers, and back: macros in C.
uint64_t swn_makedev(uint32_t major, uint32_t minor);
uint32_t swn_major(uint64_t device);
uint32_t swn_minor(uint64_t device);

// MARK: Mounts

int swn_fsopen(const char *file_system, unsigned int flags);
int swn_fsconfig(int context, unsigned int command, const char *key, const void *value, int auxiliary);
int swn_fsmount(int context, unsigned int flags, unsigned int attributes);
int swn_open_tree(int directory, const char *path, unsigned int flags);
int swn_move_mount(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags);
int swn_open_tree_attr(int directory, const char *path, unsigned int flags, struct mount_attr *attributes);
int swn_mount_setattr(int directory, const char *path, unsigned int flags, struct mount_attr *attributes);
/// Whether an open file is the root of a mount: 1 or 0, or -1 with errno. `statx(2)` of Linux 5.8.
int swn_is_mount(int descriptor);
int swn_pivot_root(const char *new_root, const char *put_old);
/// `mount(2)` and `umount2(2)`: glibc 2.36's <sys/mount.h> cannot be included next to <linux/mount.h>.
int swn_mount(const char *source, const char *target, const char *file_system, unsigned long flags, const void *data);
int swn_umount2(const char *target, int flags);

// MARK: Processes

/// `clone3(2)` as `fork` does it, with namespace flags, a pidfd and, when `cgroup` is not negative, the cgroup v2
/// directory to start in. Returns the child's process id in the parent, 0 in the child, -1 with `errno`.
///
/// The raw system call skips glibc's fork handlers, so the caller must be the only thread of its process.
pid_t swn_clone3(uint64_t flags, int exit_signal, int *pidfd, int cgroup);
int swn_pidfd_open(pid_t process, unsigned int flags);
int swn_pidfd_send_signal(int pidfd, int signal, unsigned int flags);
/// `waitid(P_PIDFD, …, WEXITED)`; fills the exit status as a shell reports it (0 to 255, 128+n for signal n).
/// Returns 1 when the process was reaped, 0 when `WNOHANG` found it running, -1 with `errno`.
int swn_pidfd_wait(int pidfd, int options, int *status);
int swn_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d);
int swn_capget(uint32_t effective[2], uint32_t permitted[2], uint32_t inheritable[2]);
int swn_capset(const uint32_t effective[2], const uint32_t permitted[2], const uint32_t inheritable[2]);
int swn_seccomp(unsigned int operation, unsigned int flags, void *argument);
/// The raw calls: glibc's versions signal every thread, which a cloned child does not have.
int swn_setgroups(size_t count, const gid_t *groups);
int swn_setresuid(uid_t real, uid_t effective, uid_t saved);
int swn_setresgid(gid_t real, gid_t effective, gid_t saved);
int swn_sethostname(const char *name, size_t length);
int swn_setdomainname(const char *name, size_t length);
/// The kernel's release (`uname -r`), ended by a zero byte; -1 with `errno`. `struct utsname` is not the same with and
/// without _GNU_SOURCE, so Swift cannot use it.
int swn_kernel_release(char *release, size_t size);
/// 1 when the process has a single thread: `unshare(CLONE_VM)` is refused with EINVAL otherwise.
int swn_is_single_threaded(void);
/// What `main` was given, with the program's own name first and a null pointer last.
char **swn_arguments(void);
/// Has `ps` and /proc/PID/cmdline show a title instead of what `main` was given, as far as there is room for it.
void swn_set_title(const char *title);
/// This process's environment, which is a global variable in C.
char **swn_environment(void);
/// `execveat(2)` with `AT_EMPTY_PATH` and friends.
int swn_execveat(int directory, const char *path, char *const arguments[], char *const environment[], int flags);
/// The version of the kernel's Landlock; -1 with `errno` when there is none (landlock_create_ruleset(2)).
int swn_landlock_version(void);
/// `landlock_create_ruleset(2)` with the rights and scopes to be handled; a descriptor, close-on-exec.
int swn_landlock_create(uint64_t files, uint64_t ports, uint64_t scopes);
/// `landlock_add_rule(2)` for an open path, or for a port of TCP.
int swn_landlock_allow_path(int ruleset, int path, uint64_t allowed);
int swn_landlock_allow_port(int ruleset, uint16_t port, uint64_t allowed);
/// `landlock_restrict_self(2)` of the calling thread.
int swn_landlock_restrict(int ruleset);
/// A file in memory that can be executed and sealed (`memfd_create`), close-on-exec.
int swn_executable_memory(const char *name);

/// Signals (bit n-1 is signal n) back to their default action and none blocked: what an exec alone leaves ignored or
/// blocked stays so.
void swn_reset_signals(uint64_t signals);
/// `keyctl(KEYCTL_JOIN_SESSION_KEYRING, NULL)`: a new anonymous session keyring.
int swn_join_session_keyring(void);
/// `prlimit(2)` of the calling process; its resource is an enumeration in C.
int swn_setrlimit(int resource, uint64_t soft, uint64_t hard);
/// `sched_setattr(2)` of the calling thread, with the fields of `struct sched_attr`.
int swn_sched_setattr(uint32_t policy, uint64_t flags, int32_t nice, uint32_t priority, uint64_t runtime,
                      uint64_t deadline, uint64_t period);
/// `sched_setaffinity(2)` and `set_mempolicy(2)` of the calling thread, with sets of `count` words.
int swn_sched_setaffinity(const uint64_t *processors, size_t count);
int swn_set_mempolicy(int mode, const uint64_t *nodes, size_t count);
/// `sched_setaffinity(2)` of the calling thread, with every processor that a kernel can have (NR_CPUS of its Kconfig).
int swn_use_every_processor(void);
/// `ioprio_set(2)` of the calling thread.
int swn_ioprio_set(int priority);
/// `_exit(2)`.
_Noreturn void swn_exit_now(int status);
/// Switches on a network interface of the calling thread's network namespace: `SIOCSIFFLAGS` with `IFF_UP`.
int swn_interface_up(const char *name);
/// `getcwd(2)` itself, which answers "(unreachable)…" for a directory outside of the root. Returns the length.
long swn_getcwd(uint8_t *buffer, size_t size);

// MARK: BPF

/// `bpf(BPF_PROG_LOAD)` of a program of a kind (`BPF_PROG_TYPE_*`): `count` instructions of 8 bytes. Returns a descriptor,
/// or -1 with `errno`. (`union bpf_attr` holds anonymous structures, which Swift cannot fill.)
int swn_bpf_load(uint32_t kind, const void *instructions, uint32_t count);
/// `bpf(BPF_PROG_ATTACH)` of a `BPF_PROG_TYPE_CGROUP_DEVICE` program to an open cgroup v2 directory, next to those of the
/// cgroups above it.
int swn_bpf_attach_device_program(int cgroup, int program);

// MARK: Descriptors over a socket

/// Sends `length` bytes and, when not negative, one descriptor (`SCM_RIGHTS`). Returns as `sendmsg(2)`.
ssize_t swn_send_descriptor(int socket, const void *bytes, size_t length, int descriptor);
/// Receives up to `length` bytes and at most one descriptor, close-on-exec; -1 in `*descriptor` when none came.
ssize_t swn_receive_descriptor(int socket, void *bytes, size_t length, int *descriptor);

/// A local socket of `type` (`SOCK_SEQPACKET`, `SOCK_STREAM`, `SOCK_DGRAM`), close-on-exec, listening at `path` or
/// connected to it, or to the abstract name that follows a leading `@`.
/// Returns a descriptor, or -1 with `errno`; ENAMETOOLONG for a path over 107 bytes.
int swn_unix_socket(int type, const char *path, int listening);
/// `accept4(2)`, close-on-exec.
int swn_accept(int listener);
/// A TCP socket that sends at once, notices within two minutes that the other end is gone, and tries `syn_retries` times to
/// connect. <netinet/tcp.h> cannot be included next to <linux/tcp.h>.
void swn_tcp_watch(int socket, int syn_retries);

// MARK: Netlink

/// `recvmsg(2)` of a netlink socket without waiting. Fills the sender's port and, of a socket that listens to every
/// namespace, the id of the one that the message is from; -1 for the socket's own. Returns the message's whole length, or
/// -1 with `errno`.
ssize_t swn_receive_netlink(int socket, void *bytes, size_t length, uint32_t *sender, int32_t *name_space);

// MARK: Probes

/// `connect(2)` to an address of 4 or 16 bytes. Returns 0, or -1 with `errno`.
int swn_connect_address(int socket, const uint8_t *address, size_t length, uint16_t port);
/// `getsockname(2)`: fills the address, of 4 or 16 bytes, and the port that a socket has. Returns the address's length, or
/// -1 with `errno`.
int swn_socket_address(int socket, uint8_t address[16], uint16_t *port);
/// The next error that a socket with `IP_RECVERR` or `IPV6_RECVERR` was told of: `recvmsg(MSG_ERRQUEUE)`. Fills
/// `SO_EE_ORIGIN_*`, the type and the code of the ICMP message, and who sent it. Returns the length of that address, which
/// is 0 where nobody did, or -1 with `errno`.
int swn_receive_error(int socket, uint8_t report[3], uint8_t address[16]);

// MARK: Macros in C

/// The calling thread's `errno`.
int swn_errno(void);
void swn_set_errno(int value);
/// A wait status as a shell reports it: 0 to 255, 128+n for signal n.
int swn_exit_code(int status);
