import Base
import Testing

@testable import Response

@Suite("Times of a capture")
struct CaptureTimesTests {
    private let now = Instant(nanoseconds: 1_795_348_800_000_000_000)

    @Test("an age is so long ago")
    func ages() throws {
        let times = try CaptureTimes(since: "2h", until: "30m", now: now)
        #expect(times.since == Instant(nanoseconds: now.nanoseconds - 7_200_000_000_000))
        #expect(times.until == Instant(nanoseconds: now.nanoseconds - 1_800_000_000_000))
    }

    @Test("an age that no moment has is refused", arguments: ["200000d", "1000000d", "1000001s", "-1d", "d"])
    func impossible(_ age: String) {
        let failure = #expect(throws: Failure.self) { try CaptureTimes(since: age, until: nil, now: now) }
        #expect(failure?.code == .usage)
    }
}
