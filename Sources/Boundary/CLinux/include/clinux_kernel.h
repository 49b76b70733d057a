#ifndef CLINUX_KERNEL_H
#define CLINUX_KERNEL_H
// Processes, cgroups, own mounts and cgroup BPF. Every function returns what the system call returns: -1 with errno set
// on failure.

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Files. openat2(2), getdents64(2).
int quell_openat(int directory, const char *path, int flags, unsigned mode);
int quell_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
long quell_getdents(int directory, void *buffer, size_t capacity);

// Own mounts. fsopen(2), fsconfig(2), fsmount(2), open_tree(2).
int quell_fsopen(const char *type);
int quell_fsconfig_flag(int context, const char *key);
int quell_fsconfig_string(int context, const char *key, const char *value);
int quell_fsconfig_create(int context);
int quell_fsmount(int context, unsigned attributes);
// A clone of the mount at `path`, without what is mounted below it, attached nowhere.
int quell_clone_mount(const char *path);
// The inode number of an open file, or 0 when fstat(2) fails.
uint64_t quell_inode(int descriptor);
// The f_type of statfs(2) for an open descriptor, or -1.
long quell_filesystem_type(int descriptor);
// 1 when the mount or the filesystem of an open descriptor is read-only, or statfs(2) fails; else 0.
int quell_is_read_only(int descriptor);

// Processes. pidfd_open(2), pidfd_send_signal(2), ioctl_ns(2).
int quell_pidfd_open(pid_t pid);
int quell_pidfd_send_signal(int pidfd, int signal);
int quell_namespace_parent(int namespace_descriptor);
// The inode of the v2 cgroup that a process stands in, by the kernel's word about its pidfd (PIDFD_GET_INFO, Linux 6.13);
// 0 when the kernel does not tell.
uint64_t quell_cgroup_inode(pid_t pid);
// The parent of a process in the caller's pid namespace, asked in the same way; -1 when the kernel does not tell.
pid_t quell_parent(pid_t pid);
// The inode of a process's pidfd: since Linux 6.9 each process has its own, as one counter gave them out. 0 when it is gone,
// UINT64_MAX when it cannot be asked for.
uint64_t quell_process_number(pid_t pid);
// 1 when two threads have one table of descriptors between them, 0 when each has its own or it cannot be told. kcmp(2).
int quell_shares_descriptors(pid_t one, pid_t other);

// This process. prctl(2), sched_setattr(2).
int quell_set_undumpable(void);
int quell_raise_priority(int nice);

// Cgroup BPF. bpf(2).
// Loads a cgroup_skb program of `count` instructions (struct bpf_insn as 8 bytes each).
int quell_bpf_load_packet(const uint64_t *instructions, uint32_t count, const char *name);
// The id, and the kernel's digest over the instructions.
int quell_bpf_program_info(int program, uint32_t *id, uint64_t *tag);
int quell_bpf_program_by_id(uint32_t id);
int quell_bpf_attach(int cgroup, int program, int egress);
int quell_bpf_detach(int cgroup, int program, int egress);
// The program ids attached to the cgroup itself; `count` is the capacity before and the number after.
int quell_bpf_query(int cgroup, int egress, uint32_t *ids, uint32_t *count);
// The same for all that run on packets of the cgroup, those of its ancestors included (BPF_F_QUERY_EFFECTIVE).
int quell_bpf_query_effective(int cgroup, int egress, uint32_t *ids, uint32_t *count);

#endif
