import Base
import Testing

@Suite("time")
struct InstantTests {
    @Test(
        "RFC 3339 is printed in UTC with nine digits",
        arguments: [
            (0, "1970-01-01T00:00:00.000000000Z"), (-1, "1969-12-31T23:59:59.999999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000000Z"),
            (1_795_357_200_123_456_789, "2026-11-22T14:20:00.123456789Z"),
            (Int64.max, "2262-04-11T23:47:16.854775807Z"), (Int64.min, "1677-09-21T00:12:43.145224192Z"),
        ]
    )
    func printed(nanoseconds: Int64, text: String) {
        #expect("\(Instant(nanoseconds: nanoseconds))" == text)
        #expect(Instant(rfc3339: text) == Instant(nanoseconds: nanoseconds))
    }

    @Test(
        "RFC 3339 is read with offsets and fractions",
        arguments: [
            // RFC 3339 section 5.8.
            ("1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520000000Z"),
            ("1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000000000Z"),
            ("1990-12-31T23:59:60Z", "1991-01-01T00:00:00.000000000Z"),
            ("1937-01-01T12:00:27.87+00:20", "1937-01-01T11:40:27.870000000Z"),
            ("2026-11-22t14:20:00z", "2026-11-22T14:20:00.000000000Z"),
            ("2026-11-22 14:20:00.1234567899Z", "2026-11-22T14:20:00.123456789Z"),
            ("2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000000000Z"),
            ("9999-12-31T23:59:59Z", "2262-04-11T23:47:16.854775807Z"),
        ]
    )
    func read(text: String, canonical: String) throws {
        #expect("\(try #require(Instant(rfc3339: text)))" == canonical)
    }

    @Test(
        "what is not RFC 3339, or has no zone, is refused",
        arguments: [
            "", "2026-11-22", "2026-11-22T14:20:00", "2026-11-22T14:20Z", "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-02-30T00:00:00Z", "2025-02-29T00:00:00Z", "2026-04-31T00:00:00Z", "2026-11-00T00:00:00Z",
            "2026-11-22T24:00:00Z", "2026-11-22T14:60:00Z", "2026-11-22T14:20:61Z", "2026-11-22T14:20:00.Z",
            "2026-11-22T14:20:00+0100", "2026-11-22T14:20:00+25:00", "2026-11-22T14:20:00Zx", "+026-11-22T14:20:00Z",
            "٢٠٢٦-11-22T14:20:00Z",
        ]
    )
    func refused(text: String) {
        #expect(Instant(rfc3339: text) == nil)
    }

    @Test("every day of 400 years is printed and read alike")
    func everyDay() throws {
        var previous = ""
        for day in Int64(-70 * 365)..<Int64(290 * 365) {
            let instant = Instant(seconds: day * 86_400)
            let text = "\(instant)"
            #expect(text > previous)
            #expect(Instant(rfc3339: text) == instant)
            previous = text
        }
    }

    @Test("moments beyond the range are clamped, never wrapped")
    func clamped() {
        #expect(Instant(seconds: .max).nanoseconds == .max)
        #expect(Instant(seconds: .min).nanoseconds == .min)
        #expect(Instant(nanoseconds: .max).advanced(by: .seconds(1)).nanoseconds == .max)
        #expect(Instant(nanoseconds: .min).advanced(by: .seconds(-1)).nanoseconds == .min)
        #expect(Instant(nanoseconds: .max).since(Instant(nanoseconds: .min)) == .nanoseconds(Int64.max))
        #expect(Instant(nanoseconds: .min).since(Instant(nanoseconds: .max)) == .nanoseconds(Int64.min))
        #expect(Duration.seconds(Int64.max).wholeNanoseconds == .max)
        #expect(Duration.milliseconds(-1500).wholeNanoseconds == -1_500_000_000)
    }

    @Test("a deadline that is far away has a timeout for poll, and one that is over has none")
    func deadlines() {
        #expect(Deadline(after: .seconds(Int64.max)).pollTimeout == .max)
        #expect(Deadline(after: .seconds(-1)).hasPassed)
        #expect(Deadline(after: .seconds(-1)).pollTimeout == 0)
        #expect(Deadline(after: .seconds(-1)).remaining == .zero)
        let soon = Deadline(after: .seconds(60))
        #expect(!soon.hasPassed)
        #expect(soon.pollTimeout > 59_000)
        #expect(soon.pollTimeout <= 60_000)
        #expect(soon < Deadline(after: .seconds(61)))
    }

    @Test("an interval has its ends in order, also when it is read")
    func intervals() throws {
        let early = Instant(nanoseconds: 1)
        let late = Instant(nanoseconds: 2)
        #expect(Interval(late, early) == Interval(early, late))
        let value = try JSONEncoding.value(of: Interval(early, late))
        #expect(try JSONDecoding.decode(Interval.self, from: value) == Interval(early, late))
        let reversed: JSONValue = ["earliest": .string("\(late)"), "latest": .string("\(early)")]
        #expect(throws: Failure.self) { try JSONDecoding.decode(Interval.self, from: reversed) }
    }
}
