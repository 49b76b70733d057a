import Base

/// Reads the times that logs print at the beginning of a line or in a field: RFC 3339 with and without zone, with a
/// blank for `T`, a comma before the fraction or an offset without colon, and the month-name form of RFC 3164 that has
/// no year.
struct LogTime {
    /// What was read.
    let time: RecordTime
    /// How many bytes it took.
    let length: Int

    /// Reads a text that is a time and nothing else.
    static func read(text: String?) -> RecordTime? {
        guard let text, text.utf8.count <= 64 else { return nil }
        let bytes = Array(text.utf8)
        guard let found = read(beginning: bytes, latest: nil), found.length == bytes.count else { return nil }
        return found.time
    }

    /// Reads a time at the beginning of `bytes`. `latest` gives the year to dates that have none.
    static func read(beginning bytes: [UInt8], latest: Instant?) -> LogTime? {
        var cursor = ByteCursor(bytes)
        if let time = dated(&cursor) { return LogTime(time: time, length: cursor.position) }
        guard let latest else { return nil }
        cursor = ByteCursor(bytes)
        guard let time = yearless(&cursor, latest: latest) else { return nil }
        return LogTime(time: time, length: cursor.position)
    }

    // MARK: With a year

    private static func dated(_ cursor: inout ByteCursor) -> RecordTime? {
        guard
            let year = cursor.number(digits: 4), cursor.take("-"), let month = cursor.number(digits: 2),
            cursor.take("-"), let day = cursor.number(digits: 2),
            cursor.take("T") || cursor.take("t") || cursor.take(" "),
            let clock = clock(&cursor)
        else { return nil }
        let zone = offset(&cursor)
        let text = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(clock.text)\(zone ?? "Z")"
        guard let moment = Instant(rfc3339: text) else { return nil }
        return RecordTime(moment, step: clock.step, zone: zone == nil ? .assumedUTC : .stated)
    }

    private static func offset(_ cursor: inout ByteCursor) -> String? {
        if cursor.take("Z") || cursor.take("z") { return "Z" }
        let before = cursor.position
        let sign: String
        if cursor.take("+") { sign = "+" } else if cursor.take("-") { sign = "-" } else { return nil }
        if let hours = cursor.number(digits: 2) {
            _ = cursor.take(":")
            if let minutes = cursor.number(digits: 2) { return "\(sign)\(padded(hours, 2)):\(padded(minutes, 2))" }
        }
        cursor.position = before
        return nil
    }

    // MARK: Without a year

    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    private static func yearless(_ cursor: inout ByteCursor, latest: Instant) -> RecordTime? {
        guard
            let month = months.firstIndex(where: { cursor.take(word: $0) }), cursor.take(" "),
            let day = cursor.take(" ") ? cursor.number(digits: 1) : cursor.number(digits: 2), cursor.take(" "),
            let clock = clock(&cursor), let year = Int64(latest.description.prefix(4))
        else { return nil }
        for candidate in [year, year - 1] {
            let text = "\(padded(candidate, 4))-\(padded(Int64(month) + 1, 2))-\(padded(day, 2))T\(clock.text)Z"
            guard let moment = Instant(rfc3339: text) else { return nil }
            if moment <= latest.advanced(by: .seconds(86_400)) {
                return RecordTime(moment, step: clock.step, zone: .assumedYear)
            }
        }
        return nil
    }

    // MARK: Parts

    private static func clock(_ cursor: inout ByteCursor) -> (text: String, step: Int64)? {
        guard
            let hour = cursor.number(digits: 2), cursor.take(":"), let minute = cursor.number(digits: 2),
            cursor.take(":"), let second = cursor.number(digits: 2)
        else { return nil }
        let text = "\(padded(hour, 2)):\(padded(minute, 2)):\(padded(second, 2))"
        let beforeFraction = cursor.position
        guard cursor.take(".") || cursor.take(",") else { return (text, 1_000_000_000) }
        let digits = cursor.digits(atMost: 18)
        if digits.isEmpty {
            cursor.position = beforeFraction
            return (text, 1_000_000_000)
        }
        var step: Int64 = 1_000_000_000
        for _ in digits.prefix(9) { step /= 10 }
        return ("\(text).\(digits)", step)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}

/// Reads ASCII forward.
struct ByteCursor {
    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func take(word: String) -> Bool {
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    mutating func number(digits count: Int) -> Int64? {
        var value: Int64 = 0
        var index = position
        for _ in 0..<count {
            guard index < bytes.count, (0x30...0x39).contains(bytes[index]) else { return nil }
            value = value * 10 + Int64(bytes[index] - 0x30)
            index += 1
        }
        position = index
        return value
    }

    mutating func digits(atMost limit: Int) -> String {
        let found = bytes[position...].prefix(limit).prefix { (0x30...0x39).contains($0) }
        position += found.count
        return String(decoding: found, as: UTF8.self)
    }
}
