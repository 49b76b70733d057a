import Base
import CZstd

/// The bytes of a foreign file from its start to its end, expanded when they are compressed.
final class ForeignStream {
    enum Coding: Equatable {
        case plain
        case gzip
        case zstd

        /// By the first bytes.
        init(_ head: [UInt8]) {
            if head.starts(with: [0x1F, 0x8B]) {
                self = .gzip
            } else if head.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) {
                self = .zstd
            } else {
                self = .plain
            }
        }
    }

    /// What is odd about the coding.
    private(set) var remarks: [String] = []

    private let file: ForeignFile
    private let coding: Coding
    private let budget: ForeignBudget
    private let input = PageBuffer(size: 256 << 10)
    private let output = PageBuffer(size: 256 << 10)
    private var inflater: Inflater?
    private var zstd: OpaquePointer?
    private var offset: UInt64 = 0
    private var filled = 0
    private var taken = 0
    private var isBetween = true
    private var hasEnded = false

    init(_ file: ForeignFile, _ coding: Coding, _ budget: ForeignBudget) throws(ForeignProblem) {
        self.file = file
        self.coding = coding
        self.budget = budget
        switch coding {
        case .plain: break
        case .gzip: inflater = try Inflater(.gzip)
        case .zstd:
            zstd = ZSTD_createDCtx()
            // 128 MiB, what zstd itself takes without being asked for more.
            ZSTD_DCtx_setParameter(zstd, ZSTD_d_windowLogMax, 27)
        }
    }

    deinit { ZSTD_freeDCtx(zstd) }

    /// The next bytes, valid until the next call; empty at the end.
    func next() throws(ForeignProblem) -> UnsafeRawBufferPointer {
        let empty = UnsafeRawBufferPointer(rebasing: output.bytes[..<0])
        while !hasEnded {
            if taken == filled { try refill() }
            if coding == .plain {
                taken = filled
                hasEnded = filled == 0
                try budget.expand(by: filled)
                return UnsafeRawBufferPointer(rebasing: input.bytes[..<filled])
            }
            if taken == filled {
                hasEnded = true
                if !isBetween { throw .misread("the compressed data ends in the middle") }
                return empty
            }
            let produced = coding == .gzip ? try inflate() : try decompress()
            try budget.expand(by: produced)
            if produced > 0 { return UnsafeRawBufferPointer(rebasing: output.bytes[..<produced]) }
        }
        return empty
    }

    private func refill() throws(ForeignProblem) {
        filled = try foreign { () throws(Failure) in try file.read(into: input.bytes, at: offset) }
        taken = 0
        offset += UInt64(filled)
    }

    private var waiting: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: input.bytes[taken..<filled]) }

    private func inflate() throws(ForeignProblem) -> Int {
        guard let inflater else { return 0 }
        if isBetween, offset > UInt64(filled) || taken > 0, waiting.first != 0x1F {
            // Tape blocks and some writers pad with zeros; whatever it is, no reader shows it.
            remarks.append("there are bytes behind the end of the gzip data")
            hasEnded = true
            return 0
        }
        isBetween = false
        let step = try inflater.step(waiting, into: output.bytes)
        taken += step.consumed
        if step.isEnd {
            isBetween = true
            inflater.restart()
        } else if step.consumed == 0, step.produced == 0 {
            throw .misread("damaged deflate data")
        }
        return step.produced
    }

    private func decompress() throws(ForeignProblem) -> Int {
        var source = ZSTD_inBuffer(src: waiting.baseAddress, size: waiting.count, pos: 0)
        var target = ZSTD_outBuffer(dst: output.bytes.baseAddress, size: output.bytes.count, pos: 0)
        let rest = ZSTD_decompressStream(zstd, &target, &source)
        guard ZSTD_isError(rest) == 0 else {
            throw .misread("damaged zstd data: \(String(cString: ZSTD_getErrorName(rest)))")
        }
        if source.pos == 0, target.pos == 0 { throw .misread("damaged zstd data") }
        taken += source.pos
        isBetween = rest == 0
        return target.pos
    }
}

/// Takes bytes of a stream in the pieces that a reader wants.
struct ForeignFeed: ~Copyable {
    private let stream: ForeignStream
    private var waiting = UnsafeRawBufferPointer(start: nil, count: 0)

    init(_ stream: ForeignStream) { self.stream = stream }

    /// Exactly `count` bytes, or fewer when the stream ends.
    mutating func take(_ count: Int) throws(ForeignProblem) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(count)
        try pour(UInt64(count)) { bytes += $0 }
        return bytes
    }

    /// Hands `count` bytes to `body`, in pieces; says how many were missing.
    @discardableResult
    mutating func pour(
        _ count: UInt64,
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Void
    ) throws(ForeignProblem) -> UInt64 {
        var left = count
        while left > 0 {
            if waiting.isEmpty {
                waiting = try stream.next()
                if waiting.isEmpty { return left }
            }
            let part = UnsafeRawBufferPointer(rebasing: waiting[..<min(waiting.count, Int(clamping: left))])
            waiting = UnsafeRawBufferPointer(rebasing: waiting[part.count...])
            left -= UInt64(part.count)
            try foreign { () throws(Failure) in try body(part) }
        }
        return 0
    }
}
