// The yardstick of `quell freeze`: what the kernel and the disk must be asked at least, in C, with nothing around it.
//
//     reference-freeze JOURNAL UNIFIED-CGROUP [FREEZER-CGROUP]
//
// Cgroup paths are relative to the root of their hierarchy. It makes its own mounts of proc, cgroup2 and the v1 freezer,
// commits an intent record, freezes, waits for the kernel's word, commits the outcome, and then scans /proc until two
// scans agree, as a proof must: stat and cgroup of every process, and its pid namespace once. That is what Quell reads,
// no more. It prints CLOCK_MONOTONIC stamps as JSON.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *tried) {
    fprintf(stderr, "reference-freeze: %s: %s\n", tried, strerror(errno));
    exit(1);
}

static uint64_t monotonic(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int own_mount(const char *type, const char *option) {
    int context = fsopen(type, FSOPEN_CLOEXEC);
    if (context < 0) die(type);
    if (option != NULL && fsconfig(context, FSCONFIG_SET_FLAG, option, NULL, 0) != 0) die(option);
    if (fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) != 0) die("create the mount");
    int mount = fsmount(context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    if (mount < 0) die("mount");
    close(context);
    return mount;
}

// A clone of the machine's cgroup2 mount: making it anew waits for a grace period of RCU, which Quell does not do either.
static int unified_root(void) {
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    if (mounts == NULL) die("read the mount table");
    char line[4096], point[4096];
    int clone = -1;
    while (clone < 0 && fgets(line, sizeof line, mounts) != NULL) {
        if (strstr(line, " - cgroup2 ") == NULL || sscanf(line, "%*s %*s %*s / %4095s", point) != 1) continue;
        clone = open_tree(AT_FDCWD, point, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    }
    fclose(mounts);
    if (clone < 0) die("clone cgroup2");
    return clone;
}

static int open_below(int folder, const char *path, int flags) {
    return openat(folder, *path == '/' ? path + 1 : path, flags | O_CLOEXEC);
}

static void commit(int journal, const char *kind, const char *group) {
    char record[512];
    int length = snprintf(record, sizeof record,
        "{\"sequence\":1,\"wall\":%ld,\"kind\":\"%s\",\"effect\":{\"freeze\":\"%s\"},\"previous\":\"%064d\"}\n", (long)time(NULL), kind,
        group, 0);
    if (write(journal, record, (size_t)length) != length || fdatasync(journal) != 0) die("commit the record");
}

static int write_control(int folder, const char *name, const char *text) {
    int file = open_below(folder, name, O_WRONLY);
    if (file < 0) die(name);
    if (write(file, text, strlen(text)) < 0) die(name);
    close(file);
    return 0;
}

// Re-reads for 20 ms, then waits for a notice: the kernel sends at most one in 10 ms.
static void await(int folder, const char *name, const char *wanted) {
    int file = open_below(folder, name, O_RDONLY);
    if (file < 0) die(name);
    uint64_t patience = monotonic() + 20000000u, deadline = monotonic() + 5000000000u;
    char text[256];
    for (;;) {
        ssize_t count = pread(file, text, sizeof text - 1, 0);
        if (count < 0) die(name);
        text[count] = '\0';
        if (strstr(text, wanted) != NULL) break;
        if (monotonic() > deadline) {
            errno = ETIMEDOUT;
            die(name);
        }
        if (monotonic() > patience) {
            struct pollfd waiting = {.fd = file, .events = POLLPRI};
            poll(&waiting, 1, 1000);
        }
    }
    close(file);
}

static ssize_t slurp(int folder, const char *name, char *text, size_t size) {
    int file = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    // These files are given whole in one call.
    ssize_t count = read(file, text, size - 1);
    close(file);
    if (count < 0) return -1;
    text[count] = '\0';
    return count;
}

// One process as a scan saw it.
struct seen {
    int pid, inside;
    char state;
    unsigned long long began, space;
};

struct scan {
    size_t count, members, room;
    struct seen *list;
};

#define KERNEL_THREAD 0x00200000ul

// Fields 3 (state), 9 (flags) and 22 (start time) of /proc/PID/stat; the name in field 2 may hold anything.
static int parse(const char *text, struct seen *process, unsigned long *flags) {
    const char *end = strrchr(text, ')');
    return end != NULL && sscanf(end + 2, "%c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
        &process->state, flags, &process->began) == 3;
}

// Both scans list by ascending pid, so the earlier one is walked along.
static const struct seen *find(const struct scan *earlier, size_t *from, const struct seen *process) {
    if (earlier == NULL) return NULL;
    while (*from < earlier->count && earlier->list[*from].pid < process->pid) ++*from;
    if (*from == earlier->count || earlier->list[*from].pid != process->pid) return NULL;
    return earlier->list[*from].began == process->began ? &earlier->list[*from] : NULL;
}

// Every process: stat and, but for the kernel's own threads, cgroup; its pid namespace when it is seen the first time.
static void scan(int proc, const char *group, struct scan *result, const struct scan *earlier) {
    char text[8192], name[64], line[512];
    snprintf(line, sizeof line, "0::%s\n", group);
    size_t from = 0;
    result->count = result->members = 0;
    DIR *listing = fdopendir(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (listing == NULL) die("list /proc");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (*entry->d_name < '1' || *entry->d_name > '9') continue;
        struct seen process = {.pid = atoi(entry->d_name)};
        unsigned long flags;
        snprintf(name, sizeof name, "%d/stat", process.pid);
        if (slurp(proc, name, text, sizeof text) < 0 || !parse(text, &process, &flags)) continue;
        if (flags & KERNEL_THREAD || process.state == 'Z') continue;
        snprintf(name, sizeof name, "%d/cgroup", process.pid);
        if (slurp(proc, name, text, sizeof text) < 0) continue;
        process.inside = strstr(text, line) != NULL;
        const struct seen *known = find(earlier, &from, &process);
        if (known != NULL) {
            process.space = known->space;
        } else {
            snprintf(name, sizeof name, "%d/ns/pid", process.pid);
            ssize_t length = readlinkat(proc, name, text, sizeof text - 1);
            text[length < 0 ? 0 : length] = '\0';
            sscanf(text, "pid:[%llu]", &process.space);
        }
        if (result->count == result->room) {
            result->room = result->room * 2 + 512;
            result->list = realloc(result->list, result->room * sizeof process);
            if (result->list == NULL) die("scan");
        }
        result->list[result->count++] = process;
        result->members += process.inside != 0;
    }
    closedir(listing);
}

// Whether both scans saw the same members, by pid and start time.
static int agree(const struct scan *one, const struct scan *other) {
    if (one->members != other->members) return 0;
    size_t from = 0;
    for (size_t index = 0; index < one->count; index++) {
        if (!one->list[index].inside) continue;
        const struct seen *same = find(other, &from, &one->list[index]);
        if (same == NULL || !same->inside) return 0;
    }
    return 1;
}

int main(int count, char **arguments) {
    uint64_t begin = monotonic();
    if (count < 3) return 64;
    int proc = own_mount("proc", NULL);
    int unified = open_below(unified_root(), arguments[2], O_PATH | O_DIRECTORY);
    if (unified < 0) die(arguments[2]);
    int freezer = -1;
    if (count > 3) {
        freezer = open_below(own_mount("cgroup", "freezer"), arguments[3], O_PATH | O_DIRECTORY);
        if (freezer < 0) die(arguments[3]);
    }
    int journal = open(arguments[1], O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) die(arguments[1]);

    commit(journal, "intent", arguments[2]);
    // One hierarchy after the other: a process that v1 holds does not get to say frozen to v2.
    write_control(unified, "cgroup.freeze", "1");
    await(unified, "cgroup.events", "frozen 1");
    if (freezer >= 0) {
        write_control(freezer, "freezer.state", "FROZEN");
        await(freezer, "freezer.state", "FROZEN");
    }
    uint64_t frozen = monotonic();
    commit(journal, "outcome", arguments[2]);

    struct scan first = {0}, second = {0};
    scan(proc, arguments[2], &first, NULL);
    for (;;) {
        scan(proc, arguments[2], &second, &first);
        if (agree(&first, &second)) break;
        struct scan swapped = first;
        first = second;
        second = swapped;
    }
    await(unified, "cgroup.events", "frozen 1");
    uint64_t proof = monotonic();
    printf("{\"begin\":%llu,\"frozen\":%llu,\"proof\":%llu,\"members\":%zu,\"seen\":%zu}\n", (unsigned long long)begin,
        (unsigned long long)frozen, (unsigned long long)proof, second.members, second.count);
    return 0;
}
