#define _GNU_SOURCE
#include "clinux_net.h"
#include "clinux_fork.h"
#include "clinux_netns.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

// The probe of a cut: a child of Quell's own that talks to Quell over loopback from inside a cgroup.
struct probe {
    struct quell_probe_ports ports;
    uint8_t token[QUELL_PROBE_TOKEN];
    int patience;
    int channel[QUELL_PROBE_CHANNELS];
};

static int is_stream(int channel) { return channel % 2 == 0; }

static socklen_t loopback(int channel, uint16_t port, struct sockaddr_storage *to) {
    memset(to, 0, sizeof *to);
    if (channel < 2) {
        struct sockaddr_in *four = (struct sockaddr_in *)to;
        four->sin_family = AF_INET;
        four->sin_port = htons(port);
        four->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return sizeof *four;
    }
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)to;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(port);
    six->sin6_addr = in6addr_loopback;
    return sizeof *six;
}

static uint16_t own_port(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) return 0;
    return ntohs(name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
                                           : ((struct sockaddr_in6 *)&name)->sin6_port);
}

// A connected socket of one channel, or -errno.
static int reach(const struct probe *probe, int channel) {
    struct sockaddr_storage to, from;
    socklen_t length = loopback(channel, probe->ports.port[channel], &to);
    int type = (is_stream(channel) ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int fd = socket(channel < 2 ? AF_INET : AF_INET6, type, 0);
    if (fd < 0) return -errno;
    loopback(channel, 0, &from);
    int error = bind(fd, (struct sockaddr *)&from, length) == 0 ? 0 : errno;
    if (error == 0 && connect(fd, (struct sockaddr *)&to, length) != 0) error = errno;
    if (error == EINPROGRESS) {
        struct pollfd wait = {.fd = fd, .events = POLLOUT};
        socklen_t size = sizeof error;
        if (poll(&wait, 1, probe->patience) != 1)
            error = ETIMEDOUT;
        else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
            error = errno;
    }
    if (error == 0) return fd;
    close(fd);
    return -error;
}

static int put(const struct probe *probe, int fd) {
    return send(fd, probe->token, sizeof probe->token, MSG_NOSIGNAL) == QUELL_PROBE_TOKEN ? 0 : errno;
}

// Whole tokens that came.
static uint32_t take(const struct probe *probe, int fd) {
    uint8_t bytes[64 * QUELL_PROBE_TOKEN];
    uint32_t found = 0;
    for (;;) {
        ssize_t count = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (count <= 0) return found;
        for (ssize_t at = 0; at + QUELL_PROBE_TOKEN <= count; at += QUELL_PROBE_TOKEN)
            if (memcmp(bytes + at, probe->token, QUELL_PROBE_TOKEN) == 0) found++;
    }
}

static void obey(struct probe *probe, char command, struct quell_probe_reply *reply) {
    memset(reply, 0, sizeof *reply);
    for (int channel = 0; channel < QUELL_PROBE_CHANNELS; channel++) {
        if (probe->ports.port[channel] == 0) continue;
        int fd = probe->channel[channel], error = fd < 0 ? ENOTCONN : 0;
        if (command == 'o' || command == 'f') {
            fd = reach(probe, channel);
            error = fd < 0 ? -fd : 0;
        }
        if (error == 0 && command == 'o') probe->channel[channel] = fd;
        if (error == 0 && command != 'r') reply->port[channel] = own_port(fd);
        if (error == 0 && (command == 's' || command == 'f')) error = put(probe, fd);
        if (error == 0 && command == 'r') reply->count[channel] = take(probe, fd);
        if (command == 'f' && fd >= 0) close(fd);
        reply->error[channel] = error;
        if (error == 0) reply->mask |= 1u << channel;
    }
}

static _Noreturn void serve(struct probe *probe, int control) {
    for (int channel = 0; channel < QUELL_PROBE_CHANNELS; channel++) probe->channel[channel] = -1;
    for (;;) {
        char command;
        ssize_t count = recv(control, &command, 1, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count != 1) _exit(0);
        struct quell_probe_reply reply;
        obey(probe, command, &reply);
        if (send(control, &reply, sizeof reply, MSG_NOSIGNAL) != sizeof reply) _exit(0);
    }
}

int quell_probe_child(const struct quell_probe_ports *ports, const uint8_t *token, int patience, int *control,
                      int32_t *pid) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) return -errno;
    struct probe probe = {.ports = *ports, .patience = patience};
    memcpy(probe.token, token, sizeof probe.token);
    int pidfd = quell_fork(pid);
    if (*pid == 0 && pidfd == -1) {
        quell_keep_only(ends[1]);
        serve(&probe, 3);
    }
    close(ends[1]);
    if (pidfd < 0)
        close(ends[0]);
    else
        *control = ends[0];
    return pidfd;
}

int quell_udp_bind(const struct quell_inet_address *at) {
    struct sockaddr_storage name;
    socklen_t length = loopback(at->family == AF_INET ? 0 : 2, at->port, &name);
    int fd = socket(at->family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (bind(fd, (struct sockaddr *)&name, length) == 0) return fd;
    int error = errno;
    close(fd);
    return -error;
}

long quell_udp_send(int fd, const struct quell_inet_address *to, const void *bytes, size_t length) {
    struct sockaddr_storage name;
    socklen_t size = loopback(to->family == AF_INET ? 0 : 2, to->port, &name);
    ssize_t count = sendto(fd, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&name, size);
    return count < 0 ? -errno : count;
}
