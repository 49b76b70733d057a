import Base
import Glibc

/// A line's place in the file. `isWhole` says whether its bytes are held; they are not when it exceeds the limit.
struct LinePlace {
    var offset: Int64
    var length: Int64
    var number: Int64
    var isWhole: Bool

    func unreadable(_ reason: UnreadableReason) -> Record {
        var record = Record(offset: offset, length: length, line: number, kind: .unreadable)
        record.reason = reason
        return record
    }
}

/// A line's bytes without blanks at either end, valid only within the closure that receives them.
struct BorrowedLine {
    let bytes: UnsafeBufferPointer<UInt8>
    let offset: Int64
    let number: Int64

    func record(_ kind: Record.Kind, _ range: Range<Int>? = nil) -> Record {
        let range = range ?? 0..<bytes.count
        return Record(offset: offset + Int64(range.lowerBound), length: Int64(range.count), line: number, kind: kind)
    }
}

/// Cuts a file into lines by pread(2). Holds at most one line of the limit's size and what one call reads.
struct LineScanner {
    private let descriptor: Int32
    private let limit: Int
    private let wholeFile: Bool
    private var window = ByteWindow()
    private var number: Int64 = 0
    private var isAtEnd = false
    /// How much the line that was given last still holds of the window.
    private var taken = 0
    /// The file's offset of the first byte that was not taken; after the last line, the file's size.
    private(set) var position: Int64 = 0
    /// The NUL bytes around parsed text.
    private(set) var nulBytes: Int64 = 0

    init(_ descriptor: Int32, limit: Int, wholeFile: Bool) {
        self.descriptor = descriptor
        self.limit = limit
        self.wholeFile = wholeFile
    }

    /// The next line, without its newline; `nil` at the end of the file.
    mutating func next() throws(Failure) -> LinePlace? {
        window.drop(taken)
        taken = 0
        var searched = 0
        while true {
            if let end = newline(from: searched) { return take(end, newline: 1) }
            searched = window.count
            if isAtEnd { return window.count > 0 ? take(window.count, newline: 0) : nil }
            if window.count > limit { return try skipLine() }
            try refill()
        }
    }

    /// Calls `body` with the line's bytes, without white space and NUL at either end. Only for the line given last.
    mutating func withBytes(
        of line: LinePlace,
        _ body: (BorrowedLine) throws(Failure) -> Void
    ) throws(Failure) {
        var range = 0..<Int(line.length)
        while let first = range.first, Blank.contains(window[first]) {
            if window[first] == 0 { nulBytes += 1 }
            range = range.dropFirst()
        }
        while let last = range.last, Blank.contains(window[last]) {
            if window[last] == 0 { nulBytes += 1 }
            range = range.dropLast()
        }
        let offset = line.offset + Int64(range.lowerBound)
        try window.withBytes(range) { bytes throws(Failure) in
            try body(BorrowedLine(bytes: bytes, offset: offset, number: line.number))
        }
    }

    /// Reads on to the end of the file and gives everything from `line` as one place.
    mutating func skipToEnd(from line: LinePlace) throws(Failure) -> LinePlace {
        window.drop(taken)
        taken = 0
        while true {
            position += Int64(window.count)
            window.drop(window.count)
            if isAtEnd { break }
            skipHole()
            try refill()
        }
        return LinePlace(offset: line.offset, length: position - line.offset, number: line.number, isWhole: false)
    }

    private func newline(from index: Int) -> Int? { wholeFile ? nil : window.newline(from: index) }

    private mutating func take(_ length: Int, newline: Int) -> LinePlace {
        number += 1
        let place = LinePlace(offset: position, length: Int64(length), number: number, isWhole: length <= limit)
        position += Int64(length + newline)
        taken = length + newline
        return place
    }

    private mutating func skipLine() throws(Failure) -> LinePlace {
        number += 1
        let offset = position
        while true {
            let end = newline(from: 0)
            position += Int64(end ?? window.count)
            window.drop(end ?? window.count)
            if end != nil || isAtEnd { break }
            skipHole()
            try refill()
        }
        let place = LinePlace(offset: offset, length: position - offset, number: number, isWhole: false)
        if window.count > 0 {
            window.drop(1)
            position += 1
        }
        return place
    }

    /// Passes over a hole, which holds no newline, while nothing of it is kept (lseek(2), SEEK_DATA). A terabyte of
    /// nothing takes no time then. A file system that knows no holes answers with the place itself.
    private mutating func skipHole() {
        let seekData: Int32 = 3
        let data = lseek(descriptor, off_t(position), seekData)
        if data > position {
            position = Int64(data)
        } else if data < 0, errno == ENXIO {
            position = max(position, Int64(lseek(descriptor, 0, SEEK_END)))
        }
    }

    private mutating func refill() throws(Failure) {
        let source = descriptor
        let offset = position + Int64(window.count)
        let count = try window.fill("read the log", from: source) { pread(source, $0, $1, off_t(offset)) }
        if count == 0 { isAtEnd = true }
    }
}

/// The bytes that may stand between records: white space of JSON and NUL runs.
enum Blank {
    static func contains(_ byte: UInt8) -> Bool {
        byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 || byte == 0
    }
}
