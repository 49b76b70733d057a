import Base
import CMemory
import Glibc

/// Finds pages of a process that stands still which are there and hold nothing but zeros. What programs have cleared or
/// not used yet is often a quarter of their memory; it is known beforehand, so that it stands in the core once and is
/// neither hashed nor compressed each time. One page of a cell is looked at first, and only where it has zeros the cell.
struct BlankPages: ~Copyable {
    /// Pages that are judged together.
    static let cell: UInt64 = 32 << 10
    /// Shorter stretches are content: each costs a header, and readers of cores look through all of them.
    static let leastCells = 2
    /// Stretches of one process that are told apart.
    static let mostStretches = 16_384
    /// How long is looked; what was not reached is content.
    static let patience: Duration = .seconds(5)

    /// How much of a cell is looked at first, and where in it.
    private static let probe: UInt64 = 64
    private static let probeOffset: UInt64 = 3 * 4096 + 1024
    private static let cellsAtOnce = 256
    private static let cellsRead = 64

    private let process: Int32
    private let deadline = Deadline(after: BlankPages.patience)
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: BlankPages.cellsRead * Int(BlankPages.cell),
        alignment: 4096
    )
    private var stretches = 0

    /// Reads by the number of a process, or of one of its threads. Whether it was that process all the time is for the
    /// caller to know.
    init(of process: Int32) { self.process = process }

    deinit { buffer.deallocate() }

    /// The runs of one mapping, those of pages of the process's own cut where they begin and cease to be blank.
    mutating func split(_ runs: [PageRun]) -> [PageRun] {
        var parts: [PageRun] = []
        parts.reserveCapacity(runs.count)
        for run in runs {
            if run.isPresent, !run.isSwapped, !run.isFile, !run.isZero {
                parts += split(run)
            } else {
                parts.append(run)
            }
        }
        return parts
    }

    /// The same pages, cut where they begin and cease to be blank.
    private mutating func split(_ run: PageRun) -> [PageRun] {
        let count = Int(run.size / Self.cell)
        guard count >= Self.leastCells, stretches < Self.mostStretches else { return [run] }
        var parts: [PageRun] = []
        var position = run.start
        var first: Int?
        for start in stride(from: 0, through: count, by: Self.cellsAtOnce) {
            // One more behind the last is never blank: it ends a stretch.
            let blank =
                start < count && !deadline.hasPassed ? look(at: run, start, min(start + Self.cellsAtOnce, count)) : []
            for index in start..<min(start + Self.cellsAtOnce, count + 1) {
                if index - start < blank.count, blank[index - start] {
                    first = first ?? index
                    continue
                }
                guard let begin = first else { continue }
                first = nil
                guard index - begin >= Self.leastCells, stretches < Self.mostStretches else { continue }
                stretches += 1
                let from = run.start + UInt64(begin) * Self.cell
                let to = run.start + UInt64(index) * Self.cell
                if position < from { parts.append(run.cut(position, from)) }
                var part = run.cut(from, to)
                part.isBlank = true
                parts.append(part)
                position = to
            }
        }
        if position < run.end { parts.append(run.cut(position, run.end)) }
        return parts
    }

    /// Which of the cells from `start` to `end` are blank; what cannot be read is not.
    private func look(at run: PageRun, _ start: Int, _ end: Int) -> [Bool] {
        var blank = [Bool](repeating: false, count: end - start)
        let probes = (start..<end).map { run.start + UInt64($0) * Self.cell + Self.probeOffset }
        let seen = read(probes, Self.probe)
        let candidates = (0..<seen).filter { isZero($0 * Int(Self.probe), Int(Self.probe)) }
        for first in stride(from: 0, to: candidates.count, by: Self.cellsRead) {
            let some = candidates[first..<min(first + Self.cellsRead, candidates.count)]
            let whole = read(some.map { run.start + UInt64(start + $0) * Self.cell }, Self.cell)
            for (place, index) in some.enumerated() where place < whole {
                blank[index] = isZero(place * Int(Self.cell), Int(Self.cell))
            }
        }
        return blank
    }

    /// Reads `size` bytes at each address, one behind the other; how many of them were read whole.
    private func read(_ addresses: [UInt64], _ size: UInt64) -> Int {
        let spans = addresses.enumerated().map { index, address in
            cmemory_span(address: address, size: size, into: buffer.baseAddress.map { $0 + index * Int(size) })
        }
        while true {
            let count = cmemory_read(process, spans, spans.count)
            if count < 0, errno == EINTR { continue }
            return max(count, 0) / Int(size)
        }
    }

    private func isZero(_ offset: Int, _ size: Int) -> Bool {
        guard let start = buffer.baseAddress.map({ $0 + offset }) else { return false }
        return start.load(as: UInt64.self) == 0 && memcmp(start, start + 8, size - 8) == 0
    }
}
