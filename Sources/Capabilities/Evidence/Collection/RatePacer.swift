/// Keeps to so many bytes in a second. Time in which nothing was read is not saved up: what was left of one second at most may
/// be had in the next. All times are nanoseconds of one clock.
struct RatePacer {
    private static let second: UInt64 = 1_000_000_000

    private let rate: UInt64
    /// When all that was taken is paid for.
    private var paid: UInt64

    /// `rate` is in bytes a second, at least one.
    init(_ rate: UInt64, at now: UInt64) {
        self.rate = max(1, rate)
        paid = now
    }

    /// Takes note of bytes that were read.
    mutating func take(_ bytes: Int, at now: UInt64) {
        let start = max(paid, now - min(now, RatePacer.second))
        let cost = Double(bytes) / Double(rate) * Double(RatePacer.second)
        paid = start &+ UInt64(min(cost, 1e18))
    }

    /// How long is to be waited before more is read; 0: not at all.
    func wait(at now: UInt64) -> UInt64 { paid - min(paid, now) }
}
