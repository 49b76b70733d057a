// A session that runs from its freeze by every means it has: threads, forks, double forks, new sessions, moves between
// cgroups, exec of itself, an empty environment. Harmless: it writes nothing but its own pid into the cgroup files it is
// given, keeps the number of its processes small, and ends by itself at a moment that it cannot forget.
#define _GNU_SOURCE
#include "testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static int group_count;
static char **groups;
static char **own_arguments;
static uint64_t end;
static uint64_t seed;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static unsigned dice(unsigned sides) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % sides;
}

static void reseed(void) { seed ^= (uint64_t)getpid() * 0x9E3779B97F4A7C15u ^ now(); }

static void spin(unsigned microseconds) {
    uint64_t until = now() + microseconds * 1000u;
    while (now() < until) continue;
}

// A write that fails (the group is full, gone or not ours) is tried again another time.
static void write_id(const char *file, long id) {
    int descriptor = open(file, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    char text[24];
    int length = snprintf(text, sizeof text, "%ld", id);
    if (write(descriptor, text, (size_t)length) < 0) errno = 0;
    close(descriptor);
}

static void move_somewhere(const char *file) {
    if (group_count == 0) return;
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", groups[dice((unsigned)group_count)], file);
    write_id(path, getpid());
}

static void *thread_life(void *unused) {
    (void)unused;
    spin(2000);
    return NULL;
}

static void start_thread(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, thread_life, NULL) == 0) pthread_detach(thread);
}

// The same program again, with nothing in its environment that told whose it is.
static void become_anew(void) {
    char *none[] = {NULL};
    execve("/proc/self/exe", own_arguments, none);
}

static _Noreturn void live(void);

static void fork_child(int is_double, int is_new_session) {
    if (fork() != 0) return;
    if (is_new_session) setsid();
    if (is_double && fork() != 0) _exit(0);
    reseed();
    live();
}

static void fork_by_vfork(void) {
    pid_t child = vfork();
    if (child == 0) _exit(0);
}

static _Noreturn void live(void) {
    signal(SIGCHLD, SIG_IGN);
    while (now() < end) {
        switch (dice(16)) {
        case 0: case 1: case 2: fork_child(0, 0); break;
        case 3: case 4: fork_child(1, 0); break;
        case 5: fork_child(1, 1); break;
        case 6: fork_child(0, 1); break;
        case 7: case 8: move_somewhere("cgroup.procs"); break;
        case 9: move_somewhere("tasks"); break;
        case 10: start_thread(); break;
        case 11: become_anew(); break;
        case 12: fork_by_vfork(); break;
        case 13: if (dice(6) == 0) _exit(0); break;
        default: spin(300);
        }
        usleep(200 + dice(2000));
    }
    _exit(0);
}

// adversary END GROUP...: END is CLOCK_MONOTONIC in nanoseconds, or `+S` for S seconds from now.
int adversary(int count, char **arguments) {
    if (count < 1) return 64;
    char moment[32];
    if (arguments[0][0] == '+') {
        end = now() + strtoull(arguments[0] + 1, NULL, 10) * 1000000000u;
    } else {
        end = strtoull(arguments[0], NULL, 10);
    }
    snprintf(moment, sizeof moment, "%llu", (unsigned long long)end);
    groups = arguments + 1;
    group_count = count - 1;
    own_arguments = calloc((size_t)count + 3, sizeof *own_arguments);
    if (own_arguments == NULL) die("calloc", "arguments");
    own_arguments[0] = "quell-testkit";
    own_arguments[1] = "adversary";
    own_arguments[2] = moment;
    for (int index = 1; index < count; index++) own_arguments[index + 2] = arguments[index];
    reseed();
    if (arguments[0][0] == '+') {
        // The first one never ends before the end, so that there is a leader to find.
        signal(SIGCHLD, SIG_IGN);
        for (int index = 0; index < 8; index++) fork_child(0, 0);
        say("ready\n");
        while (now() < end) {
            fork_child(1, 1);
            usleep(20000);
        }
        return 0;
    }
    live();
}
