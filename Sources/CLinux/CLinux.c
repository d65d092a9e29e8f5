#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include "CLinux.h"

#include <linux/errqueue.h>
#include <netinet/tcp.h>

_Static_assert(sizeof(struct open_how) == 24, "struct open_how of linux/openat2.h");
_Static_assert(sizeof(struct mount_attr) == 32, "struct mount_attr of linux/mount.h");
_Static_assert(sizeof(struct clone_args) == 88, "struct clone_args of linux/sched.h");
_Static_assert(sizeof(struct ifinfomsg) == 16, "struct ifinfomsg of linux/rtnetlink.h");

int swn_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    int tries = 128, descriptor;
    // The kernel gives up on a `..` whenever anything was mounted or renamed meanwhile, anywhere on the machine.
    // Bounded, because a container that renames without end must not hold us for ever.
    do descriptor = (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
    while (descriptor < 0 && (errno == EINTR || errno == EAGAIN) && --tries > 0);
    return descriptor;
}

int swn_renameat2(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, flags);
}

int swn_close_range(unsigned int first, unsigned int last, unsigned int flags) {
    return (int)syscall(SYS_close_range, first, last, flags);
}

int swn_openat(int directory, const char *path, int flags, mode_t mode) { return openat(directory, path, flags, mode); }

int swn_fcntl(int descriptor, int command, int argument) { return fcntl(descriptor, command, argument); }

int swn_ioctl(int descriptor, unsigned long request, unsigned long argument) {
    return ioctl(descriptor, request, argument);
}

int swn_ioctl_pointer(int descriptor, unsigned long request, void *argument) {
    return ioctl(descriptor, request, argument);
}

static int leaves_descriptors_open;

void swn_leave_descriptors_open(int leaves) { leaves_descriptors_open = leaves; }

void swn_close(int descriptor) {
    // Not without end: the process may have but so many.
    if (!leaves_descriptors_open || descriptor >= 64) close(descriptor);
}

int swn_namespace_type(int descriptor) { return ioctl(descriptor, NS_GET_NSTYPE); }

ssize_t swn_copy_file_range(int from, int to, size_t length) {
    return copy_file_range(from, NULL, to, NULL, length, 0);
}

uint64_t swn_makedev(uint32_t major, uint32_t minor) { return makedev(major, minor); }
uint32_t swn_major(uint64_t device) { return major(device); }
uint32_t swn_minor(uint64_t device) { return minor(device); }

int swn_fsopen(const char *file_system, unsigned int flags) {
    return (int)syscall(SYS_fsopen, file_system, flags);
}

int swn_fsconfig(int context, unsigned int command, const char *key, const void *value, int auxiliary) {
    return (int)syscall(SYS_fsconfig, context, command, key, value, auxiliary);
}

int swn_fsmount(int context, unsigned int flags, unsigned int attributes) {
    return (int)syscall(SYS_fsmount, context, flags, attributes);
}

int swn_open_tree(int directory, const char *path, unsigned int flags) {
    return (int)syscall(SYS_open_tree, directory, path, flags);
}

int swn_move_mount(int from_directory, const char *from, int to_directory, const char *to, unsigned int flags) {
    return (int)syscall(SYS_move_mount, from_directory, from, to_directory, to, flags);
}

int swn_mount_setattr(int directory, const char *path, unsigned int flags, struct mount_attr *attributes) {
    return (int)syscall(SYS_mount_setattr, directory, path, flags, attributes, sizeof *attributes);
}

int swn_is_mount(int descriptor) {
    struct statx status;
    if (statx(descriptor, "", AT_EMPTY_PATH, 0, &status) != 0) return -1;
    return (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

// Linux 6.15; newer than the headers.
#ifndef SYS_open_tree_attr
#define SYS_open_tree_attr 467
#endif

int swn_open_tree_attr(int directory, const char *path, unsigned int flags, struct mount_attr *attributes) {
    // An older kernel is asked once.
    static _Atomic int is_missing;
    if (is_missing) {
        errno = ENOSYS;
        return -1;
    }
    int answer = (int)syscall(SYS_open_tree_attr, directory, path, flags, attributes, sizeof *attributes);
    if (answer < 0 && errno == ENOSYS) is_missing = 1;
    return answer;
}

int swn_pivot_root(const char *new_root, const char *put_old) {
    return (int)syscall(SYS_pivot_root, new_root, put_old);
}

int swn_mount(const char *source, const char *target, const char *file_system, unsigned long flags, const void *data) {
    return (int)syscall(SYS_mount, source, target, file_system, flags, data);
}

int swn_umount2(const char *target, int flags) { return (int)syscall(SYS_umount2, target, flags); }

pid_t swn_clone3(uint64_t flags, int exit_signal, int *pidfd, int cgroup) {
    struct clone_args arguments = {.flags = flags, .exit_signal = (uint64_t)exit_signal};
    if (pidfd) {
        arguments.flags |= CLONE_PIDFD;
        arguments.pidfd = (uint64_t)(uintptr_t)pidfd;
    }
    if (cgroup >= 0) {
        arguments.flags |= CLONE_INTO_CGROUP;
        arguments.cgroup = (uint64_t)cgroup;
    }
    return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

int swn_pidfd_open(pid_t process, unsigned int flags) { return (int)syscall(SYS_pidfd_open, process, flags); }

int swn_pidfd_send_signal(int pidfd, int signal, unsigned int flags) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, flags);
}

int swn_pidfd_wait(int pidfd, int options, int *status) {
    siginfo_t info = {0};
    int result;
    do {
        result = waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | options);
    } while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    *status = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    return 1;
}

int swn_prctl(int option, unsigned long a, unsigned long b, unsigned long c, unsigned long d) {
    return prctl(option, a, b, c, d);
}

int swn_capget(uint32_t effective[2], uint32_t permitted[2], uint32_t inheritable[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    int result = (int)syscall(SYS_capget, &header, data);
    if (result < 0) return result;
    for (int word = 0; word < 2; word++) {
        effective[word] = data[word].effective;
        permitted[word] = data[word].permitted;
        inheritable[word] = data[word].inheritable;
    }
    return 0;
}

int swn_capset(const uint32_t effective[2], const uint32_t permitted[2], const uint32_t inheritable[2]) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];
    for (int word = 0; word < 2; word++) {
        data[word].effective = effective[word];
        data[word].permitted = permitted[word];
        data[word].inheritable = inheritable[word];
    }
    return (int)syscall(SYS_capset, &header, data);
}

int swn_seccomp(unsigned int operation, unsigned int flags, void *argument) {
    return (int)syscall(SYS_seccomp, operation, flags, argument);
}

int swn_setgroups(size_t count, const gid_t *groups) { return (int)syscall(SYS_setgroups, count, groups); }

int swn_setresuid(uid_t real, uid_t effective, uid_t saved) {
    return (int)syscall(SYS_setresuid, real, effective, saved);
}

int swn_setresgid(gid_t real, gid_t effective, gid_t saved) {
    return (int)syscall(SYS_setresgid, real, effective, saved);
}

int swn_sethostname(const char *name, size_t length) { return (int)syscall(SYS_sethostname, name, length); }

int swn_setdomainname(const char *name, size_t length) { return (int)syscall(SYS_setdomainname, name, length); }

int swn_kernel_release(char *release, size_t size) {
    struct utsname name;
    if (uname(&name) < 0) return -1;
    snprintf(release, size, "%s", name.release);
    return 0;
}

int swn_is_single_threaded(void) { return syscall(SYS_unshare, CLONE_VM) == 0; }

char **swn_environment(void) { return environ; }

int swn_execveat(int directory, const char *path, char *const arguments[], char *const environment[], int flags) {
    return (int)syscall(SYS_execveat, directory, path, arguments, environment, flags);
}

void swn_reset_signals(uint64_t signals) {
    for (int number = 1; number < NSIG; number++)
        if (signals >> (number - 1) & 1) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

int swn_join_session_keyring(void) { return (int)syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); }

int swn_setrlimit(int resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(resource, &limit);
}

int swn_sched_setattr(uint32_t policy, uint64_t flags, int32_t nice, uint32_t priority, uint64_t runtime,
                      uint64_t deadline, uint64_t period) {
    // glibc has no name for it before 2.41; SCHED_ATTR_SIZE_VER0 of linux/sched/types.h.
    struct {
        uint32_t size, policy;
        uint64_t flags;
        int32_t nice;
        uint32_t priority;
        uint64_t runtime, deadline, period;
    } attributes = {48, policy, flags, nice, priority, runtime, deadline, period};
    _Static_assert(sizeof attributes == 48, "struct sched_attr of linux/sched/types.h");
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

int swn_sched_setaffinity(const uint64_t *processors, size_t count) {
    return (int)syscall(SYS_sched_setaffinity, 0, count * sizeof *processors, processors);
}

int swn_use_every_processor(void) {
    unsigned char all[8192 / 8];
    memset(all, 0xff, sizeof all);
    return (int)syscall(SYS_sched_setaffinity, 0, sizeof all, all);
}

int swn_set_mempolicy(int mode, const uint64_t *nodes, size_t count) {
    // The kernel takes the number of bits and one (mm/mempolicy.c, get_nodes).
    return (int)syscall(SYS_set_mempolicy, mode, count ? nodes : NULL, count ? count * 64 + 1 : 0);
}

int swn_ioprio_set(int priority) { return (int)syscall(SYS_ioprio_set, 1 /* IOPRIO_WHO_PROCESS */, 0, priority); }

int swn_landlock_version(void) { return (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1U /* _VERSION */); }

int swn_landlock_create(uint64_t files, uint64_t ports, uint64_t scopes) {
    // The structure of Linux 6.12; an older kernel takes it as long as what it does not know is 0.
    const struct {
        uint64_t files, ports, scopes;
    } attributes = {files, ports, scopes};
    return (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof attributes, 0);
}

int swn_landlock_allow_path(int ruleset, int path, uint64_t allowed) {
    struct landlock_path_beneath_attr rule = {.allowed_access = allowed, .parent_fd = path};
    return (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
}

int swn_landlock_allow_port(int ruleset, uint16_t port, uint64_t allowed) {
    // struct landlock_net_port_attr of Linux 6.7.
    const struct {
        uint64_t allowed, port;
    } rule = {allowed, port};
    return (int)syscall(SYS_landlock_add_rule, ruleset, 2 /* LANDLOCK_RULE_NET_PORT */, &rule, 0);
}

int swn_landlock_restrict(int ruleset) { return (int)syscall(SYS_landlock_restrict_self, ruleset, 0); }

int swn_executable_memory(const char *name) {
    // MFD_EXEC of Linux 6.3, which older ones refuse and do not need.
    int descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10U);
    if (descriptor < 0 && errno == EINVAL) descriptor = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return descriptor;
}

void swn_exit_now(int status) { _exit(status); }

int swn_interface_up(const char *name) {
    struct ifreq request = {0};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    request.ifr_flags = IFF_UP;
    int result = ioctl(descriptor, SIOCSIFFLAGS, &request);
    int error = errno;
    swn_close(descriptor);
    errno = error;
    return result;
}

long swn_getcwd(uint8_t *buffer, size_t size) { return syscall(SYS_getcwd, buffer, size); }

int swn_bpf_load(uint32_t kind, const void *instructions, uint32_t count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = kind;
    attributes.insns = (uint64_t)(uintptr_t)instructions;
    attributes.insn_cnt = count;
    attributes.license = (uint64_t)(uintptr_t)"Apache-2.0";
    return (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof attributes);
}

int swn_bpf_attach_device_program(int cgroup, int program) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = BPF_CGROUP_DEVICE;
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    return (int)syscall(SYS_bpf, BPF_PROG_ATTACH, &attributes, sizeof attributes);
}

ssize_t swn_send_descriptor(int socket, const void *bytes, size_t length, int descriptor) {
    struct iovec vector = {.iov_base = (void *)bytes, .iov_len = length};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &vector, .msg_iovlen = 1};
    if (descriptor >= 0) {
        memset(&control, 0, sizeof control);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
    }
    ssize_t sent;
    do {
        sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent;
}

ssize_t swn_receive_descriptor(int socket, void *bytes, size_t length, int *descriptor) {
    struct iovec vector = {.iov_base = bytes, .iov_len = length};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    *descriptor = -1;
    ssize_t received;
    do {
        received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    } while (received < 0 && errno == EINTR);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
            memcpy(descriptor, CMSG_DATA(header), sizeof *descriptor);
    }
    return received;
}

int swn_unix_socket(int type, const char *path, int listening) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    socklen_t length = sizeof address;
    if (!listening && path[0] == '@') {
        address.sun_path[0] = 0;
        length = offsetof(struct sockaddr_un, sun_path) + strlen(path);
    }
    int descriptor = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    int result = listening ? bind(descriptor, (struct sockaddr *)&address, length)
                           : connect(descriptor, (struct sockaddr *)&address, length);
    if (result == 0 && listening && type != SOCK_DGRAM) result = listen(descriptor, 8);
    if (result == 0) return descriptor;
    int error = errno;
    close(descriptor);
    errno = error;
    return -1;
}

int swn_accept(int listener) { return accept4(listener, NULL, NULL, SOCK_CLOEXEC); }

int swn_exit_code(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

int swn_errno(void) { return errno; }

void swn_set_errno(int value) { errno = value; }

int swn_connect_address(int socket, const uint8_t *address, size_t length, uint16_t port) {
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    if (length == sizeof v4.sin_addr) {
        memcpy(&v4.sin_addr, address, length);
        return connect(socket, (struct sockaddr *)&v4, sizeof v4);
    }
    if (length != sizeof v6.sin6_addr) {
        errno = EINVAL;
        return -1;
    }
    memcpy(&v6.sin6_addr, address, length);
    return connect(socket, (struct sockaddr *)&v6, sizeof v6);
}

/// Takes an address apart. Returns the length of its bytes, 0 for another family.
static int take_address(const struct sockaddr *name, uint8_t address[16], uint16_t *port) {
    if (name->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        memcpy(address, &v4->sin_addr, sizeof v4->sin_addr);
        *port = ntohs(v4->sin_port);
        return sizeof v4->sin_addr;
    }
    if (name->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)name;
        memcpy(address, &v6->sin6_addr, sizeof v6->sin6_addr);
        *port = ntohs(v6->sin6_port);
        return sizeof v6->sin6_addr;
    }
    return 0;
}

int swn_socket_address(int socket, uint8_t address[16], uint16_t *port) {
    struct sockaddr_storage name = {0};
    socklen_t length = sizeof name;
    if (getsockname(socket, (struct sockaddr *)&name, &length) < 0) return -1;
    return take_address((struct sockaddr *)&name, address, port);
}

int swn_receive_error(int socket, uint8_t report[3], uint8_t address[16]) {
    uint8_t payload[64];
    _Alignas(struct cmsghdr) uint8_t control[512];
    struct iovec vector = {.iov_base = payload, .iov_len = sizeof payload};
    struct msghdr message = {
        .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    if (recvmsg(socket, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        int is_v4 = part->cmsg_level == IPPROTO_IP && part->cmsg_type == IP_RECVERR;
        int is_v6 = part->cmsg_level == IPPROTO_IPV6 && part->cmsg_type == IPV6_RECVERR;
        if (!is_v4 && !is_v6) continue;
        // The kernel puts the sender's address behind the error.
        struct sock_extended_err error;
        struct sockaddr_in6 offender = {0};
        memcpy(&error, CMSG_DATA(part), sizeof error);
        size_t rest = part->cmsg_len - CMSG_LEN(sizeof error);
        memcpy(&offender, CMSG_DATA(part) + sizeof error, rest < sizeof offender ? rest : sizeof offender);
        report[0] = error.ee_origin;
        report[1] = error.ee_type;
        report[2] = error.ee_code;
        uint16_t port;
        return take_address((struct sockaddr *)&offender, address, &port);
    }
    errno = ENOMSG;
    return -1;
}

void swn_tcp_watch(int socket, int syn_retries) {
    const struct {
        int level, name, value;
    } options[] = {
        {IPPROTO_TCP, TCP_NODELAY, 1},       {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, 60},     {IPPROTO_TCP, TCP_KEEPINTVL, 15},
        {IPPROTO_TCP, TCP_KEEPCNT, 4},       {IPPROTO_TCP, TCP_USER_TIMEOUT, 120000},
        {IPPROTO_TCP, TCP_SYNCNT, syn_retries},
    };
    for (size_t index = 0; index < sizeof options / sizeof *options; index++)
        setsockopt(socket, options[index].level, options[index].name, &options[index].value, sizeof(int));
}

ssize_t swn_receive_netlink(int socket, void *bytes, size_t length, uint32_t *sender, int32_t *name_space) {
    struct sockaddr_nl name = {0};
    _Alignas(struct cmsghdr) uint8_t control[256];
    struct iovec vector = {.iov_base = bytes, .iov_len = length};
    struct msghdr message = {.msg_name = &name, .msg_namelen = sizeof name, .msg_iov = &vector, .msg_iovlen = 1,
                             .msg_control = control, .msg_controllen = sizeof control};
    ssize_t count = recvmsg(socket, &message, MSG_DONTWAIT | MSG_TRUNC);
    if (count < 0) return -1;
    *sender = name.nl_pid;
    *name_space = -1;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(&message); part; part = CMSG_NXTHDR(&message, part)) {
        if (part->cmsg_level == SOL_NETLINK && part->cmsg_type == NETLINK_LISTEN_ALL_NSID)
            memcpy(name_space, CMSG_DATA(part), sizeof *name_space);
    }
    return count;
}
