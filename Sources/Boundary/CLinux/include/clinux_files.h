#ifndef CLINUX_FILES_H
#define CLINUX_FILES_H
// Files: system calls without a glibc wrapper, variadic calls, and flags that glibc shows only to GNU sources.
// Every function returns what the call returned and leaves errno as the call left it.
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/// open(2) flags by their kernel values on this architecture, under names that Swift can see.
extern const uint64_t clinux_o_path;
extern const uint64_t clinux_o_noatime;
extern const uint64_t clinux_o_nofollow;
extern const uint64_t clinux_o_directory;
extern const uint64_t clinux_o_cloexec;
extern const uint64_t clinux_o_nonblock;
/// openat2(2) resolve flags.
extern const uint64_t clinux_resolve_beneath;
extern const uint64_t clinux_resolve_no_symlinks;
extern const uint64_t clinux_resolve_no_magiclinks;
extern const uint64_t clinux_resolve_no_xdev;

/// openat2(2).
int clinux_files_openat2(int directory, const char *path, uint64_t flags, uint64_t resolve);

/// openat(2) without a mode.
int clinux_files_openat(int directory, const char *path, uint64_t flags);

/// What statx(2) gives, in fixed widths.
struct clinux_file_facts {
    uint32_t mode;
    uint32_t uid;
    uint32_t gid;
    uint32_t links;
    uint64_t inode;
    uint64_t size;
    uint64_t blocks;
    uint64_t attributes;
    uint64_t mount;
    int64_t born_seconds;
    int64_t accessed_seconds;
    int64_t modified_seconds;
    int64_t changed_seconds;
    uint32_t born_nanoseconds;
    uint32_t accessed_nanoseconds;
    uint32_t modified_nanoseconds;
    uint32_t changed_nanoseconds;
    uint32_t device_major;
    uint32_t device_minor;
    uint32_t special_major;
    uint32_t special_minor;
    uint32_t has_born;
    uint32_t has_mount;
};

/// statx(2) of the object behind a descriptor (AT_EMPTY_PATH), never mounting anything. With ``cached`` not 0 the
/// filesystem is asked for what it has (AT_STATX_DONT_SYNC), so that no server has to answer.
int clinux_files_facts(int descriptor, int cached, struct clinux_file_facts *facts);

/// getdents64(2).
ssize_t clinux_files_getdents(int directory, void *buffer, size_t size);

/// lseek(2) with SEEK_DATA and SEEK_HOLE.
int64_t clinux_files_next_data(int file, int64_t offset);
int64_t clinux_files_next_hole(int file, int64_t offset);

/// Opens the object behind an O_PATH descriptor again, through /proc/self/fd; the caller compares device and inode.
int clinux_files_reopen(int descriptor, uint64_t flags);

/// Extended attributes of the object behind an O_PATH descriptor of whatever type, through /proc/self/fd.
ssize_t clinux_files_list_attributes(int descriptor, char *buffer, size_t size);
ssize_t clinux_files_get_attribute(int descriptor, const char *name, void *buffer, size_t size);

/// The magic number of the filesystem that holds the object behind ``descriptor`` (fstatfs(2)); 0 on failure.
uint64_t clinux_files_filesystem(int descriptor);

#endif
