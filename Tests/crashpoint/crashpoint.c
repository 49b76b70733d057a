// Loaded into the release binary by scripts/crash-test: kills the process with SIGKILL at its Nth crash point. There are
// two a sync: right before the data is asked to the disk, and right after. Every commit of the journal is a sync, so the
// runner can be killed at every journal position without a hook in the product.
//
//   QUELL_CRASH_AT      the point to die at; absent: never
//   QUELL_CRASH_COUNT   a file that gets the number of points passed, when the process ends by itself
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long passed;

static void point(void) {
    long number = atomic_fetch_add(&passed, 1) + 1;
    const char *wanted = getenv("QUELL_CRASH_AT");
    if (wanted != NULL && strtol(wanted, NULL, 10) == number) kill(getpid(), SIGKILL);
}

static int sync_by(const char *name, int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
    point();
    int result = real(file);
    point();
    return result;
}

int fsync(int file) { return sync_by("fsync", file); }
int fdatasync(int file) { return sync_by("fdatasync", file); }

static pid_t owner;

__attribute__((constructor)) static void begin(void) { owner = getpid(); }

// Written by the process that was started, not by its children, whether it ends by exit(3) or at once.
__attribute__((destructor)) static void tell(void) {
    const char *path = getenv("QUELL_CRASH_COUNT");
    if (path == NULL || getpid() != owner) return;
    FILE *file = fopen(path, "we");
    if (file == NULL) return;
    fprintf(file, "%ld\n", atomic_load(&passed));
    fclose(file);
}

_Noreturn void _exit(int status) {
    tell();
    for (;;) syscall(SYS_exit_group, status);
}
