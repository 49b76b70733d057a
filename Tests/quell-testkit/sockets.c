// Sockets that a cut must reach: of both families, with full queues, passed in, locked, in other network namespaces.
#define _GNU_SOURCE
#include "testkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/userfaultfd.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

socklen_t name_of(const char *host, int port, struct sockaddr_storage *name) {
    memset(name, 0, sizeof *name);
    struct sockaddr_in *four = (struct sockaddr_in *)name;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)name;
    if (inet_pton(AF_INET, host, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)port);
        return sizeof *four;
    }
    if (inet_pton(AF_INET6, host, &six->sin6_addr) != 1) die("read the address", host);
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
    return sizeof *six;
}

int port_of(int fd) {
    struct sockaddr_storage name;
    socklen_t length = sizeof name;
    if (getsockname(fd, (struct sockaddr *)&name, &length) != 0) die("name", "a socket");
    return ntohs(name.ss_family == AF_INET ? ((struct sockaddr_in *)&name)->sin_port
                                           : ((struct sockaddr_in6 *)&name)->sin6_port);
}

int connect_to(const char *host, int port) {
    struct sockaddr_storage name;
    socklen_t length = name_of(host, port, &name);
    int fd = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&name, length) != 0) die("connect to", host);
    return fd;
}

// Sends a descriptor over a unix socket (SCM_RIGHTS).
static void pass(int fd, int passed) {
    char byte = '+', space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof passed);
    memcpy(CMSG_DATA(header), &passed, sizeof passed);
    if (sendmsg(fd, &message, 0) != 1) die("pass", "a socket");
}

// Puts a descriptor where no table shows it, and closes it: into a message that nobody has received, or into the files of an
// io_uring. Whatever keeps it stays open.
static void park(int fd, const char *place) {
    if (strcmp(place, "ring") == 0) {
        // struct io_uring_params: 120 bytes of which nothing has to be set.
        char parameters[120] = {0};
        int ring = (int)syscall(SYS_io_uring_setup, 8, parameters);
        if (ring < 0 || syscall(SYS_io_uring_register, ring, 2 /* IORING_REGISTER_FILES */, &fd, 1) != 0) {
            die("register with", "an io_uring");
        }
    } else if (strcmp(place, "message") == 0) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) die("make", "a pair of sockets");
        pass(pair[0], fd);
    }
    close(fd);
}

// Fills the send queue of a connection whose peer does not read. Writes "ready PROCESS QUEUED"; then sends on as soon as
// there is room, for ever. With PLACE, `message` or `ring`, it parks the connection there instead, and with `closed` it closes
// it.
int flood(int count, char **arguments) {
    if (count < 2) return 64;
    signal(SIGPIPE, SIG_IGN);
    int fd = connect_to(arguments[0], number(count, arguments, 1, 1));
    int size = 8 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) die("enlarge", "the send queue");
    static char bytes[65536];
    unsigned long long queued = 0;
    for (;;) {
        ssize_t sent = send(fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (sent > 0) {
            queued += (unsigned long long)sent;
            continue;
        }
        struct pollfd room = {.fd = fd, .events = POLLOUT};
        if (errno != EAGAIN || poll(&room, 1, 300) == 0) break;
    }
    if (count > 2) park(fd, arguments[2]);
    say("ready %d %llu\n", getpid(), queued);
    if (count > 2) rest();
    while (send(fd, bytes, sizeof bytes, 0) > 0) {}
    rest();
}

// Sends 64 bytes every five milliseconds on `fd`, and rests when the connection is gone.
static _Noreturn void chatter(int fd) {
    signal(SIGPIPE, SIG_IGN);
    char bytes[64];
    memset(bytes, 'q', sizeof bytes);
    while (send(fd, bytes, sizeof bytes, 0) > 0) usleep(5000);
    rest();
}

static socklen_t unix_name(const char *path, struct sockaddr_un *name) {
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    snprintf(name->sun_path, sizeof name->sun_path, "%s", path);
    return sizeof *name;
}

// Takes a socket that somebody passes in over a unix socket at PATH (SCM_RIGHTS) and sends on it. Writes "ready PROCESS"
// when it listens, "taken" when it has the socket.
int take_socket(int count, char **arguments) {
    if (count < 1) return 64;
    struct sockaddr_un name;
    socklen_t length = unix_name(arguments[0], &name);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&name, length) != 0 || listen(listener, 1) != 0) die("listen", arguments[0]);
    say("ready %d\n", getpid());
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    char byte, space[CMSG_SPACE(sizeof(int))];
    struct iovec part = {&byte, 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    if (recvmsg(client, &message, MSG_CMSG_CLOEXEC) != 1) die("receive", "a socket");
    int passed;
    memcpy(&passed, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof passed);
    say("taken %d\n", getpid());
    chatter(passed);
}

// Connects to HOST PORT, passes the socket to who listens at PATH and ends. Writes "ready PROCESS".
int give_socket(int count, char **arguments) {
    if (count < 3) return 64;
    int passed = connect_to(arguments[1], number(count, arguments, 2, 1));
    struct sockaddr_un name;
    socklen_t length = unix_name(arguments[0], &name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&name, length) != 0) die("connect to", arguments[0]);
    pass(fd, passed);
    say("ready %d\n", getpid());
    return 0;
}

struct stuck_send {
    int fd;
    char *page;
};

static void *send_from_nowhere(void *argument) {
    struct stuck_send *stuck = argument;
    send(stuck->fd, stuck->page, 4096, 0);
    return NULL;
}

// Holds the kernel's lock of a connection to HOST PORT: sends from a page that nobody ever fills. Writes "ready PROCESS".
int hold_lock(int count, char **arguments) {
    if (count < 2) return 64;
    struct stuck_send stuck = {.fd = connect_to(arguments[0], number(count, arguments, 1, 1))};
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) die("make", "a userfaultfd");
    stuck.page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = {.range = {(unsigned long)stuck.page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (ioctl(faults, UFFDIO_REGISTER, &range) != 0) die("register", "a page");
    pthread_t thread;
    if (pthread_create(&thread, NULL, send_from_nowhere, &stuck) != 0) die("start", "a thread");
    struct pollfd wait = {.fd = faults, .events = POLLIN};
    if (poll(&wait, 1, -1) != 1) die("wait for", "the fault");
    say("ready %d\n", getpid());
    rest();
}

static void raise_loopback(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_flags = IFF_UP | IFF_RUNNING};
    snprintf(request.ifr_name, sizeof request.ifr_name, "lo");
    if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request) != 0) die("raise", "the loopback");
    close(fd);
}

// CAP_NET_ADMIN goes for good, from this process and from whatever it executes.
static void drop_network_right(void) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    if (prctl(PR_CAPBSET_DROP, CAP_NET_ADMIN, 0, 0, 0) != 0) die("drop", "a right");
    if (syscall(SYS_capget, &header, data) != 0) die("read", "the rights");
    data[0].effective &= ~(1u << CAP_NET_ADMIN);
    data[0].permitted &= ~(1u << CAP_NET_ADMIN);
    data[0].inheritable &= ~(1u << CAP_NET_ADMIN);
    if (syscall(SYS_capset, &header, data) != 0) die("drop", "a right");
}

// Has a packet socket in the network namespace at PATH, as gVisor's sentry does. Writes "ready PROCESS".
int packet_socket(int count, char **arguments) {
    if (count < 1) return 64;
    int space = open(arguments[0], O_RDONLY | O_CLOEXEC);
    if (space < 0 || setns(space, CLONE_NEWNET) != 0) die("enter", arguments[0]);
    if (socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0) < 0) die("make", "a packet socket");
    say("ready %d\n", getpid());
    rest();
}

// A connection to itself in a network namespace of its own. With --leave it goes back to where it came from and keeps only
// the sockets; with --weak it can never administer the namespace. Writes "ready PROCESS"; on SIGUSR1 "bytes N", what came
// over the connection.
static volatile sig_atomic_t asked;
static void ask(int signal) { asked = signal; }

int own_network(int count, char **arguments) {
    int before = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (unshare(CLONE_NEWNET) != 0) die("leave", "the network namespace");
    raise_loopback();
    struct sockaddr_storage name;
    socklen_t length = name_of("127.0.0.1", 0, &name);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&name, length) != 0 || listen(listener, 1) != 0) die("listen", "on loopback");
    int near = connect_to("127.0.0.1", port_of(listener));
    int far = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    for (int index = 0; index < count; index++) {
        if (strcmp(arguments[index], "--leave") == 0 && setns(before, CLONE_NEWNET) != 0) die("go back to", "the network");
        if (strcmp(arguments[index], "--weak") == 0) drop_network_right();
    }
    struct sigaction action = {.sa_handler = ask};
    sigaction(SIGUSR1, &action, NULL);
    signal(SIGPIPE, SIG_IGN);
    say("ready %d\n", getpid());
    unsigned long long total = 0;
    char bytes[4096] = {0};
    for (;;) {
        // A connection that is gone is what the test looks for.
        (void)!send(near, bytes, 64, MSG_DONTWAIT);
        ssize_t got = recv(far, bytes, sizeof bytes, MSG_DONTWAIT);
        if (got > 0) total += (unsigned long long)got;
        if (asked) {
            asked = 0;
            say("bytes %llu\n", total);
        }
        usleep(5000);
    }
}
