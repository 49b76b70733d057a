#define _GNU_SOURCE
#include "clinux_net.h"
#include "clinux_fork.h"
#include "clinux_netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

static void write_all(int fd, const void *bytes, size_t length) {
    const uint8_t *next = bytes;
    while (length > 0) {
        ssize_t count = write(fd, next, length);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) _exit(0);
        next += count;
        length -= (size_t)count;
    }
}

static _Noreturn void give_up(int output, int32_t error) {
    uint32_t mark = 0xffffffffu;
    write_all(output, &mark, sizeof mark);
    write_all(output, &error, sizeof error);
    _exit(0);
}

// Whether a datagram of answers holds the last one.
static int is_last(const uint8_t *bytes, ssize_t count) {
    int left = (int)count;
    for (const struct nlmsghdr *one = (const void *)bytes; NLMSG_OK(one, left); one = NLMSG_NEXT(one, left))
        if (one->nlmsg_type == NLMSG_DONE || one->nlmsg_type == NLMSG_ERROR) return 1;
    return 0;
}

static void answer(int netlink, int output, const uint8_t *request, size_t length) {
    static uint8_t buffer[65536] __attribute__((aligned(8)));
    if (send(netlink, request, length, 0) != (ssize_t)length) give_up(output, errno);
    for (;;) {
        ssize_t count = recv(netlink, buffer, sizeof buffer, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) give_up(output, count < 0 ? errno : EIO);
        uint32_t frame = (uint32_t)count;
        write_all(output, &frame, sizeof frame);
        write_all(output, buffer, (size_t)count);
        if (is_last(buffer, count)) break;
    }
    uint32_t end = 0;
    write_all(output, &end, sizeof end);
}

static _Noreturn void converse(int protocol, int namespace_fd, const uint8_t *requests, size_t length, int output) {
    int entered = namespace_fd < 0 ? 0 : setns(namespace_fd, CLONE_NEWNET);
    int error = errno;
    quell_keep_only(output);
    output = 3;
    if (entered != 0) give_up(output, error);
    int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (netlink < 0) give_up(output, errno);
    while (length >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr head;
        memcpy(&head, requests, sizeof head);
        size_t size = NLMSG_ALIGN(head.nlmsg_len);
        if (head.nlmsg_len < sizeof head || size > length) break;
        answer(netlink, output, requests, head.nlmsg_len);
        requests += size;
        length -= size;
    }
    _exit(0);
}

int quell_netlink_child(int protocol, int namespace_fd, const uint8_t *requests, size_t length, int *output,
                        int32_t *pid) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return -errno;
    int pidfd = quell_fork(pid);
    if (*pid == 0 && pidfd == -1) converse(protocol, namespace_fd, requests, length, ends[1]);
    close(ends[1]);
    if (pidfd < 0) {
        close(ends[0]);
        return pidfd;
    }
    *output = ends[0];
    return pidfd;
}

static _Noreturn void connect_for(const uint8_t *path, size_t length, int output) {
    quell_keep_only(output);
    int connected = quell_unix_connect(path, length);
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct iovec body = {.iov_base = &connected, .iov_len = sizeof connected};
    struct msghdr message = {.msg_iov = &body, .msg_iovlen = 1};
    if (connected >= 0) {
        message.msg_control = &control;
        message.msg_controllen = sizeof control.room;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        memcpy(CMSG_DATA(&control.head), &connected, sizeof connected);
    }
    _exit(sendmsg(3, &message, MSG_NOSIGNAL) < 0);
}

int quell_connect_child(const uint8_t *path, size_t length, int *output, int32_t *pid) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    int pidfd = quell_fork(pid);
    if (*pid == 0 && pidfd == -1) connect_for(path, length, ends[1]);
    close(ends[1]);
    if (pidfd < 0) {
        close(ends[0]);
        return pidfd;
    }
    *output = ends[0];
    return pidfd;
}

int quell_take_connected(int output) {
    int result = -ECONNRESET, connected;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec body = {.iov_base = &result, .iov_len = sizeof result};
    struct msghdr message = {
        .msg_iov = &body, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control.room};
    ssize_t count = recvmsg(output, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (count < 0) return -errno;
    if (count != (ssize_t)sizeof result) return -ECONNRESET;
    if (result < 0) return result;
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    if (first == NULL || first->cmsg_type != SCM_RIGHTS || first->cmsg_len != CMSG_LEN(sizeof(int))) return -ECONNRESET;
    memcpy(&connected, CMSG_DATA(first), sizeof connected);
    return connected;
}

static void reset_signals(void) {
    struct sigaction normal = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &normal, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static int show_cgroups(void) {
    if (unshare(CLONE_NEWNS) != 0) return -1;
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return -1;
    return mount("none", "/sys/fs/cgroup", "cgroup2", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
}

int quell_spawn_in_network(const char *path, char *const argv[], const int *sources, const int *targets, int count,
                           int namespace_fd, int own_cgroup_view, int32_t *pid) {
    enum { MOST = 16 };
    if (count < 0 || count > MOST) return -EINVAL;
    int above = 3, lifted[MOST];
    for (int i = 0; i < count; i++)
        if (targets[i] >= above) above = targets[i] + 1;
    int pidfd = quell_fork(pid);
    if (*pid != 0 || pidfd != -1) return pidfd;

    if (namespace_fd >= 0 && setns(namespace_fd, CLONE_NEWNET) != 0) _exit(126);
    if (own_cgroup_view && show_cgroups() != 0) _exit(126);
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int i = 0; i < count; i++) {
        lifted[i] = fcntl(sources[i] < 0 ? nothing : sources[i], F_DUPFD_CLOEXEC, above);
        if (lifted[i] < 0) _exit(126);
    }
    for (int i = 0; i < count; i++)
        if (dup2(lifted[i], targets[i]) < 0) _exit(126);
    syscall(SYS_close_range, (unsigned)above, ~0u, 0u);
    if (chdir("/") != 0) _exit(126);
    reset_signals();
    char *empty[] = {NULL};
    execve(path, argv, empty);
    _exit(126);
}

int quell_tap_namespace(int pidfd, int fd) {
    int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0u);
    if (copy < 0) return -errno;
    int result = ioctl(copy, _IO('T', 227) /* TUNGETDEVNETNS */, 0);
    int error = errno;
    close(copy);
    if (result < 0) return -error;
    fcntl(result, F_SETFD, FD_CLOEXEC);
    return result;
}

int quell_socket_facts(int pidfd, int fd, int *domain, int *type, int *protocol) {
    int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0u);
    if (copy < 0) return -errno;
    socklen_t size = sizeof *domain;
    int result = getsockopt(copy, SOL_SOCKET, SO_DOMAIN, domain, &size);
    if (result == 0) result = getsockopt(copy, SOL_SOCKET, SO_TYPE, type, &size);
    if (result == 0) result = getsockopt(copy, SOL_SOCKET, SO_PROTOCOL, protocol, &size);
    if (result == 0) result = ioctl(copy, SIOCGSKNS);
    int error = errno;
    close(copy);
    if (result < 0) return -error;
    fcntl(result, F_SETFD, FD_CLOEXEC);
    return result;
}
