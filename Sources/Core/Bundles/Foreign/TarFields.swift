import Base

/// One header block of a tar file of any writer: v7, ustar, GNU, star. Source: POSIX.1-2017 pax, "ustar Interchange
/// Format"; GNU tar manual, "Basic Tar Format".
struct TarBlock {
    static let size = 512

    let bytes: [UInt8]

    /// Whether the checksum holds, as sum of unsigned or of signed bytes.
    var isHeader: Bool {
        guard bytes.count == TarBlock.size, let wanted = number(148..<156) else { return false }
        var unsigned: UInt64 = 0
        var signed: Int64 = 0
        for (index, byte) in bytes.enumerated() {
            let counted = (148..<156).contains(index) ? 0x20 : byte
            unsigned += UInt64(counted)
            signed += Int64(Int8(bitPattern: counted))
        }
        return wanted == unsigned || Int64(clamping: wanted) == signed
    }

    var isZero: Bool { bytes.allSatisfy { $0 == 0 } }
    var type: UInt8 { bytes[156] }
    var size: UInt64? { number(124..<136) }
    var mode: UInt64? { number(100..<108) }
    var uid: UInt64? { number(108..<116) }
    var gid: UInt64? { number(116..<124) }
    var linkName: [UInt8] { text(157..<257) }

    var modified: Int64? {
        // Base-256 with the sign bit set is a time before 1970.
        if bytes[136] == 0xFF { return bytes[140..<148].reduce(Int64(-1)) { $0 << 8 | Int64($1) } }
        return number(136..<148).flatMap { Int64(exactly: $0) }
    }

    /// Prefix and name; the prefix is one only in ustar's own form, where GNU has times.
    var name: [UInt8] {
        let name = text(0..<100)
        guard bytes[257..<263].elementsEqual(Array("ustar\u{0}".utf8)) else { return name }
        let prefix = text(345..<500)
        return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
    }

    /// Octal with spaces and NULs around it, or base-256; `nil` when it is neither or beyond 64 bits.
    func number(_ range: Range<Int>) -> UInt64? {
        let field = bytes[range]
        if let first = field.first, first & 0x80 != 0 {
            guard first == 0x80, field.dropFirst().dropLast(8).allSatisfy({ $0 == 0 }) else { return nil }
            return field.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        }
        let trimmed = field.drop { $0 == 0x20 }
        let digits = trimmed.prefix { (0x30...0x37).contains($0) }
        guard trimmed.dropFirst(digits.count).allSatisfy({ $0 == 0 || $0 == 0x20 }) else { return nil }
        return digits.reduce(0) { $0 << 3 | UInt64($1 - 0x30) }
    }

    private func text(_ range: Range<Int>) -> [UInt8] { Array(bytes[range].prefix { $0 != 0 }) }
}

/// What extended headers say of the entry behind them.
struct TarOverrides {
    var path: [UInt8]?
    var link: [UInt8]?
    var size: UInt64?
    var modified: FileTime?
    var uid: UInt64?
    var gid: UInt64?
    var realSize: UInt64?
    var isSparse = false
    private var keys: Set<String> = []
    private(set) var hasDuplicates = false

    init() {}

    /// Takes the records of a pax header, `LENGTH KEY=VALUE` and a line feed.
    mutating func take(_ records: [UInt8]) throws(ForeignProblem) {
        var rest = records[...]
        while !rest.isEmpty {
            let digits = rest.prefix { (0x30...0x39).contains($0) }
            guard (1...9).contains(digits.count), let length = Int(String(decoding: digits, as: UTF8.self)),
                length > digits.count + 2, length <= rest.count, rest.dropFirst(digits.count).first == 0x20
            else { throw .misread("an extended header of the tar file is not of its form") }
            let record = rest.prefix(length).dropFirst(digits.count + 1)
            rest = rest.dropFirst(length)
            guard record.last == 0x0A, let equals = record.firstIndex(of: UInt8(ascii: "=")) else {
                throw .misread("a record of an extended header of the tar file is not of its form")
            }
            let key = String(decoding: record[..<equals], as: UTF8.self)
            if !keys.insert(key).inserted { hasDuplicates = true }
            try take(key, Array(record[(equals + 1)...].dropLast()))
        }
    }

    private mutating func take(_ key: String, _ value: [UInt8]) throws(ForeignProblem) {
        switch key {
        case "path": path = value
        case "GNU.sparse.name": path = value
        case "linkpath": link = value
        case "size": size = try number(value, key)
        case "uid": uid = try number(value, key)
        case "gid": gid = try number(value, key)
        case "mtime": modified = TarOverrides.time(value)
        case "GNU.sparse.realsize", "GNU.sparse.size":
            realSize = try number(value, key)
            isSparse = true
        case _ where key.hasPrefix("GNU.sparse."): isSparse = true
        default: break
        }
    }

    private func number(_ value: [UInt8], _ key: String) throws(ForeignProblem) -> UInt64 {
        guard !value.isEmpty, value.allSatisfy({ (0x30...0x39).contains($0) }),
            let number = UInt64(String(decoding: value, as: UTF8.self))
        else { throw .misread("an extended header of the tar file has no number as \(key)") }
        return number
    }

    /// Decimal seconds with a fraction; digits beyond nanoseconds are cut off.
    static func time(_ value: [UInt8]) -> FileTime? {
        let text = String(decoding: value, as: UTF8.self)
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = parts.first, let seconds = Int64(whole) else { return nil }
        guard parts.count == 2 else { return FileTime(seconds: seconds) }
        let digits = parts[1].prefix(9)
        guard digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        var fraction = UInt32(digits) ?? 0
        for _ in digits.utf8.count..<9 { fraction *= 10 }
        guard whole.hasPrefix("-"), fraction > 0, seconds > .min else {
            return FileTime(seconds: seconds, nanoseconds: fraction)
        }
        return FileTime(seconds: seconds - 1, nanoseconds: 1_000_000_000 - fraction)
    }
}
