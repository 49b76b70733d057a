#define _GNU_SOURCE
#include "clinux_files.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

const uint64_t clinux_o_path = O_PATH;
const uint64_t clinux_o_noatime = O_NOATIME;
const uint64_t clinux_o_nofollow = O_NOFOLLOW;
const uint64_t clinux_o_directory = O_DIRECTORY;
const uint64_t clinux_o_cloexec = O_CLOEXEC;
const uint64_t clinux_o_nonblock = O_NONBLOCK;
const uint64_t clinux_resolve_beneath = RESOLVE_BENEATH;
const uint64_t clinux_resolve_no_symlinks = RESOLVE_NO_SYMLINKS;
const uint64_t clinux_resolve_no_magiclinks = RESOLVE_NO_MAGICLINKS;
const uint64_t clinux_resolve_no_xdev = RESOLVE_NO_XDEV;

int clinux_files_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve) {
    struct open_how how;
    memset(&how, 0, sizeof how);
    how.flags = flags;
    how.resolve = resolve;
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

int clinux_files_openat(int directory, const char *path, uint64_t flags) {
    return openat(directory, path, (int)flags);
}

int clinux_files_facts(int descriptor, int cached, struct clinux_file_facts *facts) {
    struct statx s;
    int flags = AT_EMPTY_PATH | AT_NO_AUTOMOUNT | (cached ? AT_STATX_DONT_SYNC : 0);
    if (statx(descriptor, "", flags, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, &s) != 0) return -1;
    memset(facts, 0, sizeof *facts);
    facts->mode = s.stx_mode;
    facts->uid = s.stx_uid;
    facts->gid = s.stx_gid;
    facts->links = s.stx_nlink;
    facts->inode = s.stx_ino;
    facts->size = s.stx_size;
    facts->blocks = s.stx_blocks;
    facts->attributes = s.stx_attributes & s.stx_attributes_mask;
    facts->mount = s.stx_mnt_id;
    facts->has_mount = (s.stx_mask & STATX_MNT_ID) != 0;
    facts->born_seconds = s.stx_btime.tv_sec;
    facts->born_nanoseconds = s.stx_btime.tv_nsec;
    facts->has_born = (s.stx_mask & STATX_BTIME) != 0;
    facts->accessed_seconds = s.stx_atime.tv_sec;
    facts->accessed_nanoseconds = s.stx_atime.tv_nsec;
    facts->modified_seconds = s.stx_mtime.tv_sec;
    facts->modified_nanoseconds = s.stx_mtime.tv_nsec;
    facts->changed_seconds = s.stx_ctime.tv_sec;
    facts->changed_nanoseconds = s.stx_ctime.tv_nsec;
    facts->device_major = s.stx_dev_major;
    facts->device_minor = s.stx_dev_minor;
    facts->special_major = s.stx_rdev_major;
    facts->special_minor = s.stx_rdev_minor;
    return 0;
}

ssize_t clinux_files_getdents(int directory, void *buffer, size_t size) {
    return syscall(SYS_getdents64, directory, buffer, size);
}

int64_t clinux_files_next_data(int file, int64_t offset) {
    return lseek(file, offset, SEEK_DATA);
}

int64_t clinux_files_next_hole(int file, int64_t offset) {
    return lseek(file, offset, SEEK_HOLE);
}

// The magic link of our own descriptor leads to the opened object itself, so nobody can swap it. xattr calls refuse
// O_PATH descriptors, and getxattrat(2) is younger than the kernels that we serve.
static void own_link(int descriptor, char path[32]) {
    snprintf(path, 32, "/proc/self/fd/%d", descriptor);
}

int clinux_files_reopen(int descriptor, uint64_t flags) {
    char path[32];
    own_link(descriptor, path);
    return open(path, (int)flags);
}

ssize_t clinux_files_list_attributes(int descriptor, char *buffer, size_t size) {
    char path[32];
    own_link(descriptor, path);
    return listxattr(path, buffer, size);
}

ssize_t clinux_files_get_attribute(int descriptor, const char *name, void *buffer, size_t size) {
    char path[32];
    own_link(descriptor, path);
    return getxattr(path, name, buffer, size);
}

uint64_t clinux_files_filesystem(int descriptor) {
    struct statfs s;
    if (fstatfs(descriptor, &s) != 0) return 0;
    return (uint64_t)s.f_type;
}
