#define _GNU_SOURCE
#include "clinux_kernel.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/mount.h>
#include <linux/kcmp.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int quell_openat(int directory, const char *path, int flags, unsigned mode) {
    return openat(directory, path, flags, mode);
}

int quell_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
    struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
    return (int)syscall(SYS_openat2, directory, path, &how, sizeof how);
}

long quell_getdents(int directory, void *buffer, size_t capacity) {
    return syscall(SYS_getdents64, directory, buffer, capacity);
}

int quell_fsopen(const char *type) { return (int)syscall(SYS_fsopen, type, FSOPEN_CLOEXEC); }

int quell_fsconfig_flag(int context, const char *key) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, key, NULL, 0);
}

int quell_fsconfig_string(int context, const char *key, const char *value) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_SET_STRING, key, value, 0);
}

int quell_fsconfig_create(int context) {
    return (int)syscall(SYS_fsconfig, context, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
}

int quell_fsmount(int context, unsigned attributes) {
    return (int)syscall(SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
}

int quell_clone_mount(const char *path) {
    return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_SYMLINK_NOFOLLOW);
}

uint64_t quell_inode(int descriptor) {
    struct stat facts;
    return fstat(descriptor, &facts) == 0 ? (uint64_t)facts.st_ino : 0;
}

long quell_filesystem_type(int descriptor) {
    struct statfs facts;
    if (fstatfs(descriptor, &facts) != 0) return -1;
    return (long)(uint32_t)facts.f_type;
}

int quell_is_read_only(int descriptor) {
    struct statfs facts;
    return fstatfs(descriptor, &facts) != 0 || (facts.f_flags & 1) != 0;
}

int quell_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

// struct pidfd_info of <linux/pidfd.h> as Linux 6.13 had it, which our headers need not know: later kernels take its size.
struct pidfd_facts {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, uids[8], exit_code;
};
_Static_assert(sizeof(struct pidfd_facts) == 64, "the size is a part of the ioctl's number");
#define PIDFD_FACTS _IOWR(0xFF, 11, struct pidfd_facts)
#define PIDFD_FACTS_PID (1u << 0)
#define PIDFD_FACTS_CGROUP (1u << 2)

static int ask_pidfd(pid_t pid, struct pidfd_facts *facts) {
    int file = quell_pidfd_open(pid);
    if (file < 0) return -1;
    int result = ioctl(file, PIDFD_FACTS, facts);
    close(file);
    return result;
}

uint64_t quell_cgroup_inode(pid_t pid) {
    struct pidfd_facts facts = {.mask = PIDFD_FACTS_CGROUP};
    return ask_pidfd(pid, &facts) == 0 && facts.mask & PIDFD_FACTS_CGROUP ? facts.cgroup : 0;
}

pid_t quell_parent(pid_t pid) {
    struct pidfd_facts facts = {.mask = PIDFD_FACTS_PID};
    return ask_pidfd(pid, &facts) == 0 && facts.mask & PIDFD_FACTS_PID ? (pid_t)facts.ppid : -1;
}

uint64_t quell_process_number(pid_t pid) {
    int file = quell_pidfd_open(pid);
    if (file < 0) return errno == ESRCH ? 0 : UINT64_MAX;
    uint64_t number = quell_inode(file);
    close(file);
    return number;
}

int quell_shares_descriptors(pid_t one, pid_t other) {
    return syscall(SYS_kcmp, one, other, KCMP_FILES, 0ul, 0ul) == 0;
}

int quell_pidfd_send_signal(int pidfd, int signal) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0);
}

int quell_namespace_parent(int namespace_descriptor) { return ioctl(namespace_descriptor, NS_GET_PARENT); }

int quell_set_undumpable(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

int quell_raise_priority(int nice) {
    struct sched_attr attributes = {
        .size = sizeof attributes,
        .sched_policy = SCHED_NORMAL,
        .sched_flags = SCHED_FLAG_RESET_ON_FORK,
        .sched_nice = nice,
    };
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// An agent may keep the processors busy, and what stops it must not wait behind it. From the loader to the end of parsing
// is more than one time slice, so the verbs that contain are raised before the runtime starts, not in main (figures in
// docs/benchmarks.md). Nothing else is done here; not being permitted changes nothing.
__attribute__((constructor(101))) static void raise_containing_verbs(int count, char **arguments) {
    static const char *const verbs[] = {"freeze", "isolate", "kill", "thaw", "release"};
    if (count < 2) return;
    const char *name = strrchr(arguments[0], '/');
    if (strcmp(name != NULL ? name + 1 : arguments[0], "quell") != 0) return;
    for (size_t index = 0; index < sizeof verbs / sizeof *verbs; index++) {
        if (strcmp(arguments[1], verbs[index]) == 0) {
            quell_raise_priority(-20);
            // A wait of 100 us for the kernel's word lasts 150 with the slack that timers have.
            prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
            return;
        }
    }
}

static int call_bpf(int command, union bpf_attr *attributes) {
    return (int)syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

static uint64_t address(const void *pointer) { return (uint64_t)(uintptr_t)pointer; }

int quell_bpf_load_packet(const uint64_t *instructions, uint32_t count, const char *name) {
    static const char license[] = "GPL";
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_CGROUP_SKB;
    attributes.insn_cnt = count;
    attributes.insns = address(instructions);
    attributes.license = address(license);
    strncpy(attributes.prog_name, name, sizeof attributes.prog_name - 1);
    return call_bpf(BPF_PROG_LOAD, &attributes);
}

int quell_bpf_program_info(int program, uint32_t *id, uint64_t *tag) {
    struct bpf_prog_info info;
    memset(&info, 0, sizeof info);
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.info.bpf_fd = (uint32_t)program;
    attributes.info.info_len = sizeof info;
    attributes.info.info = address(&info);
    int result = call_bpf(BPF_OBJ_GET_INFO_BY_FD, &attributes);
    if (result != 0) return result;
    *id = info.id;
    memcpy(tag, info.tag, sizeof *tag);
    return 0;
}

int quell_bpf_program_by_id(uint32_t id) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_id = id;
    return call_bpf(BPF_PROG_GET_FD_BY_ID, &attributes);
}

static enum bpf_attach_type direction(int egress) {
    return egress ? BPF_CGROUP_INET_EGRESS : BPF_CGROUP_INET_INGRESS;
}

int quell_bpf_attach(int cgroup, int program, int egress) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = direction(egress);
    attributes.attach_flags = BPF_F_ALLOW_MULTI;
    return call_bpf(BPF_PROG_ATTACH, &attributes);
}

int quell_bpf_detach(int cgroup, int program, int egress) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.target_fd = (uint32_t)cgroup;
    attributes.attach_bpf_fd = (uint32_t)program;
    attributes.attach_type = direction(egress);
    return call_bpf(BPF_PROG_DETACH, &attributes);
}

static int query(int cgroup, int egress, uint32_t flags, uint32_t *ids, uint32_t *count) {
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.query.target_fd = (uint32_t)cgroup;
    attributes.query.attach_type = direction(egress);
    attributes.query.query_flags = flags;
    attributes.query.prog_ids = address(ids);
    attributes.query.prog_cnt = *count;
    int result = call_bpf(BPF_PROG_QUERY, &attributes);
    *count = attributes.query.prog_cnt;
    return result;
}

int quell_bpf_query(int cgroup, int egress, uint32_t *ids, uint32_t *count) {
    return query(cgroup, egress, 0, ids, count);
}

int quell_bpf_query_effective(int cgroup, int egress, uint32_t *ids, uint32_t *count) {
    return query(cgroup, egress, BPF_F_QUERY_EFFECTIVE, ids, count);
}
