#define _GNU_SOURCE
#include "clinux_net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_DESCRIPTORS = 16 };

// Sources are copied above every target first, so that no dup2 overwrites a source that a later one needs.
static int lift(const int *sources, int *lifted, int count, int above) {
    for (int i = 0; i < count; i++) lifted[i] = -1;
    for (int i = 0; i < count; i++) {
        if (sources[i] < 0) continue;
        lifted[i] = fcntl(sources[i], F_DUPFD_CLOEXEC, above);
        if (lifted[i] < 0) return errno;
    }
    return 0;
}

static int arrange(posix_spawn_file_actions_t *actions, const int *lifted, const int *targets, int count, int above) {
    for (int i = 0; i < count; i++) {
        int error = lifted[i] < 0
                        ? posix_spawn_file_actions_addopen(actions, targets[i], "/dev/null", O_RDWR, 0)
                        : posix_spawn_file_actions_adddup2(actions, lifted[i], targets[i]);
        if (error != 0) return error;
    }
    // A child keeps no folder of a suspect file system busy.
    int error = posix_spawn_file_actions_addchdir_np(actions, "/");
    return error != 0 ? error : posix_spawn_file_actions_addclosefrom_np(actions, above);
}

static int attributes(posix_spawnattr_t *attribute, short more) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int error = posix_spawnattr_setflags(attribute, (short)(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK | more));
    if (error == 0) error = posix_spawnattr_setsigdefault(attribute, &all);
    if (error == 0) error = posix_spawnattr_setsigmask(attribute, &none);
    return error;
}

int quell_spawn(const char *path, char *const argv[], const int *sources, const int *targets, int count, int own_group,
                int32_t *pid) {
    if (count < 0 || count > MOST_DESCRIPTORS) return -EINVAL;
    int above = 0;
    for (int i = 0; i < count; i++)
        if (targets[i] >= above) above = targets[i] + 1;

    char *empty[] = {NULL};
    int lifted[MOST_DESCRIPTORS];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attribute;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attribute);

    pid_t child = -1;
    int error = lift(sources, lifted, count, above);
    if (error == 0) error = arrange(&actions, lifted, targets, count, above);
    if (error == 0) error = attributes(&attribute, own_group ? POSIX_SPAWN_SETPGROUP : 0);
    if (error == 0) error = posix_spawn(&child, path, &actions, &attribute, argv, empty);

    for (int i = 0; i < count; i++)
        if (lifted[i] >= 0) close(lifted[i]);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attribute);
    if (error != 0) return -error;

    // The child is ours and not yet waited for, so its number cannot have been given away.
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    if (pidfd < 0) {
        int failed = errno;
        kill(child, SIGKILL);
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        return -failed;
    }
    *pid = child;
    return pidfd;
}

int quell_spawn_detached(const char *path, char *const argv[]) {
    static const int targets[] = {0, 1, 2};
    static const int nothing[] = {-1, -1, -1};
    char *empty[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attribute;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attribute);
    pid_t child = -1;
    int error = arrange(&actions, nothing, targets, 3, 3);
    if (error == 0) error = attributes(&attribute, POSIX_SPAWN_SETSID);
    if (error == 0) error = posix_spawn(&child, path, &actions, &attribute, argv, empty);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attribute);
    return error != 0 ? -error : child;
}
