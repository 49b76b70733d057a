import Base
import CMemory
import Glibc
import Kernel
import Synchronization

/// Reads the registers of threads. A frozen or stopped thread is not touched: the kernel is asked for what it saved. Only a
/// thread that may run is stopped by ptrace(2), for a moment, and let go.
///
/// ptrace works on threads that the unified hierarchy's freezer holds, but each of them then leaves its frozen state for
/// some microseconds in the kernel, and `frozen` and the times say so; on those of the v1 freezer it never completes.
final class RegisterReader: Sendable {
    /// Threads of one process that are stopped at the same time; of more, the others are told as missing.
    static let mostTraced = 4096

    /// The loaded iterator, or why there is none.
    private let iterator: Result<SharedDescriptor, Failure>

    /// - Parameter usesIterator: `false` reads as on a kernel without type information.
    init(usesIterator: Bool = true) {
        guard usesIterator else {
            iterator = .failure(Failure(.refused, "load the iterator", on: "BPF", because: "not wanted"))
            return
        }
        let program = cmemory_load_iterator()
        if program >= 0 {
            iterator = .success(SharedDescriptor(Descriptor(adopting: program)))
        } else {
            iterator = .failure(Failure(errno: errno, "load the iterator", on: BytePath("BPF")))
        }
    }

    /// A thread and what is known of it.
    struct Subject: Sendable {
        let thread: Int32
        /// Frozen by a cgroup or stopped: it does not run, and must not be touched.
        let standsStill: Bool
        /// The line of its syscall file; empty where the kernel does not tell.
        let systemCall: String
        /// Who traces it, 0 for nobody.
        let tracer: Int32
    }

    /// The registers of `subjects`, in their order.
    func read(_ subjects: [Subject]) -> [ThreadRegisters] {
        var found: [Int32: ThreadRegisters] = [:]
        for subject in subjects where subject.standsStill || subject.tracer != 0 {
            found[subject.thread] = saved(subject)
        }
        let running = subjects.filter { found[$0.thread] == nil }
        for registers in trace(running.prefix(Self.mostTraced).map(\.thread)) {
            found[registers.thread] = registers
        }
        return subjects.map { subject in
            let registers = found[subject.thread] ?? .missing(subject.thread, because: "too many threads to stop")
            guard registers.source == .nothing else { return registers }
            let reason = registers.reason ?? "not told"
            return ThreadRegisters.systemCall(subject.thread, subject.systemCall, because: reason) ?? registers
        }
    }

    private func saved(_ subject: Subject) -> ThreadRegisters {
        let program: SharedDescriptor
        switch iterator {
        case .success(let loaded): program = loaded
        case .failure(let failure):
            let reason = "it stands still and is not to be touched, and there is no BPF iterator: \(failure.reason)"
            return .missing(subject.thread, because: reason)
        }
        var values = [UInt64](repeating: 0, count: Int(cmemory_saved_registers))
        guard cmemory_saved(program.descriptor.number, subject.thread, &values) == 0 else {
            return .missing(subject.thread, because: Failure(errno: errno, "ask", on: BytePath("BPF")).reason)
        }
        var registers = ThreadRegisters.saved(subject.thread, values)
        if subject.tracer != 0 { registers.reason = "process \(subject.tracer) traces it" }
        return registers
    }

    /// Stops, reads and lets go on a thread of its own, with whose end the kernel lets go of whatever was left.
    private func trace(_ threads: [Int32]) -> [ThreadRegisters] {
        guard !threads.isEmpty else { return [] }
        let answer = Answer()
        do throws(Failure) {
            let tracer = try OwnedThread { answer.put(TraceStop(threads).run()) }
            tracer.join()
        } catch {
            answer.put(threads.map { .missing($0, because: error.reason) })
        }
        return answer.get()
    }

    private final class Answer: Sendable {
        private let found = Mutex<[ThreadRegisters]>([])
        func put(_ value: [ThreadRegisters]) { found.withLock { $0 = value } }
        func get() -> [ThreadRegisters] { found.withLock { $0 } }
    }
}

/// All threads of a process stopped at the same time by ptrace(2), read, and let go: less than a second in all.
private struct TraceStop {
    /// What all of them together are waited for.
    private static let patience: Duration = .milliseconds(500)
    private static let generalSet: Int32 = 1
    private static let floatingSet: Int32 = 2
    private static let extendedSet: Int32 = 0x202

    private let threads: [Int32]

    init(_ threads: [Int32]) { self.threads = threads }

    func run() -> [ThreadRegisters] {
        var seized: [Int32: String?] = [:]
        for thread in threads {
            if cmemory_seize(thread) == 0, cmemory_interrupt(thread) == 0 {
                seized[thread] = .some(nil)
            } else {
                seized[thread] = Failure(errno: errno, "stop", on: BytePath("thread")).reason
            }
        }
        let deadline = Deadline(after: Self.patience)
        var found: [ThreadRegisters] = []
        var standing: [(thread: Int32, signal: Int32)] = []
        for thread in threads {
            if case .some(.some(let reason)) = seized[thread] {
                found.append(.missing(thread, because: "it could not be stopped: \(reason)"))
                continue
            }
            var signal: Int32 = 0
            if cmemory_wait(thread, deadline.pollTimeout, &signal) == 0 {
                standing.append((thread, signal))
                found.append(read(thread))
            } else {
                found.append(.missing(thread, because: "it did not stop in time"))
            }
        }
        for (thread, signal) in standing { _ = cmemory_release(thread, signal) }
        return found
    }

    private func read(_ thread: Int32) -> ThreadRegisters {
        guard let general = set(Self.generalSet, of: thread, capacity: ThreadRegisters.count * 8),
            general.count == ThreadRegisters.count * 8
        else { return .missing(thread, because: "its registers are not those of a 64-bit program, or it ended") }
        let values = general.withUnsafeBytes { Array($0.bindMemory(to: UInt64.self)) }
        return ThreadRegisters(
            thread: thread,
            source: .traced,
            general: values,
            floating: set(Self.floatingSet, of: thread, capacity: 512),
            extended: set(Self.extendedSet, of: thread, capacity: 16 << 10)
        )
    }

    private func set(_ number: Int32, of thread: Int32, capacity: Int) -> [UInt8]? {
        let bytes = [UInt8](unsafeUninitializedCapacity: capacity) { buffer, count in
            count = max(0, cmemory_register_set(thread, number, buffer.baseAddress, capacity))
        }
        return bytes.isEmpty ? nil : bytes
    }
}
