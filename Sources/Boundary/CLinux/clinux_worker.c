#define _GNU_SOURCE
#include "clinux_net.h"

#include <asm/ioctls.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "the worker's system call list is checked for x86_64 and aarch64 only"
#endif

#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define LOW_HALF(n) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[n]))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, action)
#define ALLOW(name) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 1), RETURN(SECCOMP_RET_ALLOW)
// Allowed when argument n has none of `bits`.
#define ALLOW_WITHOUT(name, n, bits)                                                                          \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOW_HALF(n),                                       \
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1), RETURN(SECCOMP_RET_KILL_PROCESS),                   \
        RETURN(SECCOMP_RET_ALLOW)
// Allowed when argument n equals `value`.
#define ALLOW_EQUAL(name, n, value)                                                                           \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##name, 0, 4), LOW_HALF(n),                                       \
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS),                   \
        RETURN(SECCOMP_RET_ALLOW)

// Reading and writing what is open, memory, time, its own signals, its own end. No path, no socket, no process, no
// thread, no executable page.
static int install_filter(void) {
    struct sock_filter program[] = {
        LOAD(arch),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCHITECTURE, 1, 0),
        RETURN(SECCOMP_RET_KILL_PROCESS),
        LOAD(nr),
#if defined(__x86_64__)
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),  // the x32 numbers
        RETURN(SECCOMP_RET_KILL_PROCESS),
        ALLOW(poll),
#endif
        ALLOW(read),
        ALLOW(write),
        ALLOW(pread64),
        ALLOW(readv),
        ALLOW(writev),
        ALLOW(lseek),
        ALLOW(fstat),
        ALLOW_EQUAL(newfstatat, 3, AT_EMPTY_PATH),  // how glibc 2.33 to 2.38 spell fstat
        ALLOW_EQUAL(ioctl, 1, TCGETS),              // how stdio asks whether it is a terminal
        ALLOW(close),
        ALLOW(ppoll),
        ALLOW_WITHOUT(mmap, 2, PROT_EXEC),
        ALLOW_WITHOUT(mprotect, 2, PROT_EXEC),
        ALLOW(munmap),
        ALLOW(mremap),
        ALLOW(brk),
        ALLOW(madvise),
        ALLOW(futex),
        ALLOW(clock_gettime),
        ALLOW(clock_getres),
        ALLOW(gettimeofday),
        ALLOW(getrandom),
        ALLOW(rt_sigaction),
        ALLOW(rt_sigprocmask),
        ALLOW(rt_sigreturn),
        ALLOW(sigaltstack),
        ALLOW(restart_syscall),
        ALLOW(sched_yield),
        ALLOW(rseq),
        ALLOW(set_robust_list),
        ALLOW(getpid),
        ALLOW(gettid),
        ALLOW(getuid),
        ALLOW(geteuid),
        ALLOW(getgid),
        ALLOW(getegid),
        ALLOW(getrusage),
        ALLOW(exit),
        ALLOW(exit_group),
        ALLOW_EQUAL(tgkill, 0, 0),  // abort(3); the number of the process is filled in below
        RETURN(SECCOMP_RET_KILL_PROCESS),
    };
    const int count = (int)(sizeof program / sizeof program[0]);
    program[count - 4].k = (uint32_t)getpid();
    struct sock_fprog filter = {(unsigned short)count, program};
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) != 0) return -errno;
    return 0;
}

static int limit(int resource, uint64_t value) {
    struct rlimit present;
    if (getrlimit(resource, &present) != 0) return -errno;
    // Never raised: raising a hard limit needs CAP_SYS_RESOURCE.
    rlim_t most = present.rlim_max < value ? present.rlim_max : (rlim_t)value;
    struct rlimit next = {most, most};
    return setrlimit(resource, &next) == 0 ? 0 : -errno;
}

static int limit_all(const struct quell_worker_limits *limits) {
    int error = limit(RLIMIT_CORE, 0);
    if (error == 0) error = limit(RLIMIT_AS, limits->address_space);
    if (error == 0) error = limit(RLIMIT_FSIZE, limits->file_size);
    if (error == 0) error = limit(RLIMIT_CPU, limits->cpu_seconds);
    if (error == 0) error = limit(RLIMIT_NPROC, 0);
    return error;
}

int quell_worker_enter(uint32_t id, const struct quell_worker_limits *limits, int *step) {
    *step = 1;
    if (syscall(SYS_close_range, 3u, ~0u, 0u) != 0) return -errno;
    if (geteuid() == 0) {
        *step = 2;
        if (setgroups(0, NULL) != 0) return -errno;
        *step = 3;
        if (setresgid(id, id, id) != 0) return -errno;
        *step = 4;
        if (setresuid(id, id, id) != 0) return -errno;
        if (setuid(0) == 0) return -EPERM;  // a way back would be worse than a failure
    }
    *step = 5;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -errno;
    *step = 6;
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0) return -errno;
    *step = 7;
    int error = limit_all(limits);
    if (error != 0) return error;
    *step = 8;
    return install_filter();
}
