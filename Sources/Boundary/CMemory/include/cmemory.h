#ifndef CMEMORY_H
#define CMEMORY_H
// The memory and the registers of other processes. Functions return what the system call returns: -1 with errno set on
// failure. Registers are those of x86_64. Only fixed C types: a header of the system here would give its types to this module.

#include <stddef.h>
#include <stdint.h>

// Pages. ioctl_pagemap_scan(2).
struct cmemory_region {
    uint64_t start;
    uint64_t end;
    uint64_t categories;
};
extern const uint64_t cmemory_page_file;
extern const uint64_t cmemory_page_present;
extern const uint64_t cmemory_page_swapped;
extern const uint64_t cmemory_page_zero;
extern const uint64_t cmemory_page_guard;
// Finds present and swapped pages from `start` to `end`; `walked` is where it stopped. ENOTTY where the kernel has no such
// call, before 6.7.
long cmemory_scan(int pagemap, uint64_t start, uint64_t end, uint64_t *walked, struct cmemory_region *regions,
                  size_t capacity);

// Content. process_vm_readv(2): one after the other, until one cannot be read whole.
struct cmemory_span {
    uint64_t address;
    uint64_t size;
    void *into;
};
long cmemory_read(int process, const struct cmemory_span *spans, size_t count);

// Registers by ptrace(2): the thread is stopped for a moment. All calls for one thread come from one thread of ours, and
// when that thread ends the kernel lets go of whatever it still holds.
int cmemory_seize(int thread);
int cmemory_interrupt(int thread);
// Waits until the thread stands; at most `milliseconds`. `signal` is one that it was about to get, to be given back.
int cmemory_wait(int thread, int milliseconds, int *signal);
// One register set (NT_PRSTATUS, NT_FPREGSET, NT_X86_XSTATE); gives its size.
long cmemory_register_set(int thread, int set, void *buffer, size_t size);
int cmemory_release(int thread, int signal);

// Registers by a BPF iterator (bpf_iter/task): what the kernel saved when the thread left user mode. The thread is neither
// stopped nor woken, so this works on frozen ones and leaves no trace in their times. Valid for threads that do not run.
enum { cmemory_saved_registers = 23 };
// Loads the program, which only reads; -1 where the kernel has no type information (BTF) or does not permit it.
int cmemory_load_iterator(void);
// r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base. ESRCH when
// there is no such thread.
int cmemory_saved(int program, int thread, uint64_t registers[cmemory_saved_registers]);

#endif
