#define _GNU_SOURCE
#include "clinux_fork.h"
#include "clinux_netns.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int quell_fork(int32_t *pid) {
    *pid = -1;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        *pid = 0;
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent) _exit(126);
        return -1;
    }
    int failed = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (child < 0) return -failed;
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    if (pidfd < 0) {
        failed = errno;
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        return -failed;
    }
    *pid = child;
    return pidfd;
}

static void *wait_for_child(void *child) {
    while (waitpid((pid_t)(intptr_t)child, NULL, 0) < 0 && errno == EINTR) {}
    return NULL;
}

int quell_reap_later(int32_t child) {
    pthread_t thread;
    int failed = pthread_create(&thread, NULL, wait_for_child, (void *)(intptr_t)child);
    if (failed == 0) pthread_detach(thread);
    return failed;
}

void quell_keep_only(int kept) {
    if (kept != 3 && dup2(kept, 3) < 0) _exit(126);
    syscall(SYS_close_range, 0u, 2u, 0u);
    syscall(SYS_close_range, 4u, ~0u, 0u);
}
