/// Where the memory of a process stands in its core: one PT_LOAD for pages in a row that are taken and what is missing
/// behind them, so that every mapping is in the table of the core, whether any of it was taken or not. Segments of pages of zeros all
/// lead to the same place of the file, which readers of cores take as they take any other.
struct CoreLayout: Sendable {
    struct Segment: Hashable, Sendable {
        let address: UInt64
        /// Bytes that stand in the core, from the start.
        var fileSize: UInt64
        /// Bytes that it spans.
        var size: UInt64
        let flags: UInt32
        /// Whether its content is the zeros that stand in the core once.
        var isBlank = false
    }

    /// Pages in a row whose content is read.
    struct Piece: Hashable, Sendable {
        let address: UInt64
        let size: UInt64
    }

    /// How many stretches of pages are kept apart; a process can make every second page absent.
    static let mostSegments = 1 << 20
    /// Zeros that stand in the core at most; a longer stretch has several segments.
    static let mostBlank: UInt64 = 4 << 20

    private(set) var segments: [Segment] = []
    private(set) var pieces: [Piece] = []
    private(set) var bytes: UInt64 = 0
    /// Bytes of pages that hold nothing but zeros: all of them are the same ``blankBlock`` of the core.
    private(set) var blankBytes: UInt64 = 0
    private(set) var blankStretches = 0
    /// How many zeros stand in the core for them.
    private(set) var blankBlock: UInt64 = 0
    /// Bytes that were left out because there are too many stretches.
    private(set) var bytesLeftOut: UInt64 = 0

    /// Enters a mapping with the runs of it that are taken, in order and within it.
    mutating func add(_ map: MemoryMap, taking runs: [PageRun]) {
        var position = map.start
        for run in runs {
            guard segments.count < Self.mostSegments else {
                bytesLeftOut += run.size
                continue
            }
            if run.isBlank {
                leaveGap(to: run.start, from: position, in: map)
                addBlank(run, in: map)
                position = run.end
                continue
            }
            let isNext = position == run.start && position > map.start && segments.last?.fileSize == segments.last?.size
            if isNext, let last = segments.indices.last, !segments[last].isBlank {
                segments[last].fileSize += run.size
                segments[last].size += run.size
            } else {
                leaveGap(to: run.start, from: position, in: map)
                segments.append(
                    Segment(address: run.start, fileSize: run.size, size: run.size, flags: map.elfFlags)
                )
            }
            take(run)
            position = run.end
        }
        leaveGap(to: map.end, from: position, in: map)
    }

    private mutating func addBlank(_ run: PageRun, in map: MemoryMap) {
        blankBytes += run.size
        blankStretches += 1
        blankBlock = max(blankBlock, min(run.size, Self.mostBlank))
        for address in stride(from: run.start, to: run.end, by: Int(Self.mostBlank)) {
            let size = min(run.end - address, Self.mostBlank)
            segments.append(
                Segment(address: address, fileSize: size, size: size, flags: map.elfFlags, isBlank: true)
            )
        }
    }

    private mutating func leaveGap(to end: UInt64, from position: UInt64, in map: MemoryMap) {
        guard position < end else { return }
        if position > map.start, let last = segments.indices.last {
            segments[last].size += end - position
        } else {
            segments.append(Segment(address: position, fileSize: 0, size: end - position, flags: map.elfFlags))
        }
    }

    private mutating func take(_ run: PageRun) {
        bytes += run.size
        if let last = pieces.last, last.address + last.size == run.start {
            pieces[pieces.count - 1] = Piece(address: last.address, size: last.size + run.size)
        } else {
            pieces.append(Piece(address: run.start, size: run.size))
        }
    }
}
