#define _GNU_SOURCE
#include "cmemory.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef BTF_KIND_ENUM64
#define BTF_KIND_ENUM64 19
#endif

static long bpf(int command, union bpf_attr *attributes) {
    return syscall(SYS_bpf, command, attributes, sizeof *attributes);
}

// What the program needs to know of this kernel's types.
struct layout {
    int function;
    long thread, fs_base, gs_base;
};

// How many bytes stand behind a type; -1 for a kind that is not known.
static long behind(const struct btf_type *type) {
    long count = BTF_INFO_VLEN(type->info);
    switch (BTF_INFO_KIND(type->info)) {
    case BTF_KIND_INT:
    case BTF_KIND_VAR:
    case 17: return 4; // DECL_TAG
    case BTF_KIND_ARRAY: return 12;
    case BTF_KIND_STRUCT:
    case BTF_KIND_UNION:
    case BTF_KIND_DATASEC:
    case BTF_KIND_ENUM64: return 12 * count;
    case BTF_KIND_ENUM:
    case BTF_KIND_FUNC_PROTO: return 8 * count;
    case BTF_KIND_PTR:
    case BTF_KIND_FWD:
    case BTF_KIND_TYPEDEF:
    case BTF_KIND_VOLATILE:
    case BTF_KIND_CONST:
    case BTF_KIND_RESTRICT:
    case BTF_KIND_FUNC:
    case 16: // FLOAT
    case 18: return 0; // TYPE_TAG
    default: return -1;
    }
}

// The offset of a member in bytes, or -1.
static long offset_of(const struct btf_type *type, const char *texts, uint32_t length, const char *name) {
    const struct btf_member *members = (const void *)(type + 1);
    for (unsigned index = 0; index < BTF_INFO_VLEN(type->info); index++) {
        if (members[index].name_off >= length || strcmp(texts + members[index].name_off, name) != 0) continue;
        uint32_t bits = members[index].offset;
        return (long)(BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(bits) : bits) / 8;
    }
    return -1;
}

static int find(const char *bytes, size_t size, struct layout *layout) {
    const struct btf_header *header = (const void *)bytes;
    if (size < sizeof *header || header->magic != BTF_MAGIC) return -1;
    uint64_t types = (uint64_t)header->hdr_len + header->type_off, texts = (uint64_t)header->hdr_len + header->str_off;
    if (types + header->type_len > size || texts + header->str_len > size || header->str_len == 0) return -1;
    if (bytes[texts + header->str_len - 1] != 0) return -1;
    const char *text = bytes + texts;
    *layout = (struct layout){-1, -1, -1, -1};
    uint64_t position = 0;
    for (int id = 1; position + sizeof(struct btf_type) <= header->type_len; id++) {
        const struct btf_type *type = (const void *)(bytes + types + position);
        long more = behind(type);
        if (more < 0 || position + sizeof *type + (uint64_t)more > header->type_len) return -1;
        const char *name = type->name_off < header->str_len ? text + type->name_off : "";
        int kind = BTF_INFO_KIND(type->info);
        if (kind == BTF_KIND_FUNC && strcmp(name, "bpf_iter_task") == 0) layout->function = id;
        if (kind == BTF_KIND_STRUCT && strcmp(name, "task_struct") == 0) {
            layout->thread = offset_of(type, text, header->str_len, "thread");
        }
        if (kind == BTF_KIND_STRUCT && strcmp(name, "thread_struct") == 0) {
            layout->fs_base = offset_of(type, text, header->str_len, "fsbase");
            layout->gs_base = offset_of(type, text, header->str_len, "gsbase");
        }
        position += sizeof *type + (uint64_t)more;
    }
    return layout->function > 0 && layout->thread >= 0 && layout->fs_base >= 0 && layout->gs_base >= 0 ? 0 : -1;
}

static int read_layout(struct layout *layout) {
    int file = open("/sys/kernel/btf/vmlinux", O_RDONLY | O_CLOEXEC);
    if (file < 0) return -1;
    struct stat facts;
    int result = -1, problem = EPROTO;
    if (fstat(file, &facts) == 0 && facts.st_size > 0 && facts.st_size < 256 << 20) {
        size_t size = (size_t)facts.st_size, filled = 0;
        char *bytes = malloc(size);
        while (bytes && filled < size) {
            ssize_t count = read(file, bytes + filled, size - filled);
            if (count <= 0) break;
            filled += (size_t)count;
        }
        if (bytes && filled == size) result = find(bytes, size, layout);
        free(bytes);
    }
    close(file);
    errno = problem;
    return result;
}

#define OP(c, d, s, o, i) ((struct bpf_insn){.code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i)})
enum { saved_bytes = cmemory_saved_registers * 8, frame_bytes = 21 * 8 };

int cmemory_load_iterator(void) {
#ifdef __x86_64__
    struct layout layout;
    if (read_layout(&layout) != 0) return -1;
    int fs = (int)(layout.thread + layout.fs_base), gs = (int)(layout.thread + layout.gs_base);
    if (fs > INT16_MAX || gs > INT16_MAX) {
        errno = EPROTO;
        return -1;
    }
    struct bpf_insn program[] = {
        OP(BPF_ALU64 | BPF_MOV | BPF_X, 6, 1, 0, 0), // the context: struct bpf_iter__task
        OP(BPF_LDX | BPF_MEM | BPF_DW, 7, 6, 8, 0),  // its task, none at the end
        OP(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, 18, 0),
        OP(BPF_LDX | BPF_MEM | BPF_DW, 1, 7, (short)fs, 0),
        OP(BPF_STX | BPF_MEM | BPF_DW, 10, 1, -16, 0),
        OP(BPF_LDX | BPF_MEM | BPF_DW, 1, 7, (short)gs, 0),
        OP(BPF_STX | BPF_MEM | BPF_DW, 10, 1, -8, 0),
        OP(BPF_ALU64 | BPF_MOV | BPF_X, 1, 7, 0, 0),
        OP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_task_pt_regs),
        OP(BPF_ALU64 | BPF_MOV | BPF_X, 3, 0, 0, 0),
        OP(BPF_ALU64 | BPF_MOV | BPF_X, 1, 10, 0, 0),
        OP(BPF_ALU64 | BPF_ADD | BPF_K, 1, 0, 0, -saved_bytes),
        OP(BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, frame_bytes),
        OP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel),
        OP(BPF_JMP | BPF_JNE | BPF_K, 0, 0, 6, 0),
        OP(BPF_LDX | BPF_MEM | BPF_DW, 1, 6, 0, 0), // the context's meta
        OP(BPF_LDX | BPF_MEM | BPF_DW, 1, 1, 0, 0), // its seq_file
        OP(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
        OP(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -saved_bytes),
        OP(BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, saved_bytes),
        OP(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_seq_write),
        OP(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
        OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    static const char license[] = "GPL";
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.prog_type = BPF_PROG_TYPE_TRACING;
    attributes.expected_attach_type = BPF_TRACE_ITER;
    attributes.attach_btf_id = (uint32_t)layout.function;
    attributes.insns = (uint64_t)(uintptr_t)program;
    attributes.insn_cnt = sizeof program / sizeof *program;
    attributes.license = (uint64_t)(uintptr_t)license;
    return (int)bpf(BPF_PROG_LOAD, &attributes);
#else
    errno = ENOSYS;
    return -1;
#endif
}

int cmemory_saved(int program, int thread, uint64_t registers[cmemory_saved_registers]) {
    union bpf_iter_link_info which;
    memset(&which, 0, sizeof which);
    which.task.tid = (uint32_t)thread;
    union bpf_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    attributes.link_create.prog_fd = (uint32_t)program;
    attributes.link_create.attach_type = BPF_TRACE_ITER;
    attributes.link_create.iter_info = (uint64_t)(uintptr_t)&which;
    attributes.link_create.iter_info_len = sizeof which;
    int link = (int)bpf(BPF_LINK_CREATE, &attributes);
    if (link < 0) return -1;
    memset(&attributes, 0, sizeof attributes);
    attributes.iter_create.link_fd = (uint32_t)link;
    int iterator = (int)bpf(BPF_ITER_CREATE, &attributes);
    int problem = errno;
    ssize_t count = -1;
    if (iterator >= 0) {
        count = read(iterator, registers, saved_bytes);
        problem = count < 0 ? errno : ESRCH;
        close(iterator);
    }
    close(link);
    errno = problem;
    return count == saved_bytes ? 0 : -1;
}
