// Processes that are joined: tool servers with clients, pipes, locks on files.
#define _GNU_SOURCE
#include "testkit.h"

#include <sys/resource.h>
#include <stddef.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static socklen_t local_name(const char *path, struct sockaddr_un *name) {
    memset(name, 0, sizeof *name);
    name->sun_family = AF_UNIX;
    snprintf(name->sun_path, sizeof name->sun_path, "%s", path);
    return sizeof *name;
}

static int tcp_listener(void) {
    struct sockaddr_storage name;
    socklen_t length = name_of("127.0.0.1", 0, &name);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, length) != 0 || listen(listener, 16) != 0) {
        die("listen", "on loopback");
    }
    return listener;
}

static int unix_listener(const char *path) {
    struct sockaddr_un name;
    socklen_t length = local_name(path, &name);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&name, length) != 0 || listen(listener, 16) != 0) {
        die("listen", path);
    }
    return listener;
}

// A server at a unix socket PATH, or on loopback for "tcp", which calls itself NAME when one is given. Writes "ready
// PROCESS PORT", and "client N" with each client that it accepted; every byte that it gets it gives back.
int serve(int count, char **arguments) {
    if (count < 1) return 64;
    int is_tcp = strcmp(arguments[0], "tcp") == 0;
    int listener = is_tcp ? tcp_listener() : unix_listener(arguments[0]);
    if (count > 1) prctl(PR_SET_NAME, arguments[1]);
    say("ready %d %d\n", getpid(), is_tcp ? port_of(listener) : 0);
    struct pollfd open[64] = {{.fd = listener, .events = POLLIN}};
    nfds_t used = 1;
    for (;;) {
        if (poll(open, used, -1) < 0) continue;
        for (nfds_t index = used; index-- > 1;) {
            if (open[index].revents == 0) continue;
            char byte;
            if (read(open[index].fd, &byte, 1) == 1) {
                (void)!write(open[index].fd, &byte, 1);
                continue;
            }
            close(open[index].fd);
            open[index] = open[--used];
        }
        if (open[0].revents != 0 && used < 64) {
            int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
            if (client < 0) continue;
            open[used] = (struct pollfd){.fd = client, .events = POLLIN};
            say("client %d\n", (int)used++);
        }
    }
}

// A client of the server at the unix socket PATH, or at HOST PORT: has talked to it and stays connected. Writes "ready
// PROCESS".
int call(int count, char **arguments) {
    if (count < 1) return 64;
    int fd;
    if (count > 1) {
        fd = connect_to(arguments[0], number(count, arguments, 1, 1));
    } else {
        struct sockaddr_un name;
        socklen_t length = local_name(arguments[0], &name);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || connect(fd, (struct sockaddr *)&name, length) != 0) die("connect to", arguments[0]);
    }
    char byte = '+';
    if (write(fd, &byte, 1) != 1 || read(fd, &byte, 1) != 1) die("talk to", arguments[0]);
    say("ready %d\n", getpid());
    rest();
}

// Listens at N names at once. Writes "ready PROCESS".
int crowd(int count, char **arguments) {
    int listeners = number(count, arguments, 0, 1);
    struct rlimit limit = {(rlim_t)listeners + 64, (rlim_t)listeners + 64};
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("raise", "the limit of open files");
    for (int index = 0; index < listeners; index++) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        int length = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "quell-crowd-%d-%d", getpid(), index);
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
        if (fd < 0 || bind(fd, (struct sockaddr *)&name, size) != 0 || listen(fd, 1) != 0) die("listen", "at a name");
    }
    say("ready %d\n", getpid());
    rest();
}

// A child in the cgroup GROUP that writes into a pipe from which its parent, outside, reads. Writes "ready CHILD PARENT".
int piped(int count, char **arguments) {
    if (count < 1) return 64;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) die("make", "a pipe");
    pid_t parent = getpid();
    if (spawn() == 0) {
        close(ends[0]);
        join_cgroup(arguments[0]);
        say("ready %d %d\n", getpid(), parent);
        rest();
    }
    close(ends[1]);
    rest();
}

// Holds a lock on the file PATH; with "wait" it waits for one instead, and says so beforehand. Writes "ready PROCESS".
int lock_file(int count, char **arguments) {
    if (count < 1) return 64;
    int fd = open(arguments[0], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) die("open", arguments[0]);
    if (count > 1) say("ready %d\n", getpid());
    if (flock(fd, LOCK_EX) != 0) die("lock", arguments[0]);
    if (count == 1) say("ready %d\n", getpid());
    rest();
}
