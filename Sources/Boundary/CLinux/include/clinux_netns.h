#ifndef CLINUX_NETNS_H
#define CLINUX_NETNS_H
// Children that work in another network namespace, or in a cgroup, for their parent. A child is made by fork(2) without
// exec and calls nothing but system calls; the caller's own namespaces never change, and a child that the kernel holds
// up can be given up. Every function gives a value >= 0, or -errno. Every child is killed when the thread that made it
// ends (PR_SET_PDEATHSIG).
#include <stddef.h>
#include <stdint.h>

#include "clinux_net.h"

// A child that enters the network namespace behind `namespace_fd` (-1: the caller's), sends each netlink message of
// `requests` on a socket of `protocol`, and copies the datagrams that answer it to `*output`: a length (uint32, host
// order) and the bytes. A length of 0 ends the answers to one request; 0xffffffff is followed by an errno (int32) and
// the child's end. Gives a pidfd.
int quell_netlink_child(int protocol, int namespace_fd, const uint8_t *requests, size_t length, int *output,
                        int32_t *pid);

// quell_unix_connect in a child that is ended after it, because connect(2) walks a path, and a file server that lies over
// it holds up whoever walks it. `*output` becomes readable when it is through. Gives a pidfd.
int quell_connect_child(const uint8_t *path, size_t length, int *output, int32_t *pid);
// What it connected, from `output`; -errno of connect(2), -EAGAIN as long as it is not through.
int quell_take_connected(int output);

// quell_spawn in another network namespace; with `own_cgroup_view` also in a mount namespace of its own where cgroup2
// lies on /sys/fs/cgroup, which is where nft(8) looks. A child that cannot get there ends with status 126.
int quell_spawn_in_network(const char *path, char *const argv[], const int *sources, const int *targets, int count,
                           int namespace_fd, int own_cgroup_view, int32_t *pid);

enum { QUELL_PROBE_CHANNELS = 4, QUELL_PROBE_TOKEN = 8 };

// What the probe of a cut is to talk to on loopback: TCP and UDP over IPv4, then over IPv6; 0 leaves a channel out.
struct quell_probe_ports {
    uint16_t port[QUELL_PROBE_CHANNELS];
};

// What the probe answers to one command. A channel's bit is set in `mask` when it succeeded.
struct quell_probe_reply {
    uint32_t mask;
    int32_t error[QUELL_PROBE_CHANNELS];
    uint32_t count[QUELL_PROBE_CHANNELS];
    uint16_t port[QUELL_PROBE_CHANNELS];
};

// Starts the probe. Commands are single bytes on `*control` (a SOCK_SEQPACKET), each is answered by one reply:
// 'o' opens the channels (TCP connects, UDP binds and connects) and tells their own ports,
// 's' sends the token on each, 'f' opens each anew within `patience` milliseconds and sends the token,
// 'r' reads what came and counts whole tokens.
int quell_probe_child(const struct quell_probe_ports *ports, const uint8_t *token, int patience, int *control,
                      int32_t *pid);

// A UDP socket bound to `at`; port 0 takes a free one.
int quell_udp_bind(const struct quell_inet_address *at);
// Sends to `to`.
long quell_udp_send(int fd, const struct quell_inet_address *to, const void *bytes, size_t length);

// What is known of a socket that another process holds as its descriptor `fd` (pidfd_getfd(2)), without touching it:
// SO_DOMAIN, SO_TYPE, SO_PROTOCOL. Gives a descriptor of its network namespace (SIOCGSKNS).
int quell_socket_facts(int pidfd, int fd, int *domain, int *type, int *protocol);

// The network namespace of the interface behind a descriptor of /dev/net/tun that another process holds (pidfd_getfd(2),
// TUNGETDEVNETNS), without touching it. Gives a descriptor of the namespace.
int quell_tap_namespace(int pidfd, int fd);

// Waits for the end of a child on a thread of its own; gives 0, or the errno when there can be no thread.
int quell_reap_later(int32_t child);

#endif
