// Process trees of every unpleasant shape.
#define _GNU_SOURCE
#include "testkit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *rest_in_thread(void *unused) {
    (void)unused;
    rest();
}

static void start_threads(int threads) {
    for (int index = 0; index < threads; index++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, rest_in_thread, NULL) != 0) die("start", "a thread");
    }
}

// N sleeping children, each with T threads beside its first. Writes "ready PARENT".
int sleepers(int count, char **arguments) {
    int wanted = number(count, arguments, 0, 0);
    int threads = count > 2 && strcmp(arguments[1], "--threads") == 0 ? number(count, arguments, 2, 0) : 0;
    int started[2];
    if (pipe2(started, O_CLOEXEC) != 0) die("make", "a pipe");
    for (int index = 0; index < wanted; index++) {
        if (spawn() != 0) continue;
        start_threads(threads);
        if (write(started[1], "+", 1) != 1) die("write", "the pipe");
        rest();
    }
    char mark;
    for (int index = 0; index < wanted; index++) {
        if (read(started[0], &mark, 1) != 1) die("read", "the pipe");
    }
    say("ready %d\n", getpid());
    rest();
}

// N chains in which every process forks its successor and ends, as fast as it can; the parent adopts and reaps them, so
// that zombies do not eat the machine's pids. Writes "ready PARENT".
int forkstorm(int count, char **arguments) {
    int chains = number(count, arguments, 0, 1);
    signal(SIGCHLD, SIG_IGN);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) die("become", "a subreaper");
    for (int index = 0; index < chains; index++) {
        if (spawn() != 0) continue;
        for (;;) {
            pid_t next = fork();
            if (next > 0) _exit(0);
        }
    }
    say("ready %d\n", getpid());
    rest();
}

// A grandchild in a session of its own whose parent is gone. Writes "ready GRANDCHILD".
int doublefork(int count, char **arguments) {
    (void)count, (void)arguments;
    pid_t middle = spawn();
    if (middle == 0) {
        setsid();
        pid_t before = getpid();
        if (spawn() != 0) _exit(0);
        while (getppid() == before) usleep(200);
        say("ready %d\n", getpid());
        rest();
    }
    waitpid(middle, NULL, 0);
    rest();
}

// A child that leads its own session. Writes "ready CHILD".
int new_session(int count, char **arguments) {
    (void)count, (void)arguments;
    if (spawn() == 0) {
        setsid();
        say("ready %d\n", getpid());
    }
    rest();
}

// A child that moves itself into another cgroup. Writes "ready CHILD".
int move_cgroup(int count, char **arguments) {
    if (count < 1) return 64;
    if (spawn() == 0) {
        join_cgroup(arguments[0]);
        say("ready %d\n", getpid());
    }
    rest();
}

// A child whose environment is empty. Writes "ready CHILD".
int empty_environment(int count, char **arguments) {
    (void)count, (void)arguments;
    if (spawn() == 0) {
        char *own[] = {"quell-testkit", "sleepers", "0", NULL};
        char *nothing[] = {NULL};
        execve("/proc/self/exe", own, nothing);
        die("exec", "/proc/self/exe");
    }
    rest();
}

// A parent that the kernel holds in vfork(2) because its child neither execs nor ends. Writes "ready PARENT CHILD".
int stuck_in_vfork(int count, char **arguments) {
    (void)count, (void)arguments;
    if (spawn() == 0) {
        pid_t parent = getpid();
        if (vfork() == 0) {
            say("ready %d %d\n", parent, getpid());
            for (;;) pause();
        }
        _exit(0);
    }
    rest();
}

static void *move_thread(void *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/tasks", (const char *)folder);
    char task[32];
    int length = snprintf(task, sizeof task, "%ld", syscall(SYS_gettid));
    int descriptor = open(path, O_WRONLY | O_CLOEXEC);
    if (descriptor < 0 || write(descriptor, task, (size_t)length) != length) die("join", path);
    close(descriptor);
    say("ready %d %s\n", getpid(), task);
    rest();
}

// A process of which one thread stands in another v1 cgroup. Writes "ready PROCESS THREAD".
int thread_elsewhere(int count, char **arguments) {
    if (count < 1) return 64;
    pthread_t thread;
    if (pthread_create(&thread, NULL, move_thread, arguments[0]) != 0) die("start", "a thread");
    rest();
}

static void *outlive_leader(void *unused) {
    (void)unused;
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", getpid());
    for (;;) {
        char text[512] = "";
        int descriptor = open(path, O_RDONLY | O_CLOEXEC);
        if (descriptor >= 0) {
            if (read(descriptor, text, sizeof text - 1) < 0) text[0] = '\0';
            close(descriptor);
        }
        if (strstr(text, ") Z ") != NULL) break;
        usleep(200);
    }
    say("ready %d %ld\n", getpid(), syscall(SYS_gettid));
    rest();
}

// A process whose first thread has ended while another lives. Writes "ready PROCESS THREAD".
int zombie_leader(int count, char **arguments) {
    (void)count, (void)arguments;
    if (spawn() == 0) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, outlive_leader, NULL) != 0) die("start", "a thread");
        pthread_exit(NULL);
    }
    rest();
}

// A parent that adopts its orphaned grandchild. Writes "ready PARENT GRANDCHILD".
int subreaper(int count, char **arguments) {
    (void)count, (void)arguments;
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) die("become", "a subreaper");
    pid_t parent = getpid();
    pid_t middle = spawn();
    if (middle == 0) {
        if (spawn() != 0) _exit(0);
        while (getppid() != parent) usleep(200);
        say("ready %d %d\n", parent, getpid());
        rest();
    }
    waitpid(middle, NULL, 0);
    rest();
}

// Wakes every 20 ms and does next to nothing: whether it runs shows in its CPU time.
int ticker(int count, char **arguments) {
    (void)count;
    (void)arguments;
    say("ready\n");
    for (;;) usleep(20000);
}

// Writes other words over its own arguments, unless the file MARK is there already, which it makes: whoever comes next with
// the same arguments keeps them. Writes "ready PROCESS".
int retitle(int count, char **arguments) {
    if (count < 1) return 64;
    int mark = open(arguments[0], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (mark >= 0) memset(arguments[0], 'x', strlen(arguments[0]));
    say("ready %d\n", getpid());
    rest();
}
