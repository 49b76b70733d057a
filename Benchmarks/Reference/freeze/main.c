// The yardstick of `quell freeze`: what the kernel and the disk must be asked at least, in C, with nothing around it.
//
//     reference-freeze JOURNAL UNIFIED-CGROUP [FREEZER-CGROUP]
//
// Cgroup paths are relative to the root of their hierarchy. It makes its own mounts of proc, cgroup2 and the v1 freezer,
// commits an intent record, freezes, waits for the kernel's word, commits the outcome, and then scans /proc twice as a
// proof must: the cgroups of every process; state of every thread of the members; parent, session, uid and three
// namespaces of every outsider. It prints CLOCK_MONOTONIC stamps as JSON.
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
    ssize_t total = 0, count;
    while ((count = read(file, text + total, size - 1 - (size_t)total)) > 0) total += count;
    close(file);
    if (count < 0) return -1;
    text[total] = '\0';
    return total;
}

static unsigned long scan_threads(int process) {
    char name[64], text[4096];
    int tasks = openat(process, "task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (tasks < 0) return 0;
    DIR *listing = fdopendir(tasks);
    unsigned long threads = 0;
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (*entry->d_name == '.') continue;
        snprintf(name, sizeof name, "%.20s/stat", entry->d_name);
        if (slurp(tasks, name, text, sizeof text) > 0) threads++;
        snprintf(name, sizeof name, "%.20s/cgroup", entry->d_name);
        if (slurp(tasks, name, text, sizeof text) < 0) continue;
    }
    closedir(listing);
    return threads;
}

struct scan {
    unsigned long members, threads, outsiders, sum;
};

static struct scan scan(int proc, const char *group) {
    struct scan result = {0};
    static const char *const namespaces[] = {"ns/pid", "ns/mnt", "ns/net"};
    char text[8192], line[512];
    snprintf(line, sizeof line, "0::%s\n", group);
    DIR *listing = fdopendir(openat(proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (listing == NULL) die("list /proc");
    for (struct dirent *entry; (entry = readdir(listing)) != NULL;) {
        if (*entry->d_name < '1' || *entry->d_name > '9') continue;
        int process = openat(proc, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (process < 0) continue;
        if (slurp(process, "cgroup", text, sizeof text) > 0) {
            if (strstr(text, line) != NULL) {
                result.members++;
                result.threads += scan_threads(process);
                result.sum += strtoul(entry->d_name, NULL, 10);
            } else {
                result.outsiders++;
                if (slurp(process, "stat", text, sizeof text) < 0) text[0] = '\0';
                struct stat owner;
                fstat(process, &owner);
                for (size_t index = 0; index < 3; index++) {
                    if (readlinkat(process, namespaces[index], text, sizeof text) < 0) break;
                }
            }
        }
        close(process);
    }
    closedir(listing);
    return result;
}

int main(int count, char **arguments) {
    uint64_t begin = monotonic();
    if (count < 3) return 64;
    int proc = own_mount("proc", NULL);
    int unified = open_below(own_mount("cgroup2", NULL), arguments[2], O_PATH | O_DIRECTORY);
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

    struct scan first = scan(proc, arguments[2]), second;
    for (;;) {
        second = scan(proc, arguments[2]);
        if (first.members == second.members && first.threads == second.threads && first.sum == second.sum) break;
        first = second;
    }
    await(unified, "cgroup.events", "frozen 1");
    uint64_t proof = monotonic();
    printf("{\"begin\":%llu,\"frozen\":%llu,\"proof\":%llu,\"members\":%lu,\"threads\":%lu,\"outsiders\":%lu}\n",
        (unsigned long long)begin, (unsigned long long)frozen, (unsigned long long)proof, second.members, second.threads,
        second.outsiders);
    return 0;
}
