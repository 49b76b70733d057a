// A process whose memory is known: for tests of cores.
#define _GNU_SOURCE
#include "testkit.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { pattern_size = 8 << 20, page = 4096 };

static char *map(size_t size, int flags, int file) {
    char *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, file, 0);
    if (address == MAP_FAILED) die("map", "memory");
    return address;
}

static volatile int is_spinning;

// Runs with a known value in r12 and never enters the kernel; what waits for it sees that the value is there.
static void *spin(void *unused) {
    (void)unused;
    __asm__ volatile("movabs $0x1122334455667788, %%r12\nmovl $1, %0\n1: pause\njmp 1b" : "=m"(is_spinning)::"r12");
    return NULL;
}

static void *nap(void *unused) {
    (void)unused;
    for (;;) sleep(1000);
    return NULL;
}

static void start(void *(*body)(void *)) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, body, NULL) != 0) die("start", "a thread");
}

// Mappings that the kernel cannot join, each with one page touched.
static void map_many(int count) {
    for (int index = 0; index < count; index++) {
        char *address = mmap(NULL, page, PROT_READ | (index % 2 ? PROT_WRITE : 0), MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (address == MAP_FAILED) die("map", "one of many");
        if (index % 2) *address = 1;
    }
}

// Every second page of one mapping.
static void map_sieve(int count) {
    char *address = map((size_t)count * 2 * page, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    madvise(address, (size_t)count * 2 * page, MADV_NOHUGEPAGE);
    for (int index = 0; index < count; index++) address[(size_t)index * 2 * page] = (char)(index | 1);
}

// 6 MiB of own pages of zeros, a text at 1 MiB and at 5 MiB, nothing at all in 64 KiB from 3 MiB on.
static char *map_blank(void) {
    size_t size = 6 << 20;
    char *address = map(size + 2 * page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    if (mprotect(address, page, PROT_NONE) != 0 || mprotect(address + page + size, page, PROT_NONE) != 0) {
        die("guard", "blank memory");
    }
    address += page;
    madvise(address, size, MADV_NOHUGEPAGE);
    memset(address, 1, size);
    memset(address, 0, size);
    strcpy(address + (1 << 20), "after the zeros");
    strcpy(address + (5 << 20), "between zeros");
    if (madvise(address + (3 << 20), 64 << 10, MADV_DONTNEED) != 0) die("empty", "blank memory");
    return address;
}

// memory [--maps N] [--sieve N] [--file PATH] [--twin] [--sleepy] [--blank]
// Says `ready PATTERN SHARED GUARDED BLANK`: addresses of a text at the start of 8 MiB (another in their middle), of one in a
// memfd, of one in pages without any permission, and of pages of zeros.
int memory(int count, char **arguments) {
    int is_sleepy = 0, has_twin = 0;
    char *blank = NULL;
    char *pattern = map(pattern_size, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    for (size_t index = 0; index < pattern_size / 8; index++) {
        ((uint64_t *)pattern)[index] = index * 0x9E3779B97F4A7C15;
    }
    strcpy(pattern, "the pattern begins");
    strcpy(pattern + pattern_size / 2, "the middle of it");
    int file = memfd_create("quell-test", MFD_CLOEXEC);
    if (file < 0 || ftruncate(file, 1 << 20) != 0) die("make", "a memfd");
    char *shared = map(1 << 20, MAP_SHARED, file);
    memset(shared, 's', 1 << 20);
    strcpy(shared, "the shared text");
    close(file);
    char *guarded = map(2 * page, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    strcpy(guarded, "the guarded text");
    if (mprotect(guarded, 2 * page, PROT_NONE) != 0) die("guard", "memory");
    map((size_t)1 << 30, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
    for (int index = 0; index < count; index++) {
        int has_value = index + 1 < count;
        if (strcmp(arguments[index], "--sleepy") == 0) is_sleepy = 1;
        if (strcmp(arguments[index], "--twin") == 0) has_twin = 1;
        if (strcmp(arguments[index], "--blank") == 0) blank = map_blank();
        if (strcmp(arguments[index], "--maps") == 0 && has_value) map_many(atoi(arguments[++index]));
        else if (strcmp(arguments[index], "--sieve") == 0 && has_value) map_sieve(atoi(arguments[++index]));
        else if (strcmp(arguments[index], "--file") == 0 && has_value) {
            int named = open(arguments[++index], O_RDWR | O_CREAT | O_CLOEXEC, 0600);
            if (named < 0 || write(named, "the file's text", 16) != 16) die("write", arguments[index]);
            char *mapped = map(page, MAP_PRIVATE, named);
            if (*mapped != 't') die("read", arguments[index]);
            close(named);
        }
    }
    if (has_twin && spawn() == 0) rest();
    start(nap);
    start(nap);
    start(is_sleepy ? nap : spin);
    while (!is_sleepy && !is_spinning) usleep(1000);
    say("ready %p %p %p %p\n", (void *)pattern, (void *)shared, (void *)guarded, (void *)blank);
    rest();
}
