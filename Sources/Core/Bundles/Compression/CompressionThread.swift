import Base
import Synchronization

/// Compresses on a thread of its own: reading and hashing what goes in, and compressing, hashing and writing what comes out,
/// then take two processors. Memory is that of ``slotCount`` slots. The zstd that Debian links statically knows no threads.
final class CompressionThread {
    private static let slotCount = 8

    private let queue: CompressionQueue
    private var thread: OwnedThread?
    private var isEnded = false
    private var slot = 0
    private var used = 0

    /// `sink` gets the compressed bytes, on the thread, until ``finish()`` has returned.
    ///
    /// Where the host allows no more threads the caller's does it all: it takes longer, and nothing is missing.
    ///
    /// - Throws: `system` when there is no memory.
    init(level: Int32, sink: @escaping (UnsafeRawBufferPointer) throws(Failure) -> Void) throws(Failure) {
        let queue = CompressionQueue(try ZstdCompressor(level: level, sink: sink), slots: Self.slotCount)
        self.queue = queue
        do throws(Failure) { thread = try OwnedThread { while queue.turn() {} } } catch { thread = nil }
    }

    deinit {
        if !isEnded { end(.abandoned) }
    }

    /// Appends content. The buffer may be used anew as soon as this returns.
    ///
    /// - Throws: what compressing or the sink threw, here or with earlier content.
    func append(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var rest = bytes
        while !rest.isEmpty {
            if used == 0 { try claim() }
            let count = min(rest.count, CompressionQueue.slotSize - used)
            queue.fill(slot, from: used, with: UnsafeRawBufferPointer(rebasing: rest[..<count]))
            used += count
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
            if used == CompressionQueue.slotSize { hand() }
        }
    }

    /// Ends the frame, and waits until all of it has been through the sink.
    ///
    /// - Throws: as ``append(_:)``.
    func finish() throws(Failure) {
        if used > 0 { hand() }
        end(.finished)
        try queue.throwFailure()
    }

    private func claim() throws(Failure) {
        queue.free.wait()
        try queue.throwFailure()
    }

    private func hand() {
        give(.content(used))
        slot = (slot + 1) % Self.slotCount
        used = 0
    }

    private func end(_ what: CompressionQueue.Slot) {
        if used == 0 { queue.free.wait() }
        isEnded = true
        give(what)
        thread.take()?.join()
    }

    private func give(_ what: CompressionQueue.Slot) {
        queue.hand(slot, what)
        if thread == nil { _ = queue.turn() }
    }
}

/// What the two threads share. Each slot belongs to one of them, and changes hands through a semaphore.
private final class CompressionQueue: @unchecked Sendable {
    static let slotSize = 1 << 20

    enum Slot {
        /// Bytes from the slot's beginning.
        case content(Int)
        /// Nothing follows.
        case finished
        /// Nobody wants what was compressed.
        case abandoned
    }

    let free: Semaphore
    private let filled = Semaphore(0)
    private let buffers: [PageBuffer]
    private let slots: UnsafeMutableBufferPointer<Slot>
    private let compressor: ZstdCompressor
    /// Which slot is compressed next; the compressing side's alone.
    private var next = 0
    private let failure = Mutex<Failure?>(nil)

    init(_ compressor: ZstdCompressor, slots count: Int) {
        self.compressor = compressor
        free = Semaphore(count)
        buffers = (0..<count).map { _ in PageBuffer(size: Self.slotSize) }
        slots = .allocate(capacity: count)
        slots.initialize(repeating: .abandoned)
    }

    deinit { slots.deallocate() }

    func fill(_ slot: Int, from offset: Int, with bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: buffers[slot].bytes[offset...]).copyMemory(from: bytes)
    }

    func hand(_ slot: Int, _ what: Slot) {
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
            do throws(Failure) { try compress(what, in: slot) } catch { failure.withLock { $0 = error } }
        }
        guard case .content = what else { return false }
        next = (slot + 1) % buffers.count
        free.post()
        return true
    }

    private func compress(_ what: Slot, in slot: Int) throws(Failure) {
        switch what {
        case .content(let count):
            try compressor.append(UnsafeRawBufferPointer(rebasing: buffers[slot].bytes[..<count]))
        case .finished: try compressor.finish()
        case .abandoned: break
        }
    }
}
