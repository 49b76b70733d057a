// Load on the machine, and things held open.
#define _GNU_SOURCE
#include "testkit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

// N processes that only burn time. Writes "ready PARENT".
int hog(int count, char **arguments) {
    int wanted = number(count, arguments, 0, 1);
    for (int index = 0; index < wanted; index++) {
        if (spawn() != 0) continue;
        for (volatile uint64_t turn = 0;; turn++) {}
    }
    say("ready %d\n", getpid());
    rest();
}

// Writes one MiB after another into a file of 256 MiB, with fsync after each, for ever. Writes "ready PROCESS".
int disk_writer(int count, char **arguments) {
    if (count < 1) return 64;
    int descriptor = open(arguments[0], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (descriptor < 0) die("create", arguments[0]);
    static char block[1 << 20];
    for (size_t index = 0; index < sizeof block; index++) block[index] = (char)(index * 2654435761u >> 13);
    for (uint64_t turn = 0;; turn++) {
        if (pwrite(descriptor, block, sizeof block, (off_t)(turn % 256 * sizeof block)) < 0) die("write", arguments[0]);
        if (fsync(descriptor) != 0) die("fsync", arguments[0]);
        if (turn == 0) say("ready %d\n", getpid());
    }
}

// Keeps a file open that has no name any more. Writes "ready PROCESS".
int hold_file(int count, char **arguments) {
    if (count < 1) return 64;
    int descriptor = open(arguments[0], O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) die("create", arguments[0]);
    if (dprintf(descriptor, "held by %d\n", getpid()) < 0) die("write", arguments[0]);
    if (unlink(arguments[0]) != 0) die("delete", arguments[0]);
    say("ready %d\n", getpid());
    rest();
}

// Keeps a file that never had a name. Writes "ready PROCESS".
int hold_memfd(int count, char **arguments) {
    (void)count, (void)arguments;
    int descriptor = memfd_create("quell-testkit", MFD_CLOEXEC);
    if (descriptor < 0 || dprintf(descriptor, "held by %d\n", getpid()) < 0) die("make", "a memfd");
    say("ready %d\n", getpid());
    rest();
}

static volatile sig_atomic_t asked;
static void ask(int signal) { asked = signal; }

// Listens on loopback, or on ADDRESS, and counts what all clients send. Writes "ready PORT"; on SIGUSR1 "bytes N"; when a client goes
// away "closed N".
int peer(int count, char **arguments) {
    int port = number(count, arguments, 0, 0);
    struct sockaddr_storage address;
    socklen_t length = name_of(count > 1 ? arguments[1] : "127.0.0.1", port, &address);
    int listener = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int yes = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 64) != 0) die("listen", "on loopback");
    struct sigaction action = {.sa_handler = ask};
    sigaction(SIGUSR1, &action, NULL);
    // The signal comes only while it waits: one that came between looking and waiting would be lost.
    sigset_t asking, before;
    sigemptyset(&asking);
    sigaddset(&asking, SIGUSR1);
    sigprocmask(SIG_BLOCK, &asking, &before);
    sigdelset(&before, SIGUSR1);
    say("ready %d\n", port_of(listener));
    struct pollfd open[64] = {{.fd = listener, .events = POLLIN}};
    nfds_t used = 1;
    unsigned long long total = 0;
    for (;;) {
        int ready = ppoll(open, used, NULL, &before);
        if (asked) {
            asked = 0;
            say("bytes %llu\n", total);
        }
        if (ready < 0) continue;
        for (nfds_t index = used; index-- > 1;) {
            if (open[index].revents == 0) continue;
            char buffer[65536];
            ssize_t got = read(open[index].fd, buffer, sizeof buffer);
            if (got > 0) {
                total += (unsigned long long)got;
                continue;
            }
            close(open[index].fd);
            open[index] = open[--used];
            say("closed %llu\n", total);
        }
        if (open[0].revents != 0 && used < 64) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (client >= 0) open[used++] = (struct pollfd){.fd = client, .events = POLLIN};
        }
    }
}

// Sends 64 bytes every five milliseconds. Writes "ready PROCESS" after the first; ends when the peer is gone.
int client(int count, char **arguments) {
    if (count < 2) return 64;
    signal(SIGPIPE, SIG_IGN);
    int descriptor = connect_to(arguments[0], number(count, arguments, 1, 1));
    char bytes[64];
    memset(bytes, 'q', sizeof bytes);
    for (int first = 1;; first = 0) {
        if (send(descriptor, bytes, sizeof bytes, 0) < 0) die("send to", arguments[0]);
        if (first) say("ready %d\n", getpid());
        usleep(5000);
    }
}
