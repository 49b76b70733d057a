#ifndef CLINUX_NET_H
#define CLINUX_NET_H
// Sockets and children: calls that are variadic, want structures that Swift does not see, or have to happen between
// two threads or two processes. Every function gives a value >= 0, or -errno.
#include <stddef.h>
#include <stdint.h>

// A netlink socket of `protocol`, made in the network namespace behind `namespace_fd` (-1: the caller's). For a foreign
// namespace a short thread does setns(2) and socket(2) and ends; the caller's own namespace never changes.
int quell_netlink_open(int protocol, int namespace_fd);

// An address of `family` (AF_INET: 4 bytes, AF_INET6: 16 bytes) with a port in host order.
struct quell_inet_address {
    int family;
    uint8_t bytes[16];
    uint16_t port;
};

// A non-blocking TCP socket whose connect(2) was started; `*pending` tells whether it still goes on.
int quell_tcp_connect(const struct quell_inet_address *to, int *pending);
// A TCP socket that listens on `at`; port 0 takes a free one.
int quell_tcp_listen(const struct quell_inet_address *at, int backlog);
// A non-blocking connected unix stream socket; `path` of `length` bytes, a leading NUL means the abstract namespace.
int quell_unix_connect(const uint8_t *path, size_t length);
// Sends one datagram to the unix socket at `path`, with `pid` as the sender (SCM_CREDENTIALS; another's pid needs
// CAP_SYS_ADMIN). Does not wait: -EAGAIN when its queue is full.
int quell_unix_send_as(const uint8_t *path, size_t length, int32_t pid, const void *bytes, size_t count);
// getsockname(2) and getpeername(2).
int quell_socket_name(int fd, struct quell_inet_address *name);
int quell_socket_peer(int fd, struct quell_inet_address *name);
// SO_PEERCRED of a unix socket.
int quell_peer_credentials(int fd, int32_t *pid, uint32_t *uid, uint32_t *gid);
// SO_ERROR, as a positive errno or 0; -errno when it cannot be read.
int quell_socket_error(int fd);

// posix_spawn(3) of `path` in the root folder with an empty environment, default signals and exactly the given descriptors: sources[i]
// becomes targets[i], a source of -1 becomes /dev/null, everything else is closed. With `own_group` it is in a process group of its
// own, which the signals of a terminal do not reach. Gives a pidfd; the child is `*pid`.
int quell_spawn(const char *path, char *const argv[], const int *sources, const int *targets, int count, int own_group,
                int32_t *pid);
// The same with nothing but /dev/null as 0, 1 and 2, in a session (setsid) of its own. It outlives its parent. Gives the pid.
int quell_spawn_detached(const char *path, char *const argv[]);

struct quell_worker_limits {
    uint64_t address_space;  // bytes
    uint64_t file_size;      // bytes; 0 forbids growing any file
    uint64_t cpu_seconds;
};
// Gives everything up, in this order: descriptors above 2, supplementary groups, gid and uid (to `id`, when root),
// new privileges, dumps, resources, and every system call that is not on the list in clinux_worker.c.
// `*step` names what failed: 1 close, 2 groups, 3 gid, 4 uid, 5 privileges, 6 dumpable, 7 limits, 8 filter.
int quell_worker_enter(uint32_t id, const struct quell_worker_limits *limits, int *step);

#endif
