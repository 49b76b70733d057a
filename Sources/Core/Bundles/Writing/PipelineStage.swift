import Base
import Synchronization

/// A part of the way from a file to a volume that works on a thread of its own, so that reading and hashing, compressing,
/// and hashing and writing what came of it share the processors. (The zstd that is linked statically knows no threads.)
/// Bytes go in on one thread and come to `take` in the same order on another; memory is that of ``slotCount`` slots, which
/// lie one behind the other.
final class PipelineStage {
    private static let slotCount = 4
    /// Bytes that `take` gets at once, but for the last ones.
    static let slotSize = 1 << 20

    private let queue: StageQueue
    private var thread: OwnedThread?
    private var isEnded = false
    private var slot = 0
    private var used = 0

    /// `take` gets the bytes and, last of all, `end` is called, both on the thread, until ``finish()`` has returned. Where
    /// the host allows no more threads the caller's does it all: it takes longer, and nothing is missing.
    ///
    /// - Parameters:
    ///   - isLookedBackAt: Whether the bytes of one call of `take` stay as they are until the next call has returned.
    ///   - start: Starts the thread; a parameter for tests.
    init(
        isLookedBackAt: Bool = false,
        take: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void,
        end: @escaping () throws(Failure) -> Void,
        start: (@escaping @Sendable () -> Void) throws(Failure) -> OwnedThread = { work throws(Failure) in
            try OwnedThread(work)
        }
    ) {
        let queue = StageQueue(slots: Self.slotCount, held: isLookedBackAt ? 1 : 0, take: take, end: end)
        self.queue = queue
        do throws(Failure) { thread = try start { while queue.turn() {} } } catch { thread = nil }
    }

    deinit {
        if !isEnded { give(last: .abandoned) }
    }

    /// Appends content. The buffer may be used anew as soon as this returns.
    ///
    /// - Throws: what the stage threw, with this content or earlier.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            if used == 0 { try claim() }
            let count = min(rest.count, Self.slotSize - used)
            queue.fill(slot, from: used, with: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            used += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if used == Self.slotSize { handOver() }
        }
    }

    /// Waits until the stage has taken everything and has ended.
    ///
    /// - Throws: as ``append(_:)``.
    func finish() throws(Failure) {
        if used > 0 { handOver() }
        give(last: .finished)
        try queue.throwFailure()
    }

    private func claim() throws(Failure) {
        queue.free.wait()
        try queue.throwFailure()
    }

    private func handOver() {
        give(.content(used))
        slot = (slot + 1) % Self.slotCount
        used = 0
    }

    private func give(last: StageQueue.Slot) {
        if used == 0 { queue.free.wait() }
        isEnded = true
        give(last)
        thread.take()?.join()
    }

    private func give(_ what: StageQueue.Slot) {
        queue.handOver(slot, what)
        if thread == nil { _ = queue.turn() }
    }
}

/// What the two threads share. Each slot belongs to one of them, and changes hands through a semaphore.
private final class StageQueue: @unchecked Sendable {
    enum Slot {
        /// Bytes from the slot's beginning.
        case content(Int)
        /// Nothing follows.
        case finished
        /// Nobody wants what came of it.
        case abandoned
    }

    let free: Semaphore
    private let filled = Semaphore(0)
    private let memory: PageBuffer
    private let slots: UnsafeMutableBufferPointer<Slot>
    private let take: (UnsafeRawBufferPointer) throws(Failure) -> Void
    private let end: () throws(Failure) -> Void
    /// Which slot is taken next; the taking side's alone, as the next.
    private var next = 0
    /// How many slots are still kept when they were taken, before the first is given back.
    private var held: Int
    private let failure = Mutex<Failure?>(nil)

    init(
        slots count: Int,
        held: Int,
        take: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void,
        end: @escaping () throws(Failure) -> Void
    ) {
        self.take = take
        self.end = end
        self.held = held
        free = Semaphore(count)
        memory = PageBuffer(size: count * PipelineStage.slotSize)
        slots = .allocate(capacity: count)
        slots.initialize(repeating: .abandoned)
    }

    deinit { slots.deallocate() }

    func fill(_ slot: Int, from offset: Int, with bytes: UnsafeRawBufferPointer) {
        let start = slot * PipelineStage.slotSize + offset
        UnsafeMutableRawBufferPointer(rebasing: memory.bytes[start...]).copyMemory(from: bytes)
    }

    func handOver(_ slot: Int, _ what: Slot) {
        slots[slot] = what
        filled.post()
    }

    func throwFailure() throws(Failure) {
        if let failure = failure.withLock({ $0 }) { throw failure }
    }

    /// Takes the next slot; `false` when it was the last. After a failure what still comes is passed over: who hands it in
    /// is told at the next slot.
    func turn() -> Bool {
        filled.wait()
        let slot = next
        let what = slots[slot]
        if failure.withLock({ $0 == nil }) {
            do throws(Failure) { try use(what, in: slot) } catch { failure.withLock { $0 = error } }
        }
        guard case .content = what else { return false }
        next = (slot + 1) % slots.count
        // With one that is held, it is the slot before this one that is free now.
        if held > 0 { held -= 1 } else { free.post() }
        return true
    }

    private func use(_ what: Slot, in slot: Int) throws(Failure) {
        switch what {
        case .content(let count):
            let start = slot * PipelineStage.slotSize
            try take(UnsafeRawBufferPointer(rebasing: memory.bytes[start..<start + count]))
        case .finished: try end()
        case .abandoned: break
        }
    }
}
