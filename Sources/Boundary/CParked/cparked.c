#define _GNU_SOURCE
#include "CParked.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <stdio.h>
#include <sys/timex.h>
#include <sys/xattr.h>
#include <unistd.h>

int quell_parked_enter_ipc(int namespace_fd) { return setns(namespace_fd, CLONE_NEWIPC); }

int quell_parked_mount_queues(void) {
    int context = (int)syscall(SYS_fsopen, "mqueue", FSOPEN_CLOEXEC);
    if (context < 0) return -1;
    int mounted = -1;
    if (syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0) == 0)
        mounted = (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC,
                               MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
    int error = errno;
    close(context);
    errno = error;
    return mounted;
}

int quell_parked_clone_mount(const char *path) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, path,
                        OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_NO_AUTOMOUNT | AT_SYMLINK_NOFOLLOW);
}

int quell_parked_beneath(int directory, const char *path) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NOATIME;
    how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

long quell_parked_read_key(int32_t serial, void *buffer, size_t capacity) {
    // KEYCTL_READ, linux/keyctl.h.
    return syscall(SYS_keyctl, 11, serial, buffer, capacity, 0);
}

struct netlink_request {
    int protocol;
    int namespace_fd;
    int result;
};

// On a thread of its own, which alone stands in the other namespace and ends.
static void *open_netlink(void *raw) {
    struct netlink_request *request = raw;
    if (request->namespace_fd >= 0 && setns(request->namespace_fd, CLONE_NEWNET) != 0) {
        request->result = -errno;
        return NULL;
    }
    int opened = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, request->protocol);
    request->result = opened < 0 ? -errno : opened;
    return NULL;
}

int quell_parked_netlink(int protocol, int namespace_fd) {
    struct netlink_request request = {protocol, namespace_fd, -EIO};
    pthread_t thread;
    int error = pthread_create(&thread, NULL, open_netlink, &request);
    if (error != 0) return -error;
    error = pthread_join(thread, NULL);
    return error != 0 ? -error : request.result;
}

long quell_parked_protocol(int socket, char *buffer, size_t capacity) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", socket);
    return getxattr(path, "system.sockprotoname", buffer, capacity);
}

int quell_parked_read_clock(struct quell_parked_clock *clock) {
    struct timex state;
    memset(&state, 0, sizeof state);
    int result = adjtimex(&state);
    if (result < 0) return -1;
    clock->state = result;
    clock->status = state.status;
    clock->frequency = state.freq;
    clock->tick_microseconds = state.tick;
    clock->tai_seconds = state.tai;
    return 0;
}
