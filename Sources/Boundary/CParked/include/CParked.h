#ifndef QUELL_CPARKED_H
#define QUELL_CPARKED_H

#include <stddef.h>
#include <stdint.h>

// System calls that Swift cannot name. Each gives -1 with errno unless it says otherwise.

// Moves the calling thread alone into the IPC namespace behind a descriptor. The thread must end after its work.
int quell_parked_enter_ipc(int namespace_fd);
// A mount of the message queues of the calling thread's IPC namespace, attached nowhere: an open directory.
int quell_parked_mount_queues(void);
// What stands below a path when nothing is mounted on it: a clone of its mount alone, attached nowhere, at that path.
int quell_parked_clone_mount(const char *path);
// Opens a directory beneath `directory` by O_PATH without following links or leaving its mount.
int quell_parked_beneath(int directory, const char *path);
// Copies the payload of a key; gives its length, which may be more than `capacity`.
long quell_parked_read_key(int32_t serial, void *buffer, size_t capacity);
// A netlink socket of a protocol in the network namespace behind a descriptor, or in the caller's for -1.
// Gives the descriptor or -errno.
int quell_parked_netlink(int protocol, int namespace_fd);

// What the kernel calls the protocol of the socket behind a descriptor, opened by O_PATH or not, into a buffer: its length.
long quell_parked_protocol(int socket, char *buffer, size_t capacity);

// The state of the clock's discipline, adjtimex(2), without changing anything.
struct quell_parked_clock {
    int32_t state;
    int32_t status;
    int64_t frequency;
    int64_t tick_microseconds;
    int32_t tai_seconds;
};
int quell_parked_read_clock(struct quell_parked_clock *clock);

#endif
