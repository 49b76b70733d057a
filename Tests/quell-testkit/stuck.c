// Processes that the kernel holds where no freezer reaches, or that somebody else holds already.
#define _GNU_SOURCE
#include "testkit.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void *read_into_nowhere(void *page) {
    int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);
    if (zero < 0) die("open", "/dev/zero");
    (void)!read(zero, page, 4096);
    return NULL;
}

// A thread whose read(2) faults, in the kernel, on a page that nobody ever fills. Writes "ready PROCESS".
int kernel_fault(int count, char **arguments) {
    (void)count, (void)arguments;
    int faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
    struct uffdio_api api = {.api = UFFD_API};
    if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) die("make", "a userfaultfd");
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct uffdio_register range = {.range = {(unsigned long)page, 4096}, .mode = UFFDIO_REGISTER_MODE_MISSING};
    if (ioctl(faults, UFFDIO_REGISTER, &range) != 0) die("register", "a page");
    pthread_t thread;
    if (pthread_create(&thread, NULL, read_into_nowhere, page) != 0) die("start", "a thread");
    struct pollfd wait = {.fd = faults, .events = POLLIN};
    if (poll(&wait, 1, -1) != 1) die("wait for", "the fault");
    say("ready %d\n", getpid());
    rest();
}

// Writes to the file PATH whenever a byte comes on PIPE, a FIFO. Writes "ready PROCESS"; when the filesystem is frozen it
// hangs in the next write.
int write_when_told(int count, char **arguments) {
    if (count < 2) return 64;
    int file = open(arguments[0], O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    int told = open(arguments[1], O_RDWR | O_CLOEXEC);
    if (file < 0 || told < 0) die("open", arguments[0]);
    say("ready %d\n", getpid());
    char byte;
    while (read(told, &byte, 1) == 1) {
        if (write(file, &byte, 1) != 1) die("write", arguments[0]);
    }
    rest();
}

// Stops the process PID by ptrace and keeps it so. Writes "ready PROCESS" when it stands.
int trace(int count, char **arguments) {
    pid_t pid = number(count, arguments, 0, 2);
    if (ptrace(PTRACE_SEIZE, pid, 0, 0) != 0) die("trace", arguments[0]);
    if (ptrace(PTRACE_INTERRUPT, pid, 0, 0) != 0) die("stop", arguments[0]);
    int status;
    if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status)) die("wait for", arguments[0]);
    say("ready %d\n", getpid());
    rest();
}
