// The part of libmnl that libnftnl calls, as <libmnl/libmnl.h> declares it.
//
// Debian has libnftnl.a and no libmnl.a, and one shared library is enough to need a loader, which is longer at work
// than a command that changes one port: a static swnet starts in a third of the time. Layout: netlink(7), "attributes"
// and "messages"; what a function answers to what it does not like is libmnl's.

#include "CMnl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

// Messages.

static char *tail(const struct nlmsghdr *message) { return (char *)message + MNL_ALIGN(message->nlmsg_len); }

void *mnl_nlmsg_get_payload(const struct nlmsghdr *message) { return (char *)message + MNL_NLMSG_HDRLEN; }

struct nlmsghdr *mnl_nlmsg_put_header(void *buffer) {
    struct nlmsghdr *message = buffer;
    memset(buffer, 0, MNL_NLMSG_HDRLEN);
    message->nlmsg_len = MNL_NLMSG_HDRLEN;
    return message;
}

void *mnl_nlmsg_put_extra_header(struct nlmsghdr *message, size_t size) {
    void *header = (char *)message + message->nlmsg_len;
    message->nlmsg_len += MNL_ALIGN(size);
    memset(header, 0, MNL_ALIGN(size));
    return header;
}

// Attributes that are read.

uint16_t mnl_attr_get_type(const struct nlattr *attribute) { return attribute->nla_type & NLA_TYPE_MASK; }

void *mnl_attr_get_payload(const struct nlattr *attribute) { return (char *)attribute + MNL_ATTR_HDRLEN; }

uint16_t mnl_attr_get_payload_len(const struct nlattr *attribute) { return attribute->nla_len - MNL_ATTR_HDRLEN; }

uint8_t mnl_attr_get_u8(const struct nlattr *attribute) { return *(uint8_t *)mnl_attr_get_payload(attribute); }

uint16_t mnl_attr_get_u16(const struct nlattr *attribute) { return *(uint16_t *)mnl_attr_get_payload(attribute); }

uint32_t mnl_attr_get_u32(const struct nlattr *attribute) { return *(uint32_t *)mnl_attr_get_payload(attribute); }

uint64_t mnl_attr_get_u64(const struct nlattr *attribute) {
    // Attributes are aligned to four bytes.
    uint64_t value;
    memcpy(&value, mnl_attr_get_payload(attribute), sizeof value);
    return value;
}

const char *mnl_attr_get_str(const struct nlattr *attribute) { return mnl_attr_get_payload(attribute); }

bool mnl_attr_ok(const struct nlattr *attribute, int left) {
    return left >= (int)sizeof *attribute && attribute->nla_len >= sizeof *attribute && attribute->nla_len <= left;
}

struct nlattr *mnl_attr_next(const struct nlattr *attribute) {
    return (struct nlattr *)((char *)attribute + MNL_ALIGN(attribute->nla_len));
}

int mnl_attr_type_valid(const struct nlattr *attribute, uint16_t greatest) {
    if (mnl_attr_get_type(attribute) <= greatest) return 1;
    errno = EOPNOTSUPP;
    return -1;
}

// How long the values of a type are; of those that are not listed any length is right.
static const uint16_t lengths[MNL_TYPE_MAX] = {
    [MNL_TYPE_U8] = sizeof(uint8_t),   [MNL_TYPE_U16] = sizeof(uint16_t), [MNL_TYPE_U32] = sizeof(uint32_t),
    [MNL_TYPE_U64] = sizeof(uint64_t), [MNL_TYPE_MSECS] = sizeof(uint64_t),
};

int mnl_attr_validate(const struct nlattr *attribute, enum mnl_attr_data_type type) {
    uint16_t length = mnl_attr_get_payload_len(attribute);
    const char *text = mnl_attr_get_payload(attribute);
    if (type < 0 || type >= MNL_TYPE_MAX) {
        errno = EINVAL;
        return -1;
    }
    bool is_right = lengths[type] == 0 || length == lengths[type];
    switch (type) {
    case MNL_TYPE_FLAG: is_right = length == 0; break;
    case MNL_TYPE_STRING: is_right = length > 0; break;
    case MNL_TYPE_NUL_STRING: is_right = length > 0 && text[length - 1] == '\0'; break;
    case MNL_TYPE_NESTED: is_right = length == 0 || length >= MNL_ATTR_HDRLEN; break;
    default: break;
    }
    if (is_right) return 0;
    errno = ERANGE;
    return -1;
}

static int each(const char *from, const char *end, mnl_attr_cb_t callback, void *data) {
    const struct nlattr *attribute = (const struct nlattr *)from;
    int answer = MNL_CB_OK;
    while (answer > MNL_CB_STOP && mnl_attr_ok(attribute, (int)(end - (const char *)attribute))) {
        answer = callback(attribute, data);
        attribute = mnl_attr_next(attribute);
    }
    return answer;
}

int mnl_attr_parse(const struct nlmsghdr *message, unsigned int offset, mnl_attr_cb_t callback, void *data) {
    const char *from = (const char *)mnl_nlmsg_get_payload(message) + MNL_ALIGN(offset);
    return each(from, tail(message), callback, data);
}

int mnl_attr_parse_nested(const struct nlattr *attribute, mnl_attr_cb_t callback, void *data) {
    const char *from = mnl_attr_get_payload(attribute);
    return each(from, from + mnl_attr_get_payload_len(attribute), callback, data);
}

// Attributes that are written. The caller's buffer is large enough: none of these can say that it is not.

void mnl_attr_put(struct nlmsghdr *message, uint16_t type, size_t length, const void *value) {
    struct nlattr *attribute = (struct nlattr *)tail(message);
    uint16_t whole = (uint16_t)(MNL_ATTR_HDRLEN + length);
    attribute->nla_type = type;
    attribute->nla_len = whole;
    if (length > 0) memcpy(mnl_attr_get_payload(attribute), value, length);
    memset((char *)attribute + whole, 0, MNL_ALIGN(whole) - whole);
    message->nlmsg_len = MNL_ALIGN(message->nlmsg_len) + MNL_ALIGN(whole);
}

void mnl_attr_put_u8(struct nlmsghdr *message, uint16_t type, uint8_t value) {
    mnl_attr_put(message, type, sizeof value, &value);
}

void mnl_attr_put_u16(struct nlmsghdr *message, uint16_t type, uint16_t value) {
    mnl_attr_put(message, type, sizeof value, &value);
}

void mnl_attr_put_u32(struct nlmsghdr *message, uint16_t type, uint32_t value) {
    mnl_attr_put(message, type, sizeof value, &value);
}

void mnl_attr_put_u64(struct nlmsghdr *message, uint16_t type, uint64_t value) {
    mnl_attr_put(message, type, sizeof value, &value);
}

void mnl_attr_put_str(struct nlmsghdr *message, uint16_t type, const char *text) {
    mnl_attr_put(message, type, strlen(text), text);
}

void mnl_attr_put_strz(struct nlmsghdr *message, uint16_t type, const char *text) {
    mnl_attr_put(message, type, strlen(text) + 1, text);
}

struct nlattr *mnl_attr_nest_start(struct nlmsghdr *message, uint16_t type) {
    struct nlattr *start = (struct nlattr *)tail(message);
    start->nla_type = NLA_F_NESTED | type;
    message->nlmsg_len += MNL_ALIGN(sizeof *start);
    return start;
}

void mnl_attr_nest_end(struct nlmsghdr *message, struct nlattr *start) {
    start->nla_len = (uint16_t)(tail(message) - (char *)start);
}

// What only nftnl_batch_is_supported calls, which nobody calls here: it stands in one object with what everybody does.

struct mnl_socket *mnl_socket_open(int family) {
    (void)family;
    errno = EOPNOTSUPP;
    return NULL;
}

static int unsupported(void) {
    errno = EOPNOTSUPP;
    return -1;
}

int mnl_socket_bind(struct mnl_socket *socket, unsigned int groups, pid_t port) { return unsupported(); }
int mnl_socket_close(struct mnl_socket *socket) { return unsupported(); }
unsigned int mnl_socket_get_portid(const struct mnl_socket *socket) { return 0; }
ssize_t mnl_socket_sendto(const struct mnl_socket *socket, const void *from, size_t size) { return unsupported(); }
ssize_t mnl_socket_recvfrom(const struct mnl_socket *socket, void *to, size_t size) { return unsupported(); }
int mnl_cb_run(
    const void *buffer, size_t size, unsigned int sequence, unsigned int port, mnl_cb_t callback, void *data) {
    return unsupported();
}
struct mnl_nlmsg_batch *mnl_nlmsg_batch_start(void *buffer, size_t size) { return NULL; }
void mnl_nlmsg_batch_stop(struct mnl_nlmsg_batch *batch) {}
bool mnl_nlmsg_batch_next(struct mnl_nlmsg_batch *batch) { return false; }
size_t mnl_nlmsg_batch_size(struct mnl_nlmsg_batch *batch) { return 0; }
void *mnl_nlmsg_batch_head(struct mnl_nlmsg_batch *batch) { return NULL; }
void *mnl_nlmsg_batch_current(struct mnl_nlmsg_batch *batch) { return NULL; }
