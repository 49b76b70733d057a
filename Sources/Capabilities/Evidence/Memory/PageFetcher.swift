import Base
import CMemory
import Glibc
import Kernel

/// What pages are read through.
struct PageSource: Sendable {
    /// /proc/PID/mem: of this very memory, whatever becomes of the process.
    let memory: SharedDescriptor
    /// The process for process_vm_readv(2), which copies once instead of twice; `nil` when the process may start another
    /// program meanwhile.
    let process: Int32?
    /// Whether the process has ended, asked after each read by its number.
    let hasEnded: @Sendable () -> Bool
    let subject: BytePath
}

/// Pages in a row that could not be read and are zeros in the core.
struct PageHole: Hashable, Sendable {
    let address: UInt64
    var size: UInt64
    let errno: Int32
}

/// Fills buffers with the pages of a core, in order.
struct PageFiller {
    /// What one fill came to.
    enum Result: Equatable {
        case filled(Int)
        /// The process, or its memory, is gone.
        case vanished
    }

    static let blockSize = 2 << 20
    /// The most that one call of process_vm_readv(2) is asked for.
    private static let mostSpans = 256

    private let source: PageSource
    private let pieces: [CoreLayout.Piece]
    private var index = 0
    private var done: UInt64 = 0
    private(set) var holes: [PageHole] = []
    private(set) var holeBytes: UInt64 = 0

    init(_ pieces: [CoreLayout.Piece], from source: PageSource) {
        self.pieces = pieces
        self.source = source
    }

    /// Fills `buffer` with the next content; 0 at the end.
    mutating func fill(_ buffer: UnsafeMutableRawBufferPointer) -> Result {
        var spans: [cmemory_span] = []
        var filled = 0
        while index < pieces.count, filled < buffer.count, spans.count < Self.mostSpans {
            let piece = pieces[index]
            let size = min(piece.size - done, UInt64(buffer.count - filled))
            let into = buffer.baseAddress.map { $0 + filled }
            spans.append(cmemory_span(address: piece.address + done, size: size, into: into))
            filled += Int(size)
            done += size
            if done == piece.size {
                index += 1
                done = 0
            }
        }
        return read(spans) ? .filled(filled) : .vanished
    }

    /// `false` when the process is gone.
    private mutating func read(_ spans: [cmemory_span]) -> Bool {
        var next = 0
        while next < spans.count {
            if let process = source.process {
                let rest = Array(spans[next...])
                var count = cmemory_read(process, rest, rest.count)
                if count < 0, errno == EINTR { continue }
                // A pid that was used again would be another's memory.
                if source.hasEnded() { return false }
                while count > 0, next < spans.count, count >= Int(spans[next].size) {
                    count -= Int(spans[next].size)
                    next += 1
                }
                if next == spans.count { return true }
            }
            guard readAlone(spans[next]) else { return false }
            next += 1
        }
        return true
    }

    /// One span through /proc/PID/mem, which reads what the program itself may not; page by page where it must.
    private mutating func readAlone(_ span: cmemory_span) -> Bool {
        var position: UInt64 = 0
        while position < span.size {
            guard let into = span.into.map({ $0 + Int(position) }) else { return true }
            let count = pread(
                source.memory.descriptor.number,
                into,
                Int(span.size - position),
                off_t(bitPattern: span.address + position)
            )
            if count > 0 {
                position += UInt64(count)
                continue
            }
            let problem = errno
            if count < 0, problem == EINTR { continue }
            if count == 0 || source.hasEnded() { return false }
            let size = min(4096 - (span.address + position) % 4096, span.size - position)
            memset(into, 0, Int(size))
            note(PageHole(address: span.address + position, size: size, errno: problem))
            position += size
        }
        return true
    }

    private mutating func note(_ hole: PageHole) {
        holeBytes += hole.size
        if let last = holes.last, last.address + last.size == hole.address, last.errno == hole.errno {
            holes[holes.count - 1].size += hole.size
        } else if holes.count < 256 {
            holes.append(hole)
        }
    }
}

extension off_t {
    fileprivate init(bitPattern address: UInt64) { self = off_t(truncatingIfNeeded: address) }
}

/// Reads ahead on a thread of its own, so that reading and compressing go on at the same time, and so that a read that never
/// answers, a lock of the process being held by one of its frozen threads, costs a thread and not the capture.
final class PageFetcher: @unchecked Sendable {
    /// What the reading came to.
    enum End: Equatable {
        case whole
        case vanished
        case stuck
        case stopped
    }

    private static let slotCount = 4

    private let buffers: [UnsafeMutableRawBufferPointer]
    /// Bytes in each slot; 0 at the end, -1 when the process vanished. Each is written before its slot is handed on.
    private let counts = UnsafeMutableBufferPointer<Int>.allocate(capacity: slotCount)
    private let free = Semaphore(slotCount)
    private let filled = Semaphore(0)
    private var filler: PageFiller

    init(_ pieces: [CoreLayout.Piece], from source: PageSource) {
        filler = PageFiller(pieces, from: source)
        buffers = (0..<Self.slotCount).map { _ in .allocate(byteCount: PageFiller.blockSize, alignment: 4096) }
    }

    deinit {
        for buffer in buffers { buffer.deallocate() }
        counts.deallocate()
    }

    /// Hands the content to `body`, which gives `false` to stop. Afterwards the holes are known, but not of a reading that is
    /// stuck, whose thread is left behind.
    ///
    /// - Throws: what `body` throws, and `system` when there can be no more threads.
    func read(
        patience: Duration,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Bool
    ) throws(Failure) -> (end: End, holes: [PageHole], holeBytes: UInt64) {
        let thread = try OwnedThread { self.run() }
        var slot = 0
        while true {
            guard filled.wait(patience) else {
                thread.detach()
                return (.stuck, [], 0)
            }
            let count = counts[slot]
            if count <= 0 {
                thread.join()
                return (count == 0 ? .whole : .vanished, filler.holes, filler.holeBytes)
            }
            let goesOn: Bool
            do throws(Failure) {
                goesOn = try body(UnsafeRawBufferPointer(rebasing: buffers[slot][..<count]))
            } catch {
                stop(thread)
                throw error
            }
            if !goesOn {
                stop(thread)
                return (.stopped, [], 0)
            }
            free.post()
            slot = (slot + 1) % Self.slotCount
        }
    }

    /// Lets the thread run on into what nobody reads: it stops when it finds no free slot within the patience of the end.
    private func stop(_ thread: consuming OwnedThread) {
        isStopped.post()
        free.post()
        thread.detach()
    }

    private let isStopped = Semaphore(0)

    private func run() {
        var slot = 0
        while true {
            free.wait()
            if isStopped.isRaised { return }
            switch filler.fill(buffers[slot]) {
            case .filled(let count): counts[slot] = count
            case .vanished: counts[slot] = -1
            }
            let isEnd = counts[slot] <= 0
            filled.post()
            if isEnd { return }
            slot = (slot + 1) % Self.slotCount
        }
    }
}
