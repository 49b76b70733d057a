import Base

/// Little-endian numbers of a zip file, read within bounds.
struct ZipBytes {
    private let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    var count: Int { bytes.count }

    /// The number of `width` bytes at `offset`; `nil` beyond the end.
    func number(_ offset: Int, _ width: Int) -> UInt64? {
        guard offset >= 0, offset + width <= bytes.count else { return nil }
        let start = bytes.startIndex + offset
        return bytes[start..<(start + width)].reversed().reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// `length` bytes at `offset`; `nil` beyond the end.
    func slice(_ offset: Int, _ length: Int) -> ArraySlice<UInt8>? {
        guard offset >= 0, length >= 0, offset + length <= bytes.count else { return nil }
        let start = bytes.startIndex + offset
        return bytes[start..<(start + length)]
    }
}

/// Where a zip file says that its central directory is: the record at its end, and the one of zip64 before it.
/// Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.14 to 4.3.16.
struct ZipEnd {
    private(set) var entries: UInt64
    private(set) var directorySize: UInt64
    private(set) var directoryOffset: UInt64
    /// Where the records of the end begin: the directory ends there.
    private(set) var position: UInt64
    /// What is odd about it.
    private(set) var remarks: [String] = []

    init(of file: ForeignFile) throws(ForeignProblem) {
        // The record and the longest comment behind it.
        let length = min(file.size, 22 + 65_535)
        let start = file.size - length
        let tail = try foreign { () throws(Failure) in try file.bytes(at: start, count: Int(length)) }
        let places = ZipEnd.places(in: tail)
        guard let place = places.last else { throw .misread("the zip file has no end of a central directory") }
        if places.count > 1 { remarks.append("the zip file has \(places.count) ends; readers may choose another one") }
        let record = ZipBytes(tail[place...])
        guard let disk = record.number(4, 2), let first = record.number(6, 2), let here = record.number(8, 2),
            let all = record.number(10, 2), let size = record.number(12, 4), let offset = record.number(16, 4)
        else { throw .misread("the end of the zip file is cut off") }
        entries = all
        directorySize = size
        directoryOffset = offset
        position = start + UInt64(place)
        let needsMore = [disk, first, here, all].contains(0xFFFF) || [size, offset].contains(0xFFFF_FFFF)
        if position >= 20, try takeWide(file, isNeeded: needsMore) { return }
        guard disk == 0, first == 0, here == all else { throw .misread("the zip file is one of several parts") }
    }

    /// The places where an end may stand: its comment ends where the file does.
    private static func places(in tail: [UInt8]) -> [Int] {
        var places: [Int] = []
        var place = 0
        while place + 22 <= tail.count {
            let isEnd = tail[place] == 0x50 && tail[place + 1] == 0x4B && tail[place + 2] == 5 && tail[place + 3] == 6
            let comment = Int(tail[place + 20]) | Int(tail[place + 21]) << 8
            if isEnd, place + 22 + comment == tail.count { places.append(place) }
            place += 1
        }
        return places
    }

    /// Takes the wide record, when the locator right before the end leads to one.
    private mutating func takeWide(_ file: ForeignFile, isNeeded: Bool) throws(ForeignProblem) -> Bool {
        let before = position - 20
        let locator = ZipBytes(try foreign { () throws(Failure) in try file.bytes(at: before, count: 20) }[...])
        guard locator.number(0, 4) == 0x0706_4B50 else { return false }
        guard locator.number(4, 4) == 0, locator.number(16, 4) == 1, let place = locator.number(8, 8), place < before
        else { throw .misread("the zip64 locator leads nowhere") }
        let record = ZipBytes(try foreign { () throws(Failure) in try file.bytes(at: place, count: 56) }[...])
        guard record.number(0, 4) == 0x0606_4B50, let length = record.number(4, 8),
            record.number(16, 4) == 0, record.number(20, 4) == 0, let all = record.number(32, 8),
            record.number(24, 8) == all, let size = record.number(40, 8), let offset = record.number(48, 8)
        else { throw .misread("the zip64 end is not of its form") }
        if length &+ place &+ 12 != before { remarks.append("there are bytes behind the zip64 end") }
        let narrow: [(UInt64, UInt64, UInt64)] = [
            (entries, all, 0xFFFF), (directorySize, size, 0xFFFF_FFFF), (directoryOffset, offset, 0xFFFF_FFFF),
        ]
        if narrow.contains(where: { $0.0 != $0.2 && $0.0 != $0.1 }) {
            remarks.append("the two ends of the zip file disagree; readers may follow the other one")
        }
        entries = all
        directorySize = size
        directoryOffset = offset
        position = place
        return true
    }
}
