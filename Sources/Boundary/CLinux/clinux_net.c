#define _GNU_SOURCE
#include "clinux_net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct netlink_request {
    int protocol;
    int namespace_fd;
    int result;
};

static int netlink_socket(int protocol) {
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    return fd < 0 ? -errno : fd;
}

static void *netlink_in_namespace(void *argument) {
    struct netlink_request *request = argument;
    if (setns(request->namespace_fd, CLONE_NEWNET) != 0)
        request->result = -errno;
    else
        request->result = netlink_socket(request->protocol);
    return NULL;
}

int quell_netlink_open(int protocol, int namespace_fd) {
    if (namespace_fd < 0) return netlink_socket(protocol);
    struct netlink_request request = {protocol, namespace_fd, -EIO};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, netlink_in_namespace, &request);
    if (error != 0) return -error;
    error = pthread_join(thread, NULL);
    return error != 0 ? -error : request.result;
}

static socklen_t fill(const struct quell_inet_address *from, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (from->family == AF_INET) {
        struct sockaddr_in *four = (struct sockaddr_in *)to;
        four->sin_family = AF_INET;
        four->sin_port = htons(from->port);
        memcpy(&four->sin_addr, from->bytes, 4);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(from->port);
    memcpy(&six->sin6_addr, from->bytes, 16);
    return sizeof *six;
}

static int read_name(const struct sockaddr_storage *from, struct quell_inet_address *to) {
    memset(to, 0, sizeof *to);
    to->family = from->ss_family;
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *four = (const struct sockaddr_in *)from;
        to->port = ntohs(four->sin_port);
        memcpy(to->bytes, &four->sin_addr, 4);
        return 0;
    }
    if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;
        to->port = ntohs(six->sin6_port);
        memcpy(to->bytes, &six->sin6_addr, 16);
        return 0;
    }
    return -EAFNOSUPPORT;
}

static int closing(int fd, int error) {
    close(fd);
    return -error;
}

int quell_tcp_connect(const struct quell_inet_address *to, int *pending) {
    struct sockaddr_storage address;
    socklen_t length = fill(to, &address);
    int fd = socket(to->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) return -errno;
    *pending = 0;
    if (connect(fd, (struct sockaddr *)&address, length) == 0) return fd;
    if (errno != EINPROGRESS && errno != EINTR) return closing(fd, errno);
    *pending = 1;
    return fd;
}

int quell_tcp_listen(const struct quell_inet_address *at, int backlog) {
    struct sockaddr_storage address;
    socklen_t length = fill(at, &address);
    int fd = socket(at->family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&address, length) != 0) return closing(fd, errno);
    if (listen(fd, backlog) != 0) return closing(fd, errno);
    return fd;
}

int quell_unix_connect(const uint8_t *path, size_t length) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (length == 0 || length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != 0));
    if (connect(fd, (struct sockaddr *)&address, size) == 0) return fd;
    return closing(fd, errno);
}

int quell_unix_send_as(const uint8_t *path, size_t length, int32_t pid, const void *bytes, size_t count) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (length == 0 || length >= sizeof address.sun_path) return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length);
    union {
        struct cmsghdr aligned;
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = (void *)bytes, .iov_len = count};
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != 0)),
        .msg_iov = &part,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control.bytes,
    };
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_CREDENTIALS;
    header->cmsg_len = CMSG_LEN(sizeof(struct ucred));
    struct ucred sender = {.pid = pid, .uid = geteuid(), .gid = getegid()};
    memcpy(CMSG_DATA(header), &sender, sizeof sender);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return -errno;
    ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
    int error = sent < 0 ? errno : (size_t)sent == count ? 0 : EMSGSIZE;
    close(fd);
    return -error;
}

int quell_socket_name(int fd, struct quell_inet_address *name) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) return -errno;
    return read_name(&address, name);
}

int quell_socket_peer(int fd, struct quell_inet_address *name) {
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    if (getpeername(fd, (struct sockaddr *)&address, &length) != 0) return -errno;
    return read_name(&address, name);
}

int quell_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid) {
    struct ucred credentials;
    socklen_t length = sizeof credentials;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) return -errno;
    *pid = credentials.pid;
    *uid = credentials.uid;
    *gid = credentials.gid;
    return 0;
}

int quell_socket_error(int fd) {
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) != 0) return -errno;
    return error;
}
