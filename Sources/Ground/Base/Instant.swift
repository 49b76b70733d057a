import Glibc

/// A moment on the wall clock: nanoseconds since 1970-01-01T00:00:00Z, leap seconds not counted (CLOCK_REALTIME,
/// clock_gettime(2)). Printed and stored as RFC 3339 in UTC with nine fractional digits.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the epoch; negative before 1970.
    public let nanoseconds: Int64

    /// Takes nanoseconds since the epoch.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// Takes seconds and nanoseconds as stat(2) and clock_gettime(2) give them; values beyond the years 1677 to 2262
    /// are clamped.
    public init(seconds: Int64, nanoseconds: Int64 = 0) {
        // Before 1970 a second is borrowed, so that the first representable second is not lost to its product.
        let borrowed: Int64 = seconds < 0 && nanoseconds > 0 ? 1 : 0
        let (product, overflow) = (seconds + borrowed).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carried) = product.addingReportingOverflow(nanoseconds - borrowed * 1_000_000_000)
        self.nanoseconds = overflow || carried ? (seconds < 0 ? .min : .max) : sum
    }

    /// The wall clock now.
    public static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(seconds: Int64(time.tv_sec), nanoseconds: Int64(time.tv_nsec))
    }

    /// Orders by time.
    public static func < (left: Instant, right: Instant) -> Bool { left.nanoseconds < right.nanoseconds }

    /// This moment moved by `duration`, clamped to what an instant can hold.
    public func advanced(by duration: Duration) -> Instant {
        Instant(nanoseconds: nanoseconds.addingClamped(duration.wholeNanoseconds))
    }

    /// The time from `other` to this moment, clamped to 292 years either way.
    public func since(_ other: Instant) -> Duration {
        let (difference, overflow) = nanoseconds.subtractingReportingOverflow(other.nanoseconds)
        return .nanoseconds(overflow ? (nanoseconds < 0 ? .min : .max) : difference)
    }
}

extension Instant: CustomStringConvertible {
    /// RFC 3339 in UTC with nine fractional digits: `2026-11-22T14:20:00.000000000Z`.
    public var description: String {
        let seconds = nanoseconds.flooredDivision(by: 1_000_000_000)
        let day = seconds.flooredDivision(by: 86_400)
        let second = seconds - day * 86_400
        let (year, month, dayOfMonth) = CivilDate.fromDays(day)
        // Three times stand in each line about a file: digits are written in place, from the back.
        var text = Array("0000-00-00T00:00:00.000000000Z".utf8)
        put(year, endingAt: 4, in: &text)
        put(month, endingAt: 7, in: &text)
        put(dayOfMonth, endingAt: 10, in: &text)
        put(second / 3600, endingAt: 13, in: &text)
        put(second / 60 % 60, endingAt: 16, in: &text)
        put(second % 60, endingAt: 19, in: &text)
        put(nanoseconds.flooredRemainder(by: 1_000_000_000), endingAt: 29, in: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Years are 1677 to 2262, so every number has the digits that the form has for it.
    private func put(_ value: Int64, endingAt end: Int, in text: inout [UInt8]) {
        var rest = value
        var index = end
        while rest > 0 {
            index -= 1
            text[index] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
        }
    }
}

extension Instant {
    /// Reads an RFC 3339 time with an offset or `Z` and up to nine fractional digits (more are cut off). A time without
    /// a zone gives `nil`: the caller has to state its assumption; so does a day that its month does not have. Years
    /// beyond 1677 to 2262 are clamped.
    public init?(rfc3339 text: some StringProtocol) {
        var reader = DigitReader(Array(text.utf8))
        guard
            let year = reader.number(digits: 4), reader.take("-"),
            let month = reader.number(digits: 2), reader.take("-"), (1...12).contains(month),
            let day = reader.number(digits: 2), (1...31).contains(day),
            reader.take("T") || reader.take("t") || reader.take(" "),
            let hour = reader.number(digits: 2), hour < 24, reader.take(":"),
            let minute = reader.number(digits: 2), minute < 60, reader.take(":"),
            let second = reader.number(digits: 2), second <= 60
        else { return nil }
        var fraction: Int64 = 0
        if reader.take(".") {
            guard let digits = reader.fraction() else { return nil }
            fraction = digits
        }
        guard let offset = reader.offset(), reader.isAtEnd else { return nil }
        let days = CivilDate.toDays(year: year, month: month, day: day)
        guard CivilDate.fromDays(days) == (year, month, day) else { return nil }
        self.init(seconds: days * 86_400 + hour * 3600 + minute * 60 + second - offset, nanoseconds: fraction)
    }
}

extension Instant: Codable {
    /// Reads RFC 3339.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let instant = Instant(rfc3339: try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "not an RFC 3339 time with a zone")
        }
        self = instant
    }

    /// Writes RFC 3339 in UTC.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// Days since 1970-01-01 and proleptic Gregorian dates, by the era arithmetic of 400 years.
enum CivilDate {
    static func toDays(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted.flooredDivision(by: 400)
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    static func fromDays(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let shifted = days + 719_468
        let era = shifted.flooredDivision(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
    }
}

extension Int64 {
    /// The sum, or the nearest number that there is.
    func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    fileprivate func flooredDivision(by divisor: Int64) -> Int64 {
        let quotient = self / divisor
        return self % divisor < 0 ? quotient - 1 : quotient
    }

    fileprivate func flooredRemainder(by divisor: Int64) -> Int64 {
        let remainder = self % divisor
        return remainder < 0 ? remainder + divisor : remainder
    }
}

extension Duration {
    /// The duration in nanoseconds, clamped to 292 years either way.
    public var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return Instant(seconds: seconds, nanoseconds: attoseconds / 1_000_000_000).nanoseconds
    }

    /// The duration in milliseconds with a fraction, for people.
    public var inMilliseconds: Double { Double(wholeNanoseconds) / 1_000_000 }
}

private struct DigitReader {
    let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var isAtEnd: Bool { position == bytes.count }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard position < bytes.count, bytes[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    mutating func digit() -> Int64? {
        guard position < bytes.count, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[position]) else {
            return nil
        }
        defer { position += 1 }
        return Int64(bytes[position] - UInt8(ascii: "0"))
    }

    mutating func number(digits: Int) -> Int64? {
        var value: Int64 = 0
        for _ in 0..<digits {
            guard let digit = digit() else { return nil }
            value = value * 10 + digit
        }
        return value
    }

    mutating func fraction() -> Int64? {
        var value: Int64 = 0
        var count = 0
        while let digit = digit() {
            if count < 9 { value = value * 10 + digit }
            count += 1
        }
        guard count > 0 else { return nil }
        for _ in min(count, 9)..<9 { value *= 10 }
        return value
    }

    mutating func offset() -> Int64? {
        if take("Z") || take("z") { return 0 }
        let sign: Int64
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(digits: 2), hours < 24, take(":"), let minutes = number(digits: 2), minutes < 60 else {
            return nil
        }
        return sign * (hours * 3600 + minutes * 60)
    }
}
