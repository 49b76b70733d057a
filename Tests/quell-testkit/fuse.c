// A file that a process serves by the raw protocol of /dev/fuse, laid over the arguments and the environment of others,
// and an accomplice that makes everybody wait who reads those. Since Linux 4.17 the kernel does not read arguments from
// a file's pages (CVE-2018-1120), so the pages alone hold nobody up. The lock on the memory does: one thread reads such a
// page through /proc/PID/mem and holds the lock until the server answers, a second one asks for it alone, and every
// reader of cmdline stands behind the second. Sources: fuse(4), linux/fuse.h, proc_pid_cmdline(5), mm/memory.c.
#define _GNU_SOURCE
#include "testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { FILE_NODE = 2, FILE_SIZE = 1 << 20, PAD = 3 * 4096, LIFE_SECONDS = 120 };

// SIGUSR1 asks how many requests came since it asked last; after SIGUSR2 requests are taken and never answered.
static volatile sig_atomic_t is_asked, is_mute;
static int answers_no_reads;
static void heed(int number) {
    if (number == SIGUSR1) is_asked = 1;
    if (number == SIGUSR2) is_mute = 1;
}

static struct fuse_attr attributes_of(uint64_t node) {
    struct fuse_attr found = {.ino = node, .nlink = 1, .mode = S_IFDIR | 0755, .blksize = 4096};
    if (node == FILE_NODE) {
        found.mode = S_IFREG | 0644;
        found.size = FILE_SIZE;
    }
    return found;
}

static void reply(int device, uint64_t request, int error, const void *body, size_t size) {
    static uint8_t buffer[sizeof(struct fuse_out_header) + (1 << 20)];
    struct fuse_out_header head = {.len = (uint32_t)(sizeof head + size), .error = -error, .unique = request};
    memcpy(buffer, &head, sizeof head);
    if (size > 0) memcpy(buffer + sizeof head, body, size);
    // ENOENT: the one who asked has ended.
    if (write(device, buffer, head.len) < 0 && errno != ENOENT) die("write", "/dev/fuse");
}

static void answer(int device, const struct fuse_in_header *head, const void *body) {
    static uint8_t content[1 << 20];
    switch (head->opcode) {
    case FUSE_INIT: {
        const struct fuse_init_in *wish = body;
        struct fuse_init_out offer = {.major = FUSE_KERNEL_VERSION, .minor = wish->minor, .max_readahead = 65536};
        // Asynchronous reads ahead are what nothing interrupts.
        offer.flags = FUSE_ASYNC_READ;
        offer.max_background = 64;
        offer.congestion_threshold = 48;
        offer.max_write = 4096;
        return reply(device, head->unique, 0, &offer, sizeof offer);
    }
    case FUSE_LOOKUP: {
        struct fuse_entry_out entry = {.nodeid = FILE_NODE, .attr = attributes_of(FILE_NODE), .attr_valid = 0};
        // With an error the kernel takes no body.
        if (strcmp(body, "file") != 0) return reply(device, head->unique, ENOENT, NULL, 0);
        return reply(device, head->unique, 0, &entry, sizeof entry);
    }
    case FUSE_GETATTR: {
        struct fuse_attr_out told = {.attr_valid = 0, .attr = attributes_of(head->nodeid)};
        return reply(device, head->unique, 0, &told, sizeof told);
    }
    case FUSE_OPEN: {
        struct fuse_open_out opened = {.fh = 1};
        return reply(device, head->unique, 0, &opened, sizeof opened);
    }
    case FUSE_READ: {
        if (answers_no_reads) return;
        const struct fuse_read_in *wanted = body;
        size_t size = wanted->size < sizeof content ? wanted->size : sizeof content;
        memset(content, 'a', size);
        return reply(device, head->unique, 0, content, size);
    }
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return;
    default: return reply(device, head->unique, ENOSYS, NULL, 0);
    }
}

// Whatever becomes of the test, the server ends, and with it every wait for it: the kernel gives the signal to a process
// that is stopped, too.
static void end_after(int seconds) {
    struct sigevent how = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    struct itimerspec when = {.it_value = {.tv_sec = seconds}};
    timer_t timer;
    if (timer_create(CLOCK_MONOTONIC, &how, &timer) != 0) die("make", "a timer");
    if (timer_settime(timer, 0, &when, NULL) != 0) die("set", "a timer");
}

static _Noreturn void serve_requests(int device) {
    static uint8_t buffer[1 << 20] __attribute__((aligned(8)));
    struct sigaction heeding = {.sa_handler = heed};
    sigaction(SIGUSR1, &heeding, NULL);
    sigaction(SIGUSR2, &heeding, NULL);
    end_after(LIFE_SECONDS);
    int requests = 0, was_mute = 0;
    for (;;) {
        ssize_t count = read(device, buffer, sizeof buffer);
        if (is_mute && !was_mute) say("mute\n");
        was_mute = is_mute;
        if (count > 0) requests++;
        if (is_asked) {
            is_asked = 0;
            say("requests %d\n", requests);
            requests = 0;
        }
        if (count < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
        if (count < 0) _exit(0);
        const struct fuse_in_header *head = (const void *)buffer;
        if (!is_mute) answer(device, head, buffer + sizeof *head);
    }
}

// A mount that nobody else sees, and that goes with the last process of its namespace.
static int mount_at(const char *folder) {
    if (unshare(CLONE_NEWNS) != 0) die("unshare", "the mounts");
    if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) die("make private", "/");
    int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (device < 0) die("open", "/dev/fuse");
    char options[64];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0", device);
    if (mount("quell-testkit", folder, "fuse", MS_NOSUID | MS_NODEV, options) != 0) die("mount", folder);
    return device;
}

static void read_stat(const char *path, char *text, size_t size) {
    int stat = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = stat < 0 ? -1 : read(stat, text, size - 1);
    if (length <= 0) die("read", path);
    text[length] = '\0';
    close(stat);
}

// The whole pages of a process's arguments and environment: fields 48 to 51 of /proc/PID/stat.
static void text_pages(pid_t pid, uintptr_t *start, uintptr_t *end) {
    char path[64], text[2048];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    read_stat(path, text, sizeof text);
    *start = *end = 0;
    char *next = strrchr(text, ')');
    for (int field = 2; next != NULL && field <= 51; field++) {
        if (field == 48) *start = (strtoull(next, NULL, 10) + 4095) & ~(uintptr_t)4095;
        if (field == 51) *end = strtoull(next, NULL, 10) & ~(uintptr_t)4095;
        next = strchr(next + 1, ' ');
    }
}

// slowmember FILE PIPE PADDING: lays pages of the open file over its own arguments and environment.
int slow_member(int count, char **arguments) {
    if (count < 3) return 64;
    int file = number(count, arguments, 0, 0), told = number(count, arguments, 1, 0);
    uintptr_t start = 0, end = 0;
    text_pages(getpid(), &start, &end);
    if (start == 0 || end < start + PAD) die("find", "the arguments");
    void *over = mmap((void *)start, end - start, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0);
    if (over == MAP_FAILED) die("map", "the file");
    if (write(told, "+", 1) != 1) die("write", "the pipe");
    close(told);
    rest();
}

static _Noreturn void become_member(int file, int told) {
    static char pad[PAD + 1], environment[PAD + 8] = "PAD=";
    char file_text[16], told_text[16];
    memset(pad, 'p', PAD);
    memset(environment + 4, 'e', PAD);
    snprintf(file_text, sizeof file_text, "%d", file);
    snprintf(told_text, sizeof told_text, "%d", told);
    char *own[] = {"quell-testkit", "slowmember", file_text, told_text, pad, NULL};
    char *mark = getenv("QUELL_TEST_SANDBOX");
    char marked[256];
    snprintf(marked, sizeof marked, "QUELL_TEST_SANDBOX=%s", mark == NULL ? "" : mark);
    char *variables[] = {marked, environment, NULL};
    execve("/proc/self/exe", own, variables);
    die("exec", "/proc/self/exe");
}

// servefile FOLDER [--no-reads]: mounts there, and serves `file`, but for its content when told so. Writes "ready SERVER"; on SIGUSR2 "mute", and answers no more; on SIGUSR1
// "requests N", how many came since it was asked last.
int serve_file(int count, char **arguments) {
    if (count < 1) return 64;
    answers_no_reads = count > 1 && strcmp(arguments[1], "--no-reads") == 0;
    int device = mount_at(arguments[0]);
    say("ready %d\n", getpid());
    serve_requests(device);
}

// slowargs SERVER FOLDER N: N processes whose arguments and environment that server serves, which hold its file open and
// work in its folder. Writes "ready PARENT MEMBER...", at most 8 of them.
int slow_arguments(int count, char **arguments) {
    int server = number(count, arguments, 0, 1), members = number(count, arguments, 2, 1);
    char folder[4096];
    snprintf(folder, sizeof folder, "/proc/%d/root%s", server, arguments[1]);
    int place = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (place < 0) die("open", folder);
    int file = openat(place, "file", O_RDONLY), ready[2];
    if (file < 0) die("open", "the file");
    if (pipe(ready) != 0) die("make", "a pipe");
    char line[256];
    int length = snprintf(line, sizeof line, "ready %d", getpid());
    for (int index = 0; index < members; index++) {
        pid_t member = spawn();
        if (member == 0) {
            close(ready[0]);
            if (fchdir(place) != 0) die("enter", folder);
            become_member(file, ready[1]);
        }
        if (index < 8) length += snprintf(line + length, sizeof line - (size_t)length, " %d", member);
    }
    char mark;
    for (int index = 0; index < members; index++)
        if (read(ready[0], &mark, 1) != 1) die("read", "the pipe");
    close(file);
    close(place);
    say("%s\n", line);
    rest();
}

// stuck SERVER FOLDER N: N processes that sleep, and one that reads what that server never answers: the kernel does not
// freeze it. Writes "ready PARENT STUCK".
int stuck_reader(int count, char **arguments) {
    int server = number(count, arguments, 0, 1), sleeping = number(count, arguments, 2, 0);
    char path[4096], text[2048], byte;
    snprintf(path, sizeof path, "/proc/%d/root%s/file", server, arguments[1]);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) die("open", path);
    for (int index = 0; index < sleeping; index++)
        if (spawn() == 0) rest();
    pid_t reader = spawn();
    if (reader == 0) {
        if (read(file, &byte, 1) < 0) errno = 0;
        rest();
    }
    close(file);
    snprintf(path, sizeof path, "/proc/%d/stat", reader);
    do read_stat(path, text, sizeof text);
    while (strstr(text, ") D ") == NULL && usleep(200) == 0);
    say("ready %d %d\n", getpid(), reader);
    rest();
}

struct hold {
    pid_t pid;
    pid_t readers[2];
};

static void become_known(pid_t *place) { __atomic_store_n(place, gettid(), __ATOMIC_RELEASE); }

// Holds the lock on the memory of another process for as long as the server does not answer.
static void *hold_shared(void *given) {
    struct hold *hold = given;
    char path[64], byte;
    uintptr_t start, end;
    text_pages(hold->pid, &start, &end);
    snprintf(path, sizeof path, "/proc/%d/mem", hold->pid);
    int memory = open(path, O_RDONLY | O_CLOEXEC);
    if (memory < 0) die("open", path);
    become_known(&hold->readers[0]);
    if (pread(memory, &byte, 1, (off_t)start) < 0) errno = 0;
    rest();
}

// Asks for the same lock alone.
static void *wait_exclusive(void *given) {
    struct hold *hold = given;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/clear_refs", hold->pid);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0) die("open", path);
    become_known(&hold->readers[1]);
    if (write(file, "1", 1) < 0) errno = 0;
    rest();
}

static void wait_until_stuck(pid_t *place) {
    char path[64], text[2048];
    for (;; usleep(200)) {
        pid_t thread = __atomic_load_n(place, __ATOMIC_ACQUIRE);
        if (thread == 0) continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
        read_stat(path, text, sizeof text);
        char *state = strrchr(text, ')');
        if (state != NULL && state[2] == 'D') return;
    }
}

static void start_small(void *(*body)(void *), struct hold *hold) {
    pthread_t thread;
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, 65536);
    if (pthread_create(&thread, &attributes, body, hold) != 0) die("start", "a thread");
}

// holdmemory PARENT: once their server is mute, makes everybody wait who reads the arguments of PARENT's children. Writes
// "ready N".
int hold_memory(int count, char **arguments) {
    int parent = number(count, arguments, 0, 1), held = 0;
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", parent, parent);
    FILE *children = fopen(path, "re");
    if (children == NULL) die("open", path);
    for (int pid; fscanf(children, "%d", &pid) == 1; held++) {
        struct hold *hold = calloc(1, sizeof *hold);
        if (hold == NULL) die("calloc", "a hold");
        hold->pid = pid;
        start_small(hold_shared, hold);
        wait_until_stuck(&hold->readers[0]);
        start_small(wait_exclusive, hold);
        wait_until_stuck(&hold->readers[1]);
    }
    say("ready %d\n", held);
    rest();
}
