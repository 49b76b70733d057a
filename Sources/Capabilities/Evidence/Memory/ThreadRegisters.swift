import Base

/// The registers of one thread, and where they came from.
struct ThreadRegisters: Sendable {
    /// Where registers came from.
    enum Source: String, Sendable {
        /// What the kernel saved when the thread left user mode, read by a BPF iterator: the thread was not touched. No
        /// floating point.
        case saved = "saved by the kernel"
        /// ptrace(2): the thread was stopped for a moment.
        case traced = "ptrace"
        /// /proc/PID/task/TID/syscall: instruction and stack pointer, and the arguments of the system call it is in. The
        /// others are zeros.
        case systemCall = "syscall file, others are zero"
        /// None: all are zeros.
        case nothing = "none"
    }

    /// The members of struct user_regs_struct (sys/user.h).
    static let count = 27

    let thread: Int32
    let source: Source
    /// r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base ds es fs gs.
    let general: [UInt64]
    /// NT_FPREGSET, where it could be had.
    var floating: [UInt8]?
    /// NT_X86_XSTATE, where it could be had.
    var extended: [UInt8]?
    /// Why there are not all.
    var reason: String?

    /// Whether every general register is the thread's own.
    var areWhole: Bool { source == .saved || source == .traced }

    /// Registers that could not be had.
    static func missing(_ thread: Int32, because reason: String) -> ThreadRegisters {
        ThreadRegisters(
            thread: thread,
            source: .nothing,
            general: [UInt64](repeating: 0, count: count),
            reason: reason
        )
    }

    /// What the BPF iterator gives: 21 of the frame, then fs_base and gs_base.
    static func saved(_ thread: Int32, _ values: [UInt64]) -> ThreadRegisters {
        var general = values + [UInt64](repeating: 0, count: count - values.count)
        // On kernels with FRED the upper bits of these two hold other things.
        general[17] &= 0xFFFF
        general[20] &= 0xFFFF
        return ThreadRegisters(thread: thread, source: .saved, general: general)
    }

    /// `NUMBER ARG1..ARG6 SP PC`, or `-1 SP PC` outside of a system call (proc_pid_syscall(5)); `running` gives `nil`.
    static func systemCall(_ thread: Int32, _ line: String, because reason: String) -> ThreadRegisters? {
        let words = line.split(separator: " ")
        func value(_ word: Substring) -> UInt64? {
            if word.hasPrefix("0x") { return UInt64(word.dropFirst(2), radix: 16) }
            return Int64(word).map { UInt64(bitPattern: $0) }
        }
        let values = words.compactMap(value)
        guard values.count == words.count, values.count == 9 || values.count == 3 else { return nil }
        var general = [UInt64](repeating: 0, count: count)
        general[15] = values[0]
        general[19] = values[values.count - 2]
        general[16] = values[values.count - 1]
        // A 64-bit program's segments, without which a debugger takes it for a 32-bit one.
        general[17] = 0x33
        general[20] = 0x2B
        if values.count == 9 {
            for (register, argument) in zip([14, 13, 12, 7, 9, 8], values[1...6]) { general[register] = argument }
        }
        return ThreadRegisters(thread: thread, source: .systemCall, general: general, reason: reason)
    }
}
