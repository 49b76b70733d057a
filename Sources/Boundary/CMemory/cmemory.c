#define _GNU_SOURCE
#include "cmemory.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>

// linux/fs.h of 6.7; the headers here are older.
struct scan {
    uint64_t size, flags, start, end, walked, regions, capacity, most, inverted, all, any, told;
};
#define SCAN _IOWR('f', 16, struct scan)

const uint64_t cmemory_page_file = 1 << 2;
const uint64_t cmemory_page_present = 1 << 3;
const uint64_t cmemory_page_swapped = 1 << 4;
const uint64_t cmemory_page_zero = 1 << 5;
const uint64_t cmemory_page_guard = 1 << 8;

long cmemory_scan(int pagemap, uint64_t start, uint64_t end, uint64_t *walked, struct cmemory_region *regions,
                  size_t capacity) {
    uint64_t told = cmemory_page_file | cmemory_page_present | cmemory_page_swapped | cmemory_page_zero;
    struct scan scan = {
        .size = sizeof scan,
        .start = start,
        .end = end,
        .regions = (uint64_t)(uintptr_t)regions,
        .capacity = capacity,
        .any = cmemory_page_present | cmemory_page_swapped,
        .told = told | cmemory_page_guard,
    };
    long found = ioctl(pagemap, SCAN, &scan);
    if (found < 0 && errno == EINVAL) {
        // A kernel that does not know of guard pages refuses the bit.
        scan.told = told;
        found = ioctl(pagemap, SCAN, &scan);
    }
    if (found >= 0) *walked = scan.walked;
    return found;
}

long cmemory_read(int process, const struct cmemory_span *spans, size_t count) {
    struct iovec ours[256], theirs[256];
    if (count > 256) count = 256;
    for (size_t index = 0; index < count; index++) {
        ours[index] = (struct iovec){spans[index].into, spans[index].size};
        theirs[index] = (struct iovec){(void *)(uintptr_t)spans[index].address, spans[index].size};
    }
    return process_vm_readv(process, ours, count, theirs, count, 0);
}

int cmemory_seize(int thread) { return (int)ptrace(PTRACE_SEIZE, thread, NULL, NULL); }

int cmemory_interrupt(int thread) { return (int)ptrace(PTRACE_INTERRUPT, thread, NULL, NULL); }

int cmemory_wait(int thread, int milliseconds, int *signal) {
    *signal = 0;
    for (int waited = 0;; waited++) {
        int status = 0;
        pid_t seen = waitpid(thread, &status, __WALL | WNOHANG);
        if (seen < 0 && errno != EINTR) return -1;
        if (seen == thread) {
            if (!WIFSTOPPED(status)) {
                errno = ESRCH;
                return -1;
            }
            // A stop without an event is the delivery of a signal, which must not get lost.
            if (status >> 16 == 0) *signal = WSTOPSIG(status);
            return 0;
        }
        if (waited >= milliseconds) {
            errno = ETIMEDOUT;
            return -1;
        }
        struct timespec moment = {0, 1000000};
        nanosleep(&moment, NULL);
    }
}

long cmemory_register_set(int thread, int set, void *buffer, size_t size) {
    struct iovec space = {buffer, size};
    if (ptrace(PTRACE_GETREGSET, thread, (void *)(uintptr_t)set, &space) != 0) return -1;
    return (long)space.iov_len;
}

int cmemory_release(int thread, int signal) {
    return (int)ptrace(PTRACE_DETACH, thread, NULL, (void *)(uintptr_t)signal);
}
